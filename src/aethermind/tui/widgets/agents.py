"""What the agents of the open run are doing."""

from __future__ import annotations

from typing import ClassVar

from aethermind.tui.context import Pane
from aethermind.tui.glyphs import Glyphs
from aethermind.tui.held import Held
from aethermind.tui.rows import agents as rows
from aethermind.tui.rows.cells import Cells
from aethermind.tui.themes import Palette
from aethermind.tui.widgets.lines import LinePane


class AgentsPane(LinePane):
    PANE: ClassVar[Pane] = "agents"
    TITLE = "Agents"

    def __init__(self, palette: Palette, glyphs: Glyphs, number: int, *, id: str | None = None) -> None:
        super().__init__(palette, glyphs, number, id=id)
        self._items: list[rows.AgentItem] = []
        self._all = 0
        self.filter_text = ""

    def update(self, held: Held | None) -> None:
        """Redraw from this run's state."""
        found = rows.agents(held.run, held.streams.tokens) if held is not None else []
        self._all = len(found)
        self._items = rows.matching(found, self.filter_text)
        self.settle()
        self.redraw()

    def row_count(self) -> int:
        return len(self._items)

    def row_cells(self, index: int, width: int) -> Cells:
        return rows.cells(self._items[index], width, self.glyphs)

    def title_cells(self) -> Cells:
        cells: Cells = [(f" {self._all}", "title")] if self._all else []
        if self.filter_text:
            cells.append((f"  /{self.filter_text}", "key"))
        return cells

    def empty_cells(self) -> Cells:
        if self.filter_text:
            return self.say_empty("no agent is like that", ("find.filter", "filters"))
        run = getattr(self.screen, "open_run_id", None)
        return self.say_empty("no agents", *([] if run else [("run.start", "runs")]))

    @property
    def selected(self) -> rows.AgentItem | None:
        return self._items[self.cursor] if self.cursor < len(self._items) else None

    def find(self, text: str, delta: int) -> bool:
        text = text.lower()
        count = len(self._items)
        for step in range(1, count + 1):
            index = (self.cursor + step * delta) % count
            item = self._items[index]
            if text in f"{item.name} {item.model}".lower():
                self.go_to(index)
                return True
        return False

    def next_error(self, delta: int) -> bool:
        count = len(self._items)
        for step in range(1, count + 1):
            index = (self.cursor + step * delta) % count
            if self._items[index].failed:
                self.go_to(index)
                return True
        return False
