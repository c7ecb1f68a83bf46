"""Going on with another past: retrying what failed, and adopting an edited definition.

Both reset some nodes and derive the counters anew: the one place where work is O(steps). Attempts and costs
of earlier generations stay.
"""

from __future__ import annotations

from collections.abc import Collection
from heapq import heapify
from typing import TYPE_CHECKING

from aethermind.domain import progress
from aethermind.domain.state import LIVE, WAITING, Node
from aethermind.domain.workflow import WorkflowDef

if TYPE_CHECKING:
    from aethermind.domain.run import Run


def reopen(run: Run, targets: list[Node], at: int) -> None:
    """Reset the targets and everything downstream of them; attempts and costs stay.

    Of a container that failed or was cancelled, what is not done in it begins anew; of one that succeeded,
    all of it does.
    """
    for node in targets:
        if run.nodes.get(node.path) is not node:
            continue  # it was in what begins anew as a whole, downstream of another target
        _reset(run, node, at, wholly=node.status == "succeeded")
        here: Node | None = node
        while here is not None and here.parent is not None:
            _drop_later_rounds(run, here, at)
            for other in _downstream(here):
                _reset(run, other, at, wholly=True)
            here = here.parent
            if here.parent is not None:
                here.status = "running"
            here.failing = here.cancelled = False
            here.error = here.finished_at = here.reason = None
    for node in run.always:
        _reset(run, node, at, wholly=True)
    root = run.root
    root.status = "running"
    root.failing = root.cancelled = False
    root.error = root.reason = root.finished_at = None


def undone(run: Run, *, tolerated: bool) -> tuple[str, ...]:
    """What a retry takes up: paths of steps that failed or were cancelled, and of containers that ended
    before all in them did. `tolerated`: also failures that let the run go on (`on_error`)."""
    return tuple(
        node.path
        for node in run.nodes.values()
        if node.parent is not None
        and (
            node.status == "cancelled"
            or (
                node.status == "failed"
                and not any(inner.status in {"failed", "cancelled"} for inner in node.children)
                and (tolerated or _dooms(node))
            )
        )
    )


def _dooms(node: Node) -> bool:
    """Whether the run fails because this did."""
    step, parent = node.step, node.parent
    while parent is not None:
        if step.on_error != "fail" and parent.mode != "loop":
            return False
        step, parent = parent.step, parent.parent
    return True


def _drop_later_rounds(run: Run, node: Node, at: int) -> None:
    """Rounds of a `repeat` after this one were made of what it gave."""
    loop = node.parent
    if loop is None or loop.mode != "loop":
        return
    last = loop.children.index(node)
    for later in loop.children[last + 1 :]:
        _forget(run, later, at)
    del loop.children[last + 1 :]


def adopt(run: Run, definition: WorkflowDef, kept: Collection[str], at: int) -> None:
    """Put a new definition under the run. Steps of the root named in `kept` stay with all they have done;
    what failed or was cancelled in them is reset, with all that is downstream of it. Everything else begins
    anew."""
    root = run.root
    before = root.by_id
    root.children, root.by_id = [], {}
    run.always = []
    run.definition = definition
    run.limited = frozenset(n for n, a in definition.agents.items() if a.max_concurrent)
    mended: list[Node] = []
    for step_id, node in before.items():
        if step_id not in kept:
            _forget(run, node, at)
    progress.make_steps(run, root, definition.steps)
    for index, fresh in enumerate(root.children):
        if fresh.step.id not in kept:
            continue
        node = before[fresh.step.id]
        node.step, node.dependents, node.always = fresh.step, [], fresh.always
        root.children[index] = root.by_id[fresh.step.id] = run.nodes[node.path] = node
        if node.always:
            run.always[run.always.index(fresh)] = node
        if not node.over or node.status in {"failed", "cancelled"}:
            mended.append(node)
            _mend(run, node, at)
    progress.link(root)
    for node in mended:
        for other in _downstream(node):
            if (
                other.over or other.status == "waiting_answer"
            ):  # it was skipped for, or saw, what failed there
                _reset(run, other, at, wholly=True)
    root.status = "running"
    root.failing = root.cancelled = False
    root.error = root.reason = root.finished_at = None
    for node in run.always:
        _reset(run, node, at, wholly=True)


