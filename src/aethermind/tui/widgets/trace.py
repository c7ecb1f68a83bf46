"""The trace tree with its bars."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from aethermind.domain.run import Run
from aethermind.domain.state import Node
from aethermind.tui.context import Changes, Move, Pane
from aethermind.tui.glyphs import Glyphs
from aethermind.tui.held import Held
from aethermind.tui.rows import draw, gantt
from aethermind.tui.rows.cells import Cells
from aethermind.tui.rows.critical import critical_path
from aethermind.tui.rows.gaps import Gap, gaps
from aethermind.tui.rows.trace import (
    CallRef,
    Row,
    TraceRows,
    failed_steps,
    key_of,
    node_of,
    with_above,
)
from aethermind.tui.themes import Palette
from aethermind.tui.widgets.lines import LinePane

NEVER = 1 << 62


class TracePane(LinePane):
    PANE: ClassVar[Pane] = "trace"
    TITLE = "Trace"
    HAS_HEAD = True

    def __init__(self, palette: Palette, glyphs: Glyphs, number: int, *, id: str | None = None) -> None:
        super().__init__(palette, glyphs, number, id=id)
        self._held: Held | None = None
        self._rows: TraceRows | None = None
        self._now = 0
        self._second = 0
        self._scene: draw.Scene | None = None
        self._critical: frozenset[str] = frozenset()
        self._critical_alone = False
        self._critical_due = 0
        """When the critical path is worth computing again (epoch ms)."""
        self._gaps: tuple[Gap, ...] = ()
        """Times that the bars leave out."""
        self.filter_text = ""
        self.sought = ""

    # --- content -------------------------------------------------------------------------------

    def open(self, held: Held | None, now: int) -> None:
        """Show another run."""
        self._held = held
        self._rows = TraceRows(held.run) if held is not None else None
        self._now = now
        self._gaps = gaps(held.run, held.run.finished_at or now) if held is not None else ()
        self._critical_due = 0
        self._critical_alone = False
        self.filter_text = self.sought = ""
        self.top = self.cursor = 0
        self._refresh_scene()
        self.restart()

    def update(self, changes: Changes | None, structure: frozenset[str], *, whole: bool, now: int) -> None:
        """Take in what a frame brought, and the time that went on."""
        rows = self._rows
        if rows is None:
            return
        self._now = now
        if whole:
            at = self.cursor_key
            rows.rebuild()
            self._critical_due = 0
            self._go_back_to(at)
        elif structure:
            if rows.only is not None:
                self._filter_again()
            else:
                self._apply(structure)
        if now >= self._critical_due or (rows.run.finished is not None and self._critical_due < NEVER):
            self._refresh_critical()
        second = (now - rows.run.created_at) // 1_000
        old_scale = self._scene.scale if self._scene is not None else None
        self._refresh_scene()
        same_scale = self._scene is not None and self._scene.scale == old_scale
        if changes is not None and same_scale and second == self._second and not (whole or structure):
            self.redraw(self._touched(changes.nodes))
        else:
            self._second = second  # times of all that runs have gone on
            self.redraw()

    def _touched(self, paths: frozenset[str]) -> list[int]:
        """The rows on the screen that show one of these steps, or something above it."""
        rows = self._rows
        if rows is None:
            return []
        dirty: set[str] = {""}
        for path in paths:
            node = rows.run.nodes.get(path)
            while node is not None and node.path not in dirty:
                dirty.add(node.path)
                node = node.parent
        found = []
        for index in range(self.top, min(self.top + self.page, len(rows.rows))):
            node = node_of(rows.rows[index])
            if node.path in dirty:
                found.append(index)
        return found

    def _apply(self, structure: frozenset[str]) -> None:
        rows = self._rows
        if rows is None:
            return
        at = self.cursor_key
        for index, before, after in rows.apply(structure):
            if index + before <= self.top:
                self.top += after - before
        self._go_back_to(at)

    def _go_back_to(self, key: str) -> None:
        """The cursor stays on its row, wherever that is now."""
        rows = self._rows
        if rows is None:
            return
        if not (self.cursor < len(rows.rows) and key_of(rows.rows[self.cursor]) == key):
            index = rows.index_of_key(key)
            self.cursor = index if index is not None else min(self.cursor, len(rows.rows) - 1)
        self.top = max(min(self.top, self.last_top), 0)
        if self.page and not self.top <= self.cursor < self.top + self.page:
            self.show_cursor()

    def _refresh_critical(self) -> None:
        rows = self._rows
        if rows is None:
            return
        self._critical = critical_path(rows.run, self._now)
        live = rows.run.finished is None
        self._gaps = gaps(rows.run, rows.run.finished_at or self._now)
        # A second's delay nobody sees; in a huge run computing it takes a moment.
        self._critical_due = self._now + max(1_000, len(rows.run.nodes) // 20) if live else NEVER
        if self._critical_alone:
            self._filter_again()

    def _refresh_scene(self) -> None:
        held, rows = self._held, self._rows
        if held is None or rows is None:
            self._scene = None
            return
        run = held.run
        end = run.finished_at if run.finished_at is not None else self._now
        streams = held.streams
        self._scene = draw.Scene(
            rows=rows,
            columns=draw.Columns.of(self.inner_width),
            scale=gantt.scale(run.created_at, end, live=run.finished is None, gaps=self._gaps),
            now=self._now,
            glyphs=self.glyphs,
            critical=self._critical,
            streaming=streams.tokens,
            call_streaming=streams.call_tokens,
            match=self.sought.lower(),
            waiting=held.waits.of,
        )

    # --- the rows ------------------------------------------------------------------------------

    def row_count(self) -> int:
        return len(self._rows.rows) if self._rows is not None else 0

    def row_cells(self, index: int, width: int) -> Cells:
        if self._rows is None or self._scene is None:
            return []
        if self._scene.columns != draw.Columns.of(width):
            self._refresh_scene()
        return draw.cells(self._rows.rows[index], self._scene)

    def head_cells(self, width: int) -> Cells:
        scene = self._scene
        if scene is None:
            return []
        return draw.head(draw.Columns.of(width), scene.scale, self.glyphs)

    def title_cells(self) -> Cells:
        if self._rows is None:
            return []
        run = self._rows.run
        node = self.cursor_node
        path = node.path if node is not None else ""
        crumbs = draw.crumbs(path, run.created.workflow, self.glyphs, max(self.size.width - 30, 12))
        cells: Cells = [("  ", "title"), (crumbs, "title")]
        if self._critical_alone:
            cells.append((f"  {self.glyphs.star} critical path", "star"))
        if self.filter_text:
            cells.append((f"  /{self.filter_text}", "key"))
        return cells

    def empty_cells(self) -> Cells:
        if self._rows is not None:
            return self.say_empty("no step is like that", ("find.filter", "filters"))
        return self.say_empty(
            "no run yet",
            ("run.start", "runs a workflow"),
            ("run.new", "makes one of your own"),
            ("global.help", "all keys"),
        )

    # --- the cursor ----------------------------------------------------------------------------

    @property
    def cursor_row(self) -> Row | None:
        rows = self._rows
        return rows.rows[self.cursor] if rows is not None and self.cursor < len(rows.rows) else None

    @property
    def cursor_key(self) -> str:
        row = self.cursor_row
        return key_of(row) if row is not None else ""

    @property
    def cursor_node(self) -> Node | None:
        row = self.cursor_row
        return node_of(row) if row is not None else None

    @property
    def cursor_call(self) -> tuple[int, int] | None:
        row = self.cursor_row
        return (row.attempt.n, row.call.n) if row is not None and not isinstance(row, Node) else None

    def select(self, path: str) -> bool:
        """Unfold what is above this step and go there."""
        if self._rows is None:
            return False
        index = self._rows.reveal(path)
        if index is None:
            return False
        self.go_to(index)
        return True

    # --- folding -------------------------------------------------------------------------------

    def toggle(self) -> None:
        if self._rows is not None and self.cursor < len(self._rows.rows):
            self._rows.toggle(self.cursor)
            self.settle()
            self.redraw()

    def clicked(self, row: int, column: int) -> None:
        rows = self._rows
        if rows is None:
            return
        sign = 2 * rows.depth(rows.rows[row])  # the column of the sign of folding
        if rows.foldable(rows.rows[row]) and column == sign:
            self.toggle()

    def sideways(self, how: Move) -> None:
        rows, row = self._rows, self.cursor_row
        if rows is None or row is None:
            return
        opened = rows.foldable(row) and rows.is_open(row)
        if how == "right":
            if rows.foldable(row) and not opened:
                self.toggle()
            elif opened:
                self.go_to(self.cursor + 1)
        elif how == "left" and opened and self.cursor:
            self.toggle()
        else:
            self.go_to(self._parent_of(row))

    def _parent_of(self, row: Row) -> int:
        rows = self._rows
        assert rows is not None
        if isinstance(row, Node):
            above: Row | None = row.parent
        elif isinstance(row, CallRef):
            above = row.node
        else:
            above = CallRef(row.node, row.attempt, row.call)
        index = rows.index_of(above) if above is not None else None
        return index if index is not None else 0

    def fold_all(self, *, opened: bool) -> None:
        if self._rows is None:
            return
        node = self.cursor_node
        self._rows.set_all(opened)
        path = node.path if node is not None else ""
        while path and self._rows.index_of_key(path) is None:
            above = self._rows.run.nodes[path].parent
            path = above.path if above is not None else ""
        self.cursor = self._rows.index_of_key(path) or 0
        self.settle()
        self.redraw()

    # --- showing a part ------------------------------------------------------------------------

    def critical_alone(self) -> bool:
        self._critical_alone = not self._critical_alone
        self._filter_again()
        self.redraw()
        return self._critical_alone

    def set_filter(self, text: str) -> None:
        self.filter_text = text
        self._filter_again()
        self.redraw()

    def _filter_again(self) -> None:
        rows = self._rows
        if rows is None:
            return
        at = self.cursor_key
        only: frozenset[str] | None = None
        if self.filter_text:
            text = self.filter_text.lower()
            only = with_above(rows.run, lambda node: _mentions(node, text))
        if self._critical_alone:
            only = self._critical if only is None else only & self._critical
        rows.only = only
        rows.rebuild()
        self._go_back_to(at)

    # --- seeking -------------------------------------------------------------------------------

    def seek(self, text: str) -> None:
        """What is sought is marked from now on."""
        self.sought = text
        self._refresh_scene()
        self.redraw()

    def find(self, text: str, delta: int) -> bool:
        """The next step (also a folded one) whose name or agent contains the text."""
        text = text.lower()
        return self._go_to_next(lambda node: _mentions(node, text), delta)

    def next_error(self, delta: int) -> bool:
        if self._rows is None:
            return False
        failed = {node.path for node in failed_steps(self._rows.run)}
        return bool(failed) and self._go_to_next(lambda node: node.path in failed, delta)

    def _go_to_next(self, wanted: Callable[[Node], bool], delta: int) -> bool:
        rows = self._rows
        if rows is None:
            return False
        nodes = list(rows.run.walk())
        here = self.cursor_node
        at = next((n for n, node in enumerate(nodes) if node is here), -1 if delta > 0 else 0)
        for step in range(1, len(nodes) + 1):
            node = nodes[(at + step * delta) % len(nodes)]
            if (rows.only is None or node.path in rows.only) and wanted(node):
                return self.select(node.path)
        return False

    @property
    def run(self) -> Run | None:
        return self._rows.run if self._rows is not None else None


def _mentions(node: Node, text: str) -> bool:
    item = node.item if isinstance(node.item, str) else ""
    return text in f"{node.path} {node.agent or ''} {node.status} {item}".lower()
