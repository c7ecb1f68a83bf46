"""Rows of a screen that fills the terminal: what they are is told from outside, they are drawn when seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from textual import events
from textual.message import Message

from aethermind.tui.actions.bindings import widget_bindings
from aethermind.tui.context import Move
from aethermind.tui.glyphs import Glyphs
from aethermind.tui.rows.cells import Cells, plain
from aethermind.tui.themes import Palette
from aethermind.tui.widgets.lines import LinePane

Draw = Callable[[int, int], Cells]
"""(row, width) → its cells."""
Head = Callable[[int], Cells]


class RowsView(LinePane):
    """`show` says how many rows there are and how they are drawn."""

    BINDINGS = widget_bindings("list")

    class Aside(Message):
        """Left or right was asked for."""

        def __init__(self, how: Literal["left", "right"]) -> None:
            super().__init__()
            self.how = how

    def __init__(self, palette: Palette, glyphs: Glyphs, title: str, *, id: str = "rows") -> None:
        super().__init__(palette, glyphs, 0, id=id)
        self.title = title
        self.note: Cells = []
        """Behind the title."""
        self._count = 0
        self._draw: Draw = lambda row, width: []
        self._head: Head | None = None
        self._empty = ""
        self._sought = ""

    def show(self, count: int, draw: Draw, *, head: Head | None = None, empty: str = "") -> None:
        """Other rows; the cursor keeps its number."""
        self._count, self._draw, self._head, self._empty = count, draw, head, empty
        self.settle()
        self.redraw()

    # --- what the base asks --------------------------------------------------------------------

    @property
    def head_lines(self) -> int:
        return 1 if self._head is not None else 0

    def name_text(self) -> str:
        return self.title

    def title_cells(self) -> Cells:
        return self.note

    def row_count(self) -> int:
        return self._count

    def row_cells(self, index: int, width: int) -> Cells:
        return self._draw(index, width)

    def head_cells(self, width: int) -> Cells:
        return self._head(width) if self._head is not None else []

    def empty_cells(self) -> Cells:
        return [(f" {self._empty}", "faint")] if self._empty else []

    # --- moving --------------------------------------------------------------------------------

    def action_cursor_down(self) -> None:
        self.move("down")

    def action_cursor_up(self) -> None:
        self.move("up")

    def action_cursor_left(self) -> None:
        self.move("left")

    def action_cursor_right(self) -> None:
        self.move("right")

    def action_half_down(self) -> None:
        self.move("half_down")

    def action_half_up(self) -> None:
        self.move("half_up")

    def action_page_down(self) -> None:
        self.move("page_down")

    def action_page_up(self) -> None:
        self.move("page_up")

    def action_first(self) -> None:
        self.move("top")

    def action_last(self) -> None:
        self.move("bottom")

    def sideways(self, how: Move) -> None:
        if how in {"left", "right"}:
            self.post_message(self.Aside("left" if how == "left" else "right"))

    def on_resize(self, event: events.Resize) -> None:
        super().on_resize(event)
        self.call_after_refresh(self.redraw)

    # --- finding -------------------------------------------------------------------------------

    def find(self, text: str, delta: int = 0) -> bool:
        """Go to a row with this text, case ignored: from here on (0), the next (1), the previous (-1)."""
        self._sought = text.lower() or self._sought
        if not self._sought or not self._count:
            return False
        step = delta or 1
        for n in range(self._count):
            row = (self.cursor + delta + n * step) % self._count
            if self._sought in plain(self._draw(row, 200)).lower():
                self.go_to(row)
                return True
        return False
