"""The trace as a flat list of rows: which steps, calls and tools are shown, in which order. Pure.

Rules
- Rows nest by containment: run, container, step, model call, tool call. Siblings go by start time, what
  has not started yet follows in the order of the definition.
- A row is the state object itself (a node, or a reference to a call or tool), so a row that only changed
  its values costs nothing here; `cells` of it are made when it is drawn.
- A change of structure rebuilds the rows of that container alone.
- A fan-out over more than `FOLD_ABOVE` items begins folded, and so do its items where they are groups and
  more than `FOLD_ITEMS_ABOVE`; steps begin folded, their calls below them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from operator import attrgetter
from typing import NamedTuple

from aethermind.domain import events as e
from aethermind.domain.call_states import CallState, ToolState
from aethermind.domain.run import Run
from aethermind.domain.state import AttemptState, Node, StepStatus

FOLD_ABOVE = 20
FOLD_ITEMS_ABOVE = 4
MANY = 10_000
_LATE = 1 << 62
_status = attrgetter("status")


class CallRef(NamedTuple):
    """A model call of a step."""

    node: Node
    attempt: AttemptState
    call: CallState


class ToolRef(NamedTuple):
    """A tool call inside a model call's turn."""

    node: Node
    attempt: AttemptState
    call: CallState
    tool: ToolState


Row = Node | CallRef | ToolRef
STRUCTURAL = (e.StepExpanded, e.AttemptStarted, e.CallStarted, e.ToolStarted)
"""Events after which rows may have come or moved."""


def key_of(row: Row) -> str:
    """Names a row over its whole life."""
    if isinstance(row, Node):
        return row.path
    if isinstance(row, CallRef):
        return f"{row.node.path}!{row.attempt.n}.{row.call.n}"
    return f"{row.node.path}!{row.attempt.n}.{row.call.n}.{row.tool.id}"


def node_of(row: Row) -> Node:
    return row if isinstance(row, Node) else row.node


