"""The line of tabs, where there is no room for all panes at once."""

from __future__ import annotations

from collections.abc import Mapping

from textual import events
from textual.message import Message

from aethermind.tui.context import PANES, Pane
from aethermind.tui.glyphs import Glyphs
from aethermind.tui.rows.cells import Line
from aethermind.tui.themes import Palette
from aethermind.tui.widgets.line import OneLine

NAMES: dict[Pane, str] = {
    "agents": "Agents",
    "runs": "Runs",
    "trace": "Trace",
    "logs": "Logs",
    "cost": "Cost",
}
ORDER: tuple[Pane, ...] = ("trace", "agents", "runs", "logs", "cost")


class Tabs(OneLine):
    class Chosen(Message):
        def __init__(self, pane: Pane) -> None:
            super().__init__()
            self.pane = pane

    def __init__(self, palette: Palette, glyphs: Glyphs) -> None:
        super().__init__(palette, id="tabs")
        self.glyphs = glyphs
        self._places: list[tuple[int, int, Pane]] = []

    def update(self, active: Pane, counts: Mapping[Pane, int], failed: int) -> None:
        """`counts` stand behind the names; `failed` at the right end."""
        width = self.size.width
        line = Line(ellipsis=self.glyphs.ellipsis)
        self._places = []
        brief = width < 60
        for pane in ORDER:
            begin = line.width
            number, count = PANES.index(pane) + 1, counts.get(pane, 0)
            name = NAMES[pane][:1] if brief and pane != active else NAMES[pane]
            many = f"{self.glyphs.dot}{count}" if count and not brief else ""
            if pane == active:
                line.add(f" [{number} {name}{many}]", "tab.active")
            else:
                line.add(f" {number} {name}{many}", "tab")
            self._places.append((begin, line.width, pane))
        if failed:
            mark = f"!{failed} "
            line.to(max(width - len(mark), line.width)).add(mark, "failed")
        self.show(line.cells)

    def on_click(self, event: events.Click) -> None:
        for begin, end, pane in self._places:
            if begin <= event.x < end:
                self.post_message(self.Chosen(pane))
                return
