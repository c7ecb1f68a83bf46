"""Steps by layers: boxes where there is room, else a list. The cursor is on a step, not on a line."""

from __future__ import annotations

from collections.abc import Sequence

from aethermind.domain.state import Node
from aethermind.tui.context import Move
from aethermind.tui.glyphs import Glyphs
from aethermind.tui.rows import layers as rows
from aethermind.tui.rows.cells import Cells
from aethermind.tui.rows.layers import Grid, Place
from aethermind.tui.themes import Palette
from aethermind.tui.widgets.rows_view import RowsView


class LayersView(RowsView):
    HAS_CURSOR = False

    def __init__(self, palette: Palette, glyphs: Glyphs) -> None:
        super().__init__(palette, glyphs, "Steps", id="layers")
        self.places: Sequence[Place] = ()
        self.selected = 0
        self._grid: Grid | None = None
        self._width = -1
        self._now = 0
        self._words: tuple[int, dict[int, str]] | None = None
        """Of the step that is selected: looked for once, not for each line."""

    def show_places(self, found: Sequence[Place], now: int, *, at: str = "") -> None:
        """Other steps; the cursor goes to the one with path `at`, else stays on its step."""
        wanted = at or (self.node.path if self.node is not None else "")
        self.places, self._now, self._width, self._words = found, now, -1, None
        self.selected = next((n for n, place in enumerate(found) if place.node.path == wanted), 0)
        self.follow()
        self.redraw()

    def at_time(self, now: int) -> None:
        self._now = now
        self.redraw()

    @property
    def node(self) -> Node | None:
        return self.places[self.selected].node if self.selected < len(self.places) else None

    @property
    def words(self) -> dict[int, str]:
        """How other steps (by index) hang together with the selected one: `needed`, `waits`."""
        if self._words is None or self._words[0] != self.selected:
            self._words = self.selected, rows.related(self.places, self.selected)
        return self._words[1]

    @property
    def grid(self) -> Grid | None:
        """None: it is a list."""
        if self.inner_width != self._width:
            self._width = self.inner_width
            boxes = self._width + 2 >= rows.BOXES_FROM
            self._grid = rows.grid(self.places, self._width) if boxes else None
        return self._grid

    # --- rows ----------------------------------------------------------------------------------

    @property
    def head_lines(self) -> int:
        return 0 if self.grid is not None else 1

    def head_cells(self, width: int) -> Cells:
        return rows.list_head(width)

    def row_count(self) -> int:
        return self.grid.lines if self.grid is not None else len(self.places)

    def row_cells(self, index: int, width: int) -> Cells:
        if self.grid is not None:
            return rows.box_line(
                self.places, self.grid, index, self.selected, self.words, self._now, self.glyphs
            )
        cells = rows.list_line(self.places, index, self.words, width, self._now, self.glyphs)
        if index != self.selected:
            return cells
        return [(">" if self.glyphs.ascii else "▌", "key"), *_without_first(cells)]

    def row_text(self, index: int) -> str:
        node = self.node
        return node.path if node is not None else ""

    def empty_cells(self) -> Cells:
        return [(" nothing in here yet", "faint")]

    def place_cells(self) -> Cells:
        return [(f" {self.selected + 1}/{len(self.places)} ", "faint")] if self.places else []

    # --- moving --------------------------------------------------------------------------------

    def move(self, how: Move) -> None:
        last = len(self.places) - 1
        match how:
            case "top":
                self.choose(0)
            case "bottom":
                self.choose(last)
            case "left":
                self.choose(self.selected - 1)
            case "right":
                self.choose(self.selected + 1)
            case "up" | "down":
                self._vertical(1 if how == "down" else -1)
            case "half_up" | "half_down" | "page_up" | "page_down":
                many = max(self.page // (rows.HIGH if self.grid is not None else 1), 1)
                many = many if how.startswith("page") else max(many // 2, 1)
                self._vertical(many if how.endswith("down") else -many)
            case "parent":
                pass

    def _vertical(self, delta: int) -> None:
        a_grid = self.grid
        if a_grid is None:
            self.choose(self.selected + delta)
            return
        row = a_grid.row_of(self.selected)
        column = a_grid.rows[row].index(self.selected) if self.places else 0
        target = max(0, min(row + delta, len(a_grid.rows) - 1))
        if target != row:
            there = a_grid.rows[target]
            self.choose(there[min(column, len(there) - 1)])

    def choose(self, index: int) -> None:
        """Put the cursor on this step (as far as there is one)."""
        index = max(0, min(index, len(self.places) - 1))
        moved = index != self.selected
        self.selected = index
        self.follow()
        self.redraw()
        if moved:
            self.post_message(self.CursorMoved(self))

    def follow(self) -> None:
        """The step under the cursor is on the screen."""
        a_grid = self.grid
        if a_grid is None:
            self.cursor = self.selected
        elif a_grid.rows:
            first = a_grid.first_line(a_grid.row_of(self.selected))
            if first - 1 < self.top:
                self.top = max(first - 1, 0)
            self.cursor = first + rows.HIGH - 1
        else:
            self.cursor = 0
        self.show_cursor()

    def settle(self) -> None:
        self.follow()

    def go_to(self, index: int) -> None:
        """A line was clicked."""
        a_grid = self.grid
        if a_grid is None:
            self.choose(index)

    def clicked(self, row: int, column: int) -> None:
        a_grid = self.grid
        if a_grid is None or not a_grid.rows:
            return
        line, part = a_grid.at(row)
        at = (column - 1) // (a_grid.box + 2)
        if part >= 0 and 0 <= at < len(a_grid.rows[line]):
            self.choose(a_grid.rows[line][at])

    def find(self, text: str, delta: int = 0) -> bool:
        self._sought = text.lower() or self._sought
        count = len(self.places)
        if not self._sought or not count:
            return False
        for n in range(count):
            index = (self.selected + delta + n * (delta or 1)) % count
            if self._sought in self.places[index].node.path.lower():
                self.choose(index)
                return True
        return False


def _without_first(cells: Cells) -> Cells:
    """The first cell of the line goes, for a mark in its place."""
    (text, style), *rest = cells
    return [(text[1:], style), *rest]
