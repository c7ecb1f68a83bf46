"""A widget of one line that repaints only the cells that changed."""

from __future__ import annotations

from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from aethermind.tui.rows.cells import Cells
from aethermind.tui.themes import Palette
from aethermind.tui.widgets.strips import difference, to_strip


class OneLine(Widget):
    """Shows the cells that it was given last."""

    DEFAULT_CSS = "OneLine { height: 1; width: 1fr; }"

    def __init__(self, palette: Palette, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.palette = palette
        self.cells: Cells = []
        self._strip: Strip | None = None

    def show(self, cells: Cells) -> None:
        """Other cells; nothing is painted where they are the same."""
        self.cells = cells
        width = self.size.width
        if not width:
            self._strip = None
            return
        new, old = to_strip(cells, width, self.palette), self._strip
        self._strip = new
        if old is None or old.cell_length != width:
            self.refresh()
        elif (span := difference(old, new)) is not None:
            self.refresh(Region(span[0], 0, span[1] - span[0], 1))

    def repalette(self, palette: Palette) -> None:
        self.palette = palette
        self._strip = None
        self.refresh()

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if self._strip is None or self._strip.cell_length != width:
            self._strip = to_strip(self.cells, width, self.palette)
        return self._strip
