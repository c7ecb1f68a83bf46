"""Settings: changed with the arrows, effective at once, kept in the config."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from aethermind.tui import appearance
from aethermind.tui.actions import REGISTRY, bindings
from aethermind.tui.actions.registry import Where
from aethermind.tui.rows import settings as rows
from aethermind.tui.rows.cells import Cells, Line
from aethermind.tui.rows.settings import Option
from aethermind.tui.screens.listing import Listing
from aethermind.tui.widgets.rows_view import RowsView

if TYPE_CHECKING:
    from aethermind.tui.context import Context


class SettingsScreen(Listing):
    where: ClassVar[Where] = "settings"
    BINDINGS = bindings(REGISTRY, "settings")
    TITLE_TEXT = "Settings"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.options: list[Option] = []

    def refill(self) -> None:
        self.options = found = appearance.options(self.context.app)
        glyphs = self.context.glyphs
        self.view.show(
            len(found), lambda index, width: rows.cells(found[index], width, glyphs), head=rows.head
        )
        self.redraw()

    def top_cells(self, width: int) -> Cells:
        line = Line(ellipsis=self.context.glyphs.ellipsis).add(" SETTINGS ", "brand").add("  ")
        config = getattr(self.context.composition, "config", None)
        path = getattr(config, "path", None)
        return line.say(f"kept in {path}" if path is not None else "for this session", "faint").cells

    def on_screen_resume(self) -> None:
        super().on_screen_resume()
        self.call_after_refresh(self.refill)

    def choose(self) -> None:
        self.change(1)

    def on_rows_view_aside(self, event: RowsView.Aside) -> None:
        event.stop()
        self.change(1 if event.how == "right" else -1)

    def change(self, delta: int) -> None:
        """The next value of the setting under the cursor, or the one before."""
        if self.view.cursor < len(self.options):
            option = self.options[self.view.cursor]
            _ = self.context.spawn(self._put(option, delta))

    async def _put(self, option: Option, delta: int) -> None:
        await appearance.put(self.context, option, option.after(delta))
        self.refill()