def _mend(run: Run, node: Node, at: int) -> None:
    """Reset what failed or was cancelled in a kept step, and take what waits as it is."""
    if node.mode == "leaf":
        if node.over:
            _reset(run, node, at)
        return
    if node.over:
        _reset(run, node, at)
        return
    node.failing = node.cancelled = False
    for inner in list(node.children):
        if not inner.over or inner.status in {"failed", "cancelled"}:
            _mend(run, inner, at)


def _downstream(node: Node) -> list[Node]:
    found: dict[str, Node] = {}
    todo = [node]
    while todo:
        for other in todo.pop().dependents:
            if other.path not in found:
                found[other.path] = other
                todo.append(other)
    return list(found.values())


def _reset(run: Run, node: Node, at: int, *, wholly: bool = False) -> None:
    _let_go(node, at)
    node.output = node.result = node.error = node.finished_at = node.reason = node.saved = None
    node.failing = node.cancelled = False
    node.tries = 0
    node.due_at = None
    node.question = None
    node.start_anew()
    if node.mode == "leaf" or wholly or not node.children:
        if node.mode != "leaf":
            for gone in node.children:
                _forget(run, gone, at)
            node.children, node.by_id, node.waiting = [], {}, []
            node.remaining = 0
        node.status = "pending"
        node.started_at = None
        return
    node.status = "running"
    for inner in node.children:
        if inner.status in {"failed", "cancelled", "pending", "skipped"} or not inner.over:
            _reset(run, inner, at)


def _let_go(node: Node, at: int) -> None:
    """A question that nobody has answered is not waited for any more: if it comes again, it is another."""
    if node.attempts and node.attempts[-1].status == "running":
        node.attempts[-1].status = "cancelled"
        node.attempts[-1].finished_at = at


def _forget(run: Run, node: Node, at: int) -> None:
    """Take the node out of the tree. Should its path come again, its attempts and costs do too."""
    _let_go(node, at)
    run.nodes.pop(node.path, None)
    if node.attempts or node.tally is not None:
        run.retired[node.path] = (node.attempts, node.tally)
    for inner in node.children:
        _forget(run, inner, at)


def recount(run: Run, at: int) -> None:
    """After `reopen`: derive every counter from the statuses and release what may start."""
    run.ready.clear()
    run.todo.clear()
    run.stops.clear()
    run.held.clear()
    run.counts = {}
    run.root.live = 0
    run.timers = [(n.due_at, path) for path, n in run.nodes.items() if n.due_at is not None]
    heapify(run.timers)
    for node in run.nodes.values():
        node.live = 0
    for node in run.nodes.values():
        if node.mode != "leaf":
            continue
        if node.status in {"ready", "waiting_budget"}:
            node.status = "pending"  # it is released again below; whether there is money its call will ask
        run.counts[node.status] = run.counts.get(node.status, 0) + 1
        up: Node | None = node if node.status in LIVE else None
        while up is not None:
            up.live += 1
            up = up.parent
    run.always_open = sum(not n.over for n in run.always)
    _recount_in(run, run.root, at)


def _recount_in(run: Run, container: Node, at: int) -> None:
    container.remaining = sum(not n.over and not n.always for n in container.children)
    for node in container.children:
        if container.mode == "group":
            peers = container.by_id
            node.blockers = sum(
                not peers[need].over for need in node.step.needs if peers[need].always == node.always
            )
    container.waiting = []
    free = container.step.max_parallel if container.mode == "fan_out" else None
    if free is not None:
        free -= sum(n.status in WAITING or n.status == "running" for n in container.children)
    for node in container.children:
        if node.over or node.always or node.status in WAITING:
            continue
        if node.mode != "leaf" and node.status == "running":
            _recount_in(run, node, at)
        elif not node.blockers:
            if free is not None and free <= 0:
                container.waiting.insert(0, node)
                continue
            progress.release(run, node, at)
            if free is not None:
                free -= 1
    progress.check(run, container, at)
