"""All runs, newest first."""

from __future__ import annotations

from typing import ClassVar

from textual.message import Message

from aethermind.tui.context import Move, Pane
from aethermind.tui.glyphs import Glyphs
from aethermind.tui.rows import runs as rows
from aethermind.tui.rows.cells import Cells
from aethermind.tui.themes import Palette
from aethermind.tui.widgets.lines import LinePane

_NONE: frozenset[str] = frozenset()


class RunsPane(LinePane):
    PANE: ClassVar[Pane] = "runs"
    TITLE = "Runs"

    class EndNear(Message):
        """One comes to the end of what was read."""

        def __init__(self, *, everything: bool) -> None:
            super().__init__()
            self.everything = everything

    class Sought(Message):
        """Another text to filter by."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    def __init__(self, palette: Palette, glyphs: Glyphs, number: int) -> None:
        super().__init__(palette, glyphs, number)
        self._shown = rows.Shown()
        self._second = 0
        self._all = 0
        self._more = False
        self._to_end = False
        """The cursor is to be on the last one, as soon as it is read."""
        self._sought = ""
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
        self._all, self._more = len(known) - len(known.sought), known.more
        moved = self._shown.update(known, self.filter_text, changed or _NONE)
        if moved and self._to_end:
            self.cursor, self._to_end = self.row_count() - 1, known.more
        elif moved and selected is not None:
            index = self._shown.place(selected)
            self.cursor = index if index is not None else self.cursor
        if self.filter_text != self._sought and known.more:
            self._sought = self.filter_text
            self.post_message(self.Sought(self._sought))
        if moved and self.row_count() and self.page:
            self.settle()
        if changed is None or moved or other or second != self._second:
            self._second = second
            self.redraw()
        else:
            seen = self._items[self.top : self.top + self.page]
            self.redraw(n for n, item in enumerate(seen, self.top) if item.id in changed)

    def move(self, how: Move) -> None:
        super().move(how)
        self._to_end = how == "bottom" and self._more and not self.filter_text
        self._look_ahead()

    def go_to(self, index: int) -> None:
        self._to_end = False
        super().go_to(index)

    def scroll_rows(self, delta: int) -> None:
        super().scroll_rows(delta)
        self._look_ahead()

    def _look_ahead(self) -> None:
        """What comes next is there before one is at the end."""
        if self._more and not self.filter_text and self.top + 3 * self.page >= self.row_count():
            self.post_message(self.EndNear(everything=self._to_end))

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
        cells: Cells = [(f" {self._all}{'+' if self._more else ''}", "title")] if self._all else []
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
