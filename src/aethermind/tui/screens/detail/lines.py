"""Text as lines of styled spans, wrapped to a width. Pure: no widget, no colour.

Rules
- A `Line` is one logical line; a row is what one line of the terminal shows of it.
- A span's style is the name of a component class of `TextView` ("" is plain text), or a ready style
  where a renderer of its own made one (Markdown).
- Wrapping is greedy, so only the last row of a text that grows can change (`Wrapped.append`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rich.cells import cell_len, get_character_cell_size
from rich.style import Style

TAB = 4


class Span(NamedTuple):
    text: str
    style: str | Style = ""


Line = tuple[Span, ...]
BLANK: Line = ()


def line(*parts: str | Span | tuple[str, str]) -> Line:
    """A line of its parts: plain strings, or (text, style) pairs."""
    return tuple(Span(p) if isinstance(p, str) else Span(*p) for p in parts if p and p[0])


def text_lines(text: str, style: str = "") -> list[Line]:
    """The lines of a (clean) text."""
    return [(Span(part.expandtabs(TAB), style),) if part else BLANK for part in text.split("\n")]


def plain(a_line: Line) -> str:
    return "".join(span.text for span in a_line)


def width_of(a_line: Line) -> int:
    return sum(cell_len(span.text) for span in a_line)


def breaks(text: str, width: int) -> list[int]:
    """Where rows begin: offsets into `text`, the first is 0. Breaks after spaces, inside a word only where
    the word alone is wider than `width` cells.
    """
    starts = [0]
    if width < 1 or (len(text) <= width and text.isascii()):
        return starts
    used = 0
    word = 0  # offset where the word in hand began
    word_cells = 0
    for offset, char in enumerate(text):
        size = 1 if char.isascii() else get_character_cell_size(char)
        if char == " ":
            # A space at the end of a row may hang over: it is not drawn.
            used += size
            word, word_cells = offset + 1, 0
            continue
        if used + size > width and offset > starts[-1]:
            if word > starts[-1] and word_cells + size <= width:
                starts.append(word)
                used = word_cells
            else:
                starts.append(offset)
                word, word_cells = offset, 0
                used = 0
        used += size
        word_cells += size
    return starts


def cut(a_line: Line, start: int, end: int) -> Line:
    """The part between two offsets into the line's text."""
    found: list[Span] = []
    at = 0
    for span in a_line:
        following = at + len(span.text)
        if following > start and at < end:
            found.append(Span(span.text[max(start - at, 0) : end - at], span.style))
        at = following
    return tuple(found)


def wrap(a_line: Line, width: int, *, hang: int = 0) -> list[Line]:
    """The rows of one line. Following rows are indented by `hang` cells (at most half a width, and
    not where it is narrow)."""
    hang = min(hang, width // 2) if width >= 16 else 0
    text = plain(a_line)
    starts = breaks(text, width)
    if hang and len(starts) > 1:
        rest = breaks(text[starts[1] :], width - hang)
        starts = [0, *(starts[1] + start for start in rest)]
    if len(starts) == 1:
        return [a_line]
    ends = [*starts[1:], len(text)]
    rows = [cut(a_line, start, end) for start, end in zip(starts, ends, strict=True)]
    if hang:
        pad = Span(" " * hang)
        rows[1:] = [(pad, *row) for row in rows[1:]]
    return rows


def indent_of(a_line: Line) -> int:
    """How far rows that follow hang: the line's own indentation, and past a bullet or a line number."""
    text = plain(a_line)
    bare = text.lstrip(" ")
    depth = len(text) - len(bare)
    return depth + 2 if bare[:2] in {"- ", "* ", "• "} else depth


class Wrapped:
    """Lines and the rows they make at one width."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.rows: list[Line] = []
        self.first: list[int] = []
        """Line → its first row."""
        self.owner: list[int] = []
        """Row → its line."""
        self.width = 0
        self.soft = True
        self.hang: int | None = None
        """How far rows that follow hang; None goes by each line's own indentation."""
        self.widest = 0
        """Cells of the widest row; for scrolling sideways when lines are not wrapped."""

    def set_lines(self, lines: Sequence[Line]) -> None:
        self.lines = list(lines)
        self.wrap(self.width, soft=self.soft)

    def wrap(self, width: int, *, soft: bool) -> None:
        """Lay all lines out again."""
        self.width, self.soft = width, soft
        self.rows, self.first, self.owner, self.widest = [], [], [], 0
        if width > 0:
            self._lay(range(len(self.lines)))

    def append(self, text: str, style: str = "") -> int:
        """Text goes on after the last line. Returns the first row that changed."""
        if not text:
            return len(self.rows)
        head, *more = text.split("\n")
        if not self.lines:
            self.lines.append(BLANK)
            self._lay([0])
        changed = self._extend(head, style)
        if more:
            begin = len(self.lines)
            self.lines.extend((Span(part.expandtabs(TAB), style),) if part else BLANK for part in more)
            self._lay(range(begin, len(self.lines)))
        return changed

    def _extend(self, text: str, style: str) -> int:
        last = self.lines[-1]
        text = text.expandtabs(TAB)
        if text:
            if last and last[-1].style == style:
                self.lines[-1] = (*last[:-1], Span(last[-1].text + text, style))
            else:
                self.lines[-1] = (*last, Span(text, style))
        if self.width <= 0:
            return 0
        row = len(self.rows) - 1
        if text:
            tail = self.rows.pop()
            self.owner.pop()
            if tail and tail[-1].style == style:
                tail = (*tail[:-1], Span(tail[-1].text + text, style))
            else:
                tail = (*tail, Span(text, style))
            hang = self._hang(self.lines[-1])
            self._add(len(self.lines) - 1, wrap(tail, self.width, hang=hang) if self.soft else [tail])
        return row

    def _hang(self, a_line: Line) -> int:
        return indent_of(a_line) if self.hang is None else self.hang

    def _lay(self, numbers: Iterable[int]) -> None:
        if self.width <= 0:
            return
        for number in numbers:
            a_line = self.lines[number]
            self.first.append(len(self.rows))
            self._add(number, wrap(a_line, self.width, hang=self._hang(a_line)) if self.soft else [a_line])

    def _add(self, number: int, rows: list[Line]) -> None:
        self.rows.extend(rows)
        self.owner.extend([number] * len(rows))
        if not self.soft:
            self.widest = max(self.widest, *(width_of(row) for row in rows))
