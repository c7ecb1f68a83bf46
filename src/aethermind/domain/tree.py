"""The steps of a run as rows of a tree that is drawn live: pure, a function of a folded `Run`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from aethermind.domain import ids
from aethermind.domain.run import Run
from aethermind.domain.state import Node
from aethermind.domain.views import dependencies

ACTIVE = frozenset({"running", "retry_wait", "waiting_answer", "waiting_budget", "in_doubt"})
"""Statuses of a step that somebody who watches wants to see first."""
_FEW = 8
"""A fan-out with more items shows only those that are active or failed."""


class TreeRow(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the tree. `rails` says for each level down to this row's own whether more follows
    on that level below, so that guides can be drawn.
    """

    path: str
    label: str
    depth: int
    status: str
    kind: str
    note: str = ""
    agent: str | None = None
    started_at: int | None = None
    finished_at: int | None = None
    tokens: int = 0
    cost_micro_usd: int | None = None
    unpriced: int = 0
    container: bool = False
    rails: tuple[bool, ...] = ()


class Tree(msgspec.Struct, frozen=True, kw_only=True):
    rows: list[TreeRow]
    hidden: int = 0
    """Rows that were left out for want of room."""


def tree_of(run: Run, *, limit: int = 1_000) -> Tree:
    """The run's steps as at most `limit` rows. If there are more, containers that are over fold into
    one row; then what is active or failed goes before what is done, and that before what waits.
    """
    folded = len(run.nodes) > limit
    rows = [_row(node, depth) for node, depth in _visible(run, folded=folded)]
    hidden = 0
    if len(rows) > limit:
        ranked = sorted(range(len(rows)), key=lambda i: (_rank(rows[i]), i))
        kept = sorted(ranked[:limit])
        hidden = len(rows) - limit
        rows = [rows[i] for i in kept]
    return Tree(rows=_with_rails(rows), hidden=hidden)


def _visible(run: Run, *, folded: bool) -> Iterable[tuple[Node, int]]:
    stack = [(node, 0) for node in reversed(run.root.children)]
    while stack:
        node, depth = stack.pop()
        yield node, depth
        if folded and node.over and node.status != "failed":
            continue
        stack.extend((inner, depth + 1) for inner in reversed(_shown(node, folded=folded)))


def _shown(node: Node, *, folded: bool) -> Sequence[Node]:
    inner = node.children
    if not folded or node.mode == "group" or len(inner) <= _FEW:
        return inner
    active = [n for n in inner if n.status in ACTIVE]
    return active[:_FEW] or [n for n in inner if n.status == "failed"][:_FEW]


def _rank(row: TreeRow) -> int:
    if row.status in ACTIVE:
        return 0
    return {"failed": 1, "succeeded": 2, "cancelled": 2, "ready": 3, "pending": 4}.get(row.status, 5)


def _row(node: Node, depth: int) -> TreeRow:
    tally = node.tally
    return TreeRow(
        path=node.path,
        label=label(node),
        depth=depth,
        status=node.status,
        kind=node.step.kind,
        note=note(node),
        agent=node.agent if node.mode == "leaf" else None,
        started_at=node.started_at,
        finished_at=node.finished_at,
        tokens=tally.usage.total_tokens if tally is not None else 0,
        cost_micro_usd=tally.cost if tally is not None else None,
        unpriced=tally.unpriced if tally is not None else 0,
        container=bool(node.children),
    )


def label(node: Node) -> str:
    """The short name: `plan`, `[3]` for an item, `#2` for a round."""
    if node.parent is not None and node.parent.path and node.path.startswith(node.parent.path):
        return node.path[len(node.parent.path) :].removeprefix("/")
    return node.path


def note(node: Node) -> str:
    """What else there is to say: tries, progress of a fan-out, what it waits for, why it was skipped."""
    if node.mode == "fan_out" and node.children:
        return f"{len(node.children) - node.remaining}/{len(node.children)}"
    if node.mode == "loop" and node.children and node.step.repeat is not None:
        return f"round {len(node.children)}/{node.step.repeat.max}"
    if node.status == "skipped" and node.reason:
        return node.reason
    if node.status == "pending" and node.blockers and (needs := dependencies(node)):
        return "←" + ",".join(ids.static_id(need) for need in needs)
    if len(node.attempts) > 1 or node.status == "retry_wait":
        return f"try {len(node.attempts)}/{max(node.step.retry.max_attempts, len(node.attempts))}"
    return ""


def _with_rails(rows: Sequence[TreeRow]) -> list[TreeRow]:
    """Guides, derived from the depths from the bottom up: what is left out leaves no gap."""
    open_levels: list[bool] = []
    found: list[TreeRow] = []
    for row in reversed(rows):
        del open_levels[row.depth + 1 :]
        open_levels.extend([False] * (row.depth + 1 - len(open_levels)))
        found.append(msgspec.structs.replace(row, rails=tuple(open_levels)))
        open_levels[row.depth] = True
    found.reverse()
    return found
