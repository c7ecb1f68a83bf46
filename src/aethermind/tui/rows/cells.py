"""A line of the screen as cells: pieces of text, each with the name of a style (see `themes`). Pure.

Rules
- Text that came from outside enters with `say`, which cleans it; `add` is for our own signs and numbers.
- Widths are cells of a terminal, not characters.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.cells import cell_len, set_cell_size

from aethermind.infra.sanitize import clean_line

Cell = tuple[str, str]
Cells = list[Cell]


def width_of(text: str) -> int:
    return len(text) if text.isascii() else cell_len(text)


def fit(text: str, width: int, *, right: bool = False, ellipsis: str = "…") -> str:
    """Exactly `width` cells: padded, or cut with an ellipsis."""
    if width <= 0:
        return ""
    used = width_of(text)
    if used > width:
        keep = width - len(ellipsis)
        return set_cell_size(text, keep) + ellipsis if keep >= 0 else set_cell_size(text, width)
    pad = " " * (width - used)
    return pad + text if right else text + pad


class Line:
    """One line in the making."""

    __slots__ = ("cells", "ellipsis", "width")

    def __init__(self, *, ellipsis: str = "…") -> None:
        self.cells: Cells = []
        self.width = 0
        self.ellipsis = ellipsis

    def add(self, text: str, style: str = "") -> Line:
        if text:
            self.cells.append((text, style))
            self.width += width_of(text)
        return self

    def say(self, text: str, style: str = "", *, width: int | None = None, right: bool = False) -> Line:
        """Untrusted text, cleaned, and in exactly `width` cells if given."""
        text = clean_line(text)
        if width is not None:
            text = fit(text, width, right=right, ellipsis=self.ellipsis)
        return self.add(text, style)

    def field(self, text: str, width: int, style: str = "", *, right: bool = False) -> Line:
        """Our own text in exactly `width` cells."""
        return self.add(fit(text, width, right=right, ellipsis=self.ellipsis), style)

    def extend(self, cells: Iterable[Cell]) -> Line:
        for text, style in cells:
            self.add(text, style)
        return self

    def to(self, column: int, style: str = "") -> Line:
        """Blank up to this column, or cut what is beyond it."""
        if self.width < column:
            self.add(" " * (column - self.width), style)
        elif self.width > column:
            self.cells = cut(self.cells, column, ellipsis=self.ellipsis)
            self.width = max(column, 0)
        return self


def plain(cells: Iterable[Cell]) -> str:
    return "".join(text for text, _ in cells)


def cells_width(cells: Sequence[Cell]) -> int:
    text = "".join([text for text, _ in cells])
    return len(text) if text.isascii() else sum([width_of(text) for text, _ in cells])


def cut(cells: Iterable[Cell], width: int, *, ellipsis: str = "…") -> Cells:
    """At most `width` cells, with an ellipsis where something was cut."""
    cells = list(cells)
    if cells_width(cells) <= width:
        return cells
    if width <= 0:
        return []
    found: Cells = []
    left = max(width - len(ellipsis), 0)
    for text, style in cells:
        size = width_of(text)
        if size >= left:
            kept = set_cell_size(text, left) if size > left else text
            found.append((kept + ellipsis, style))
            break
        found.append((text, style))
        left -= size
    return found


def slide(cells: Iterable[Cell], left: int) -> Cells:
    """What remains when `left` cells are scrolled away; half a wide character becomes a space."""
    found: Cells = []
    for text, style in cells:
        if left <= 0:
            found.append((text, style))
            continue
        size = width_of(text)
        if size <= left:
            left -= size
            continue
        head = 0
        taken = 0
        for char in text:
            if taken >= left:
                break
            taken += width_of(char)
            head += 1
        found.append((" " * (taken - left) + text[head:], style))
        left = 0
    return found
