"""All runs, newest first."""

from __future__ import annotations

from typing import ClassVar

from aethermind.tui.context import Pane
from aethermind.tui.glyphs import Glyphs
from aethermind.tui.rows import runs as rows
from aethermind.tui.rows.cells import Cells
from aethermind.tui.themes import Palette
from aethermind.tui.widgets.lines import LinePane

_NONE: frozenset[str] = frozenset()


class RunsPane(LinePane):
    PANE: ClassVar[Pane] = "runs"
    TITLE = "Runs"

    def __init__(self, palette: Palette, glyphs: Glyphs, number: int) -> None:
        super().__init__(palette, glyphs, number)
        self._shown = rows.Shown()
        self._second = 0
        self._all = 0
        self._open: str | None = None
        self._now = 0
        self.filter_text = ""
        self.marked: str | None = None
        """The run that is to be compared with another."""

    def mark(self, run_id: str | None) -> None:
        self.marked = run_id
        self.redraw()

    @property
    def _items(self) -> list[rows.RunItem]:
        return self._shown.items

    def update(
        self, known: rows.RunList, open_id: str | None, now: int, changed: frozenset[str] | None = None
    ) -> None:
        """`changed`: the runs whose lines are others than at the last time; None: draw all anew."""
        selected = self.selected
        other, self._open = open_id != self._open, open_id
        second, self._now = now // 1_000, now
        self._all = len(known)
        moved = self._shown.update(known, self.filter_text, changed or _NONE)
        if moved and selected is not None:
            index = self._shown.place(selected)
            self.cursor = index if index is not None else self.cursor
        if moved and self.row_count() and self.page:
            self.settle()
        if changed is None or moved or other or second != self._second:
            self._second = second
            self.redraw()
        else:
            seen = self._items[self.top : self.top + self.page]
            self.redraw(n for n, item in enumerate(seen, self.top) if item.id in changed)

    @property
    def ticking(self) -> bool:
        """Whether a time on the screen goes on by itself."""
        return any(item.live for item in self._items[self.top : self.top + self.page])

    def row_count(self) -> int:
        return len(self._items)

    def row_cells(self, index: int, width: int) -> Cells:
        item = self._items[index]
        return rows.cells(
            item, width, self._now, self.glyphs, opened=item.id == self._open, marked=item.id == self.marked
        )

    def title_cells(self) -> Cells:
        cells: Cells = [(f" {self._all}", "title")] if self._all else []
        if self.filter_text:
            cells.append((f"  /{self.filter_text}", "key"))
        return cells

    def empty_cells(self) -> Cells:
        if self.filter_text:
            return self.say_empty("no run is like that", ("find.filter", "filters"))
        return self.say_empty("nothing ran yet", ("run.start", "runs"))

    @property
    def selected(self) -> rows.RunItem | None:
        return self._items[self.cursor] if self.cursor < len(self._items) else None

    def select(self, run_id: str) -> None:
        index = next((n for n, item in enumerate(self._items) if item.id == run_id), None)
        if index is not None:
            self.go_to(index)

    def _next(self, delta: int, wanted: frozenset[str], text: str) -> bool:
        count = len(self._items)
        for step in range(1, count + 1):
            index = (self.cursor + step * delta) % count
            item = self._items[index]
            if (item.status in wanted) if wanted else rows.matches(item, text):
                self.go_to(index)
                return True
        return False

    def find(self, text: str, delta: int) -> bool:
        return self._next(delta, frozenset(), text.lower())

    def next_error(self, delta: int) -> bool:
        return self._next(delta, frozenset({"failed"}), "")
