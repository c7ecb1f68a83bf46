"""What the open run costs."""

from __future__ import annotations

from typing import ClassVar

from aethermind.tui import format as fmt
from aethermind.tui.context import Pane
from aethermind.tui.glyphs import Glyphs
from aethermind.tui.held import Held
from aethermind.tui.rows import cost as rows
from aethermind.tui.rows.cells import Cells, plain
from aethermind.tui.themes import Palette
from aethermind.tui.widgets.lines import LinePane


class CostPane(LinePane):
    PANE: ClassVar[Pane] = "cost"
    TITLE = "Cost"

    def __init__(self, palette: Palette, glyphs: Glyphs, number: int) -> None:
        super().__init__(palette, glyphs, number)
        self._lines: list[Cells] = []
        self._total = ""
        self.filter_text = ""

    def update(self, held: Held | None, now: int) -> None:
        """Computes all lines anew: call it only while the pane is seen."""
        self._lines = (
            rows.lines(held.run, max(self.inner_width, 40), now, self.glyphs) if held is not None else []
        )
        if self.filter_text:
            self._lines = [line for line in self._lines if self.filter_text.lower() in plain(line).lower()]
        self._total = fmt.usd(held.run.tally.cost, unknown=self.glyphs.dash) if held is not None else ""
        self.settle()
        self.redraw()

    def row_count(self) -> int:
        return len(self._lines)

    def row_cells(self, index: int, width: int) -> Cells:
        return self._lines[index]

    def row_text(self, index: int) -> str:
        return plain(self._lines[index]).rstrip()

    def title_cells(self) -> Cells:
        return [("  ", "title"), (self._total, "money")] if self._total else []

    def empty_cells(self) -> Cells:
        return self.say_empty(
            "no run yet", ("run.start", "runs a workflow"), ("screen.bill", "what all runs have cost")
        )

    def find(self, text: str, delta: int) -> bool:
        text = text.lower()
        count = len(self._lines)
        for step in range(1, count + 1):
            index = (self.cursor + step * delta) % count
            if text in plain(self._lines[index]).lower():
                self.go_to(index)
                return True
        return False

    def next_error(self, delta: int) -> bool:
        return self.find("unpriced", delta)
