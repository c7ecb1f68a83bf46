"""What all screens of rows share: a line that says what they are of, the rows, and the keys that work.

A subclass gives `where`, fills its rows in `refill`, and says what enter does in `choose`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.screen import Screen
from textual.widget import Widget

from aethermind.tui.actions import foot
from aethermind.tui.actions.registry import Where
from aethermind.tui.rows.cells import Cells, Line
from aethermind.tui.widgets.chrome import footer_cells
from aethermind.tui.widgets.keys_line import KeysLine
from aethermind.tui.widgets.line import OneLine
from aethermind.tui.widgets.lines import LinePane
from aethermind.tui.widgets.rows_view import RowsView

if TYPE_CHECKING:
    from aethermind.tui.bridge import Frame
    from aethermind.tui.context import Context
    from aethermind.tui.themes import Palette


class Listing(Screen[None], inherit_bindings=False):
    """Fills the terminal. Escape leaves it."""

    CSS_PATH = "../styles/listing.tcss"
    where: ClassVar[Where]
    TITLE_TEXT: ClassVar[str] = ""
    HEADS: ClassVar[int] = 0
    """Lines of its own above the rows: `heads`."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self.context = context
        palette = context.app.palette
        self.top_line = OneLine(palette, id="listing-top")
        self.heads = [OneLine(palette, id=f"listing-head-{n}") for n in range(self.HEADS)]
        self.view = RowsView(palette, context.glyphs, self.TITLE_TEXT)
        self.bottom_line = KeysLine(palette, id="listing-bottom")

    def compose(self) -> ComposeResult:
        yield self.top_line
        yield from self.body()
        yield self.bottom_line

    def body(self) -> Iterable[Widget]:
        """What stands between the two lines."""
        yield from self.heads
        yield self.view

    def panes(self) -> Sequence[LinePane]:
        return (self.view,)

    def on_mount(self) -> None:
        self._seen_palette = self.context.app.palette
        self.view.focus()
        self.refill()

    def on_resize(self, event: events.Resize) -> None:
        self.call_after_refresh(self.redraw)

    def on_screen_resume(self) -> None:
        palette = self.context.app.palette
        if palette is not self._seen_palette:
            self.repalette(palette)
        self.call_after_refresh(self.redraw)

    def repalette(self, palette: Palette) -> None:
        """Other colours."""
        self._seen_palette = palette
        for line in (self.top_line, *self.heads, self.bottom_line):
            line.repalette(palette)
        for pane in self.panes():
            pane.repalette(palette)

    # --- what subclasses give ------------------------------------------------------------------

    def refill(self) -> None:
        """Fetch, and show what there is."""
        self.redraw()

    def top_cells(self, width: int) -> Cells:
        """The line above the rows."""
        return []

    def choose(self) -> None:
        """Enter, or a double click."""

    def came(self, frame: Frame) -> None:
        """Something was recorded, in any run."""

    # --- drawing -------------------------------------------------------------------------------

    def redraw(self) -> None:
        """The lines around the rows, and the rows."""
        if self.is_mounted:
            self.view.redraw()
            self.redraw_around()

    def redraw_around(self) -> None:
        """The rows have been drawn."""
        width = self.size.width
        glyphs = self.context.glyphs
        line = Line(ellipsis=glyphs.ellipsis).extend(self.top_cells(width)).to(width)
        self.top_line.show(line.cells)
        self.show_keys()

    def show_keys(self) -> None:
        if self.is_current:
            width = self.size.width
            self.bottom_line.show(footer_cells(foot(self.context, width), width, self.context.glyphs))

    def on_line_pane_chosen(self, event: LinePane.Chosen) -> None:
        event.stop()
        self.choose()

    def on_line_pane_cursor_moved(self, event: LinePane.CursorMoved) -> None:
        event.stop()
        self.show_keys()

    # --- what actions do -----------------------------------------------------------------------

    def leave(self) -> None:
        _ = self.dismiss()

    def find(self, text: str) -> bool:
        return self.view.find(text)

    def find_next(self, delta: int) -> bool:
        return self.view.find("", delta)

    def text_to_copy(self) -> str:
        return self.view.row_text(self.view.cursor) if self.view.row_count() else ""

    def toggle_wrap(self) -> bool:
        return False
