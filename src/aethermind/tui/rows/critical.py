"""The critical path: the chain of steps that decided when the run ended, so far. Pure.

From a group's child that ended last, backwards through what it waited for, always by the one that ended
last; into every container on the way.
"""

from __future__ import annotations

from aethermind.domain.run import Run
from aethermind.domain.state import Node


def critical_path(run: Run, now: int) -> frozenset[str]:
    """Paths of the steps on it. What has not started yet is never on it."""
    found: set[str] = set()
    todo: list[Node] = [run.root]
    while todo:
        container = todo.pop()
        for node in _chain(container, now):
            found.add(node.path)
            if node.children:
                todo.append(node)
    return frozenset(found)


def _end(node: Node, now: int) -> int:
    return node.finished_at if node.finished_at is not None else now


def _chain(container: Node, now: int) -> list[Node]:
    """The children of this container that are on the path."""
    started = [n for n in container.children if n.started_at is not None]
    if not started:
        return []
    if container.mode == "loop":
        return started
    last = max(started, key=lambda n: (_end(n, now), -(n.started_at or 0)))
    if container.mode == "fan_out":
        return [last]
    chain: list[Node] = []
    seen: set[str] = set()
    here: Node | None = last
    while here is not None and here.path not in seen:
        seen.add(here.path)
        chain.append(here)
        peers = container.by_id
        before = [
            p for need in here.step.needs if (p := peers.get(need)) is not None and p.started_at is not None
        ]
        here = max(before, key=lambda n: _end(n, now), default=None)
    return chain