class TraceRows:
    """The visible rows of one run, and what is folded. `rows[0]` is the run itself."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.rows: list[Row] = []
        self.only: frozenset[str] | None = None
        """Paths to show alone (a filter, the critical path), with what is above them."""
        self._decided: dict[str, bool] = {}
        self._sizes: dict[str, int] = {}
        """Open row → how many rows it and what is below it take."""
        self._order: dict[str, list[Node]] = {}
        self._started: dict[str, int] = {}
        """Container → how many of its ordered children stand before the first that has not started."""
        self._placed: set[str] = set()
        self._tallies: dict[str, tuple[int, int, Counter[StepStatus]]] = {}
        """Fan-out → when its items were counted, until when that is good enough, how many by status."""
        self.rebuild()

    # --- what is open --------------------------------------------------------------------------

    def is_open(self, row: Row) -> bool:
        if self.only is not None and isinstance(row, Node) and row.children:
            return True
        decided = self._decided.get(key_of(row)) if self._decided else None
        return self._default(row) if decided is None else decided

    def _default(self, row: Row) -> bool:
        if not isinstance(row, Node):
            return True
        if row.mode == "fan_out":
            return len(row.children) <= FOLD_ABOVE
        if row.mode != "leaf" and row.index is not None and row.parent is not None:
            return len(row.parent.children) <= FOLD_ITEMS_ABOVE
        return row.mode != "leaf"

    def foldable(self, row: Row) -> bool:
        if isinstance(row, Node):
            return bool(row.children) or any(attempt.calls for attempt in row.attempts)
        return isinstance(row, CallRef) and bool(row.call.tools)

    def set_open(self, index: int, opened: bool) -> None:
        row = self.rows[index]
        if not self.foldable(row) or self.is_open(row) == opened:
            return
        self._decided[key_of(row)] = opened
        self._splice(index, sort=False)

    def toggle(self, index: int) -> None:
        self.set_open(index, not self.is_open(self.rows[index]))

    def set_all(self, opened: bool) -> None:
        """Unfold all containers (steps keep their calls folded), or fold all but the run."""
        self._decided.clear()
        for node in self.run.nodes.values():
            if node.mode != "leaf":
                self._decided[node.path] = opened
        self.rebuild()

    def reveal(self, path: str) -> int | None:
        """Unfold what is above this step; returns its row, or None if it is not shown at all."""
        node = self.run.nodes.get(path)
        if node is None:
            return 0 if path == "" else None
        above: list[Node] = []
        up = node.parent
        while up is not None and up.parent is not None:
            above.append(up)
            up = up.parent
        for container in reversed(above):
            if not self.is_open(container):
                self._decided[container.path] = True
                index = self.index_of(container)
                if index is not None:
                    self._splice(index)
        return self.index_of(node)

    def tally(self, fan_out: Node, now: int) -> Counter[StepStatus]:
        """Its items by status. Those of a huge one that is at work are counted anew only so often that it
        takes a hundredth of the time.
        """
        known = self._tallies.get(fan_out.path)
        if known is not None and known[0] <= now < known[1] and fan_out.live:
            return known[2]
        counted = Counter(map(_status, fan_out.children))
        if len(fan_out.children) >= MANY:
            self._tallies[fan_out.path] = now, now + len(fan_out.children) // 150, counted
        return counted

    # --- where things are ----------------------------------------------------------------------

    def index_of(self, row: Row) -> int | None:
        try:
            return self.rows.index(row)
        except ValueError:
            return None

    def index_of_key(self, key: str) -> int | None:
        node = self.run.nodes.get(key)
        if node is not None:
            return self.index_of(node)
        if key == "":
            return 0
        return next((i for i, row in enumerate(self.rows) if key_of(row) == key), None)

    def depth(self, row: Row) -> int:
        depth = 0 if isinstance(row, Node) else 1 if isinstance(row, CallRef) else 2
        up: Node | None = node_of(row).parent
        while up is not None:
            depth += 1
            up = up.parent
        return depth

    def rails(self, row: Row) -> list[bool]:
        """From the outermost level to the row's own: whether more follows there below."""
        found: list[bool] = []
        if isinstance(row, ToolRef):
            found.append(row.call.tools[-1] is not row.tool)
            row = CallRef(row.node, row.attempt, row.call)
        if isinstance(row, CallRef):
            found.append(_last_call(row.node) is not row.call)
            row = row.node
        node: Node = row
        while node.parent is not None:
            found.append(self._children(node.parent)[-1] is not node)
            node = node.parent
        found.reverse()
        return found

    # --- changes -------------------------------------------------------------------------------

    def rebuild(self) -> None:
        self._order.clear()
        self._started.clear()
        self._placed.clear()
        self._sizes.clear()
        self.rows = self._below(self.run.root)

    def apply(self, paths: Iterable[str]) -> list[tuple[int, int, int]]:
        """Structure changed at these steps. Returns the splices made: (index, rows before, rows after)."""
        todo: dict[str, Node] = {}
        for path in paths:
            node = self.run.nodes.get(path)
            if node is None:
                if path == "":
                    todo[""] = self.run.root
                continue
            if node.parent is not None and self._moved(node):
                todo[node.parent.path] = node.parent
            if node.path in self._sizes or self.is_open(node):
                todo[path] = node
        splices: list[tuple[int, int, int]] = []
        for node in todo.values():
            if any(up.path in todo for up in _above(node)):
                continue  # its container is rebuilt anyway
            index = self.index_of(node)
            if index is not None and (splice := self._splice(index)) is not None:
                splices.append(splice)
        return splices

    def _moved(self, node: Node) -> bool:
        """Whether a step that began is not where the order by start time wants it."""
        parent = node.parent
        if parent is None or parent.path not in self._order:
            return False
        order = self._order[parent.path]
        if len(order) != len(parent.children):
            return True
        self._place(parent.path, order)
        return node.started_at is not None and node.path not in self._placed

    def _splice(self, index: int, *, sort: bool = True) -> tuple[int, int, int] | None:
        row = self.rows[index]
        old = self._sizes.get(key_of(row), 1)
        if sort and isinstance(row, Node):
            self._order.pop(row.path, None)
            self._started.pop(row.path, None)
        new = self._below(row)
        if len(new) == old and all(
            a is b or a == b for a, b in zip(new, self.rows[index : index + old], strict=True)
        ):
            return None
        self.rows[index : index + old] = new
        if delta := len(new) - old:
            up: Node | None = row.parent if isinstance(row, Node) else row.node
            while up is not None:
                if up.path in self._sizes:
                    self._sizes[up.path] += delta
                up = up.parent
        return index, old, len(new)

    def _place(self, container: str, order: list[Node]) -> None:
        """Note which of them have started, as long as they stand in front of all that have not."""
        started = self._started.get(container, 0)
        while started < len(order) and order[started].started_at is not None:
            self._placed.add(order[started].path)
            started += 1
        self._started[container] = started

    def _children(self, node: Node) -> list[Node]:
        """In the order in which they are shown."""
        order = self._order.get(node.path)
        if order is None or len(order) != len(node.children):
            order = sorted(node.children, key=_started_at) if node.mode != "loop" else list(node.children)
            self._order[node.path] = order
            self._place(node.path, order)
        if self.only is not None:
            shown = [n for n in order if n.path in self.only]
            return shown or order[-1:]
        return order

    def _below(self, row: Row) -> list[Row]:
        """The row and everything open below it; notes their sizes."""
        found: list[Row] = []
        self._collect(row, found)
        return found

    def _collect(self, row: Row, found: list[Row]) -> None:
        start = len(found)
        found.append(row)
        key = key_of(row)
        if not self.is_open(row):
            self._sizes.pop(key, None)
            return
        if isinstance(row, Node):
            children = self._children(row) if row.children else []
            if self._all_plain(row):
                found.extend(children)
                children = []
            for child in children:
                if self.only is not None and child.path not in self.only:
                    continue
                if child.mode == "leaf" and child.path not in self._decided:
                    found.append(child)  # the many: nothing below them is open
                else:
                    self._collect(child, found)
            for attempt in row.attempts:
                for call in attempt.calls:
                    self._collect(CallRef(row, attempt, call), found)
        elif isinstance(row, CallRef):
            found.extend(ToolRef(*row, tool) for tool in row.call.tools)
        self._sizes[key] = len(found) - start

    def _all_plain(self, container: Node) -> bool:
        """Whether it is a fan-out whose items are steps, with nothing below them open: just its items."""
        if container.mode != "fan_out" or self.only is not None or not container.children:
            return False
        inside = f"{container.path}["
        return container.children[0].mode == "leaf" and not any(
            path.startswith(inside) for path in self._decided
        )


def _started_at(node: Node) -> int:
    return node.started_at if node.started_at is not None else _LATE


def _above(node: Node) -> Iterator[Node]:
    up = node.parent
    while up is not None:
        yield up
        up = up.parent


def _last_call(node: Node) -> CallState | None:
    for attempt in reversed(node.attempts):
        if attempt.calls:
            return attempt.calls[-1]
    return None


def with_above(run: Run, wanted: Callable[[Node], bool]) -> frozenset[str]:
    """Paths of the steps that are wanted, and of what is above them."""
    found: set[str] = set()
    for node in run.nodes.values():
        if node.path not in found and wanted(node):
            found.add(node.path)
            for up in _above(node):
                if up.path in found:
                    break
                found.add(up.path)
    return frozenset(found)


def failed_steps(run: Run) -> list[Node]:
    """Leaves that failed, in the order of the tree."""
    if not run.counts.get("failed"):
        return []
    return [node for node in run.walk() if node.mode == "leaf" and node.status == "failed"]
