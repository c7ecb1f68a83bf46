"""What is on the terminal, line by line: so that only cells that differ are written again.

Panes compare their own lines; what is left is what Textual paints as a whole though little of it is new: a
dialog that opens or goes, another screen with the same frame, rows that change below a dialog.
"""

from __future__ import annotations

from rich.cells import get_character_cell_size
from textual.strip import Strip

from aethermind.tui.widgets.strips import difference


class Glass:
    """Knows nothing of a line until it was written as a whole."""

    def __init__(self) -> None:
        self._lines: dict[int, Strip] = {}
        self._size = (0, 0)

    def forget(self) -> None:
        self._lines.clear()

    def put(self, x: int, y: int, part: Strip, size: tuple[int, int]) -> tuple[int, Strip] | None:
        """These cells are to be there; `size` is the terminal's. What of them has to be written, and from
        which column on; None if they are there already.
        """
        if size != self._size:
            self._lines.clear()
            self._size = size
        width = size[0]
        end = x + part.cell_length
        old = self._lines.get(y)
        if old is None:
            if x == 0 and end == width:
                self._lines[y] = part.simplify()
            return x, part
        whole = (x, end) == (0, width)
        part = part.simplify()
        if whole or _single(old):
            span = difference(old if whole else old.crop(x, end).simplify(), part)
        else:
            span = 0, end - x  # to write over a half of a wide character changes the other one too
        if span is None:
            return None
        self._lines[y] = (
            part if whole else Strip.join([old.crop(0, x), part, old.crop(end, width)]).simplify()
        )
        begin, stop = span
        return x + begin, part.crop(begin, stop)


def _single(line: Strip) -> bool:
    """Whether each of its characters takes one cell."""
    return all(get_character_cell_size(char) == 1 for char in set(line.text))
