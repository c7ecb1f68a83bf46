"""A run's whole state as plain values, to compare two of it."""

from __future__ import annotations

from typing import Any

from aethermind.domain.run import Run
from aethermind.domain.state import AttemptState, Node, Tally


def picture(run: Run) -> dict[str, Any]:
    return {
        "version": run.version,
        "nodes": {path: _node(node) for path, node in run.nodes.items()},
        "ready": {lane: sorted(bucket) for lane, bucket in run.ready.items()},
        "todo": sorted(run.todo),
        "stops": sorted(run.stops),
        "timers": sorted((at, path) for at, path in run.timers if _waits(run, at, path)),
        "counts": {status: count for status, count in run.counts.items() if count},
        "flags": (run.paused, run.cancelling, run.closing, run.settled, run.finished, run.generation),
        "always": (run.always_open, [node.path for node in run.always]),
        "root": (run.root.live, run.root.remaining, run.root.failing, run.root.cancelled),
        "budget": (run.budget_micro_usd, list(run.held)),
        "tally": _tally(run.tally),
        "agents": {
            name: (a.running, a.attempts, a.failed, _tally(a.tally)) for name, a in run.agents.items()
        },
        "outputs": run.outputs,
        "error": run.error,
        "status": run.status,
    }


def _waits(run: Run, at: int, path: str) -> bool:
    node = run.nodes.get(path)
    return node is not None and node.due_at == at


def _node(node: Node) -> tuple[Any, ...]:
    question = node.question
    return (
        node.status,
        node.output,
        node.error,
        node.live,
        node.remaining,
        node.blockers,
        node.failing,
        node.cancelled,
        node.tries,
        node.due_at,
        node.started_at,
        node.finished_at,
        [_attempt(attempt) for attempt in node.attempts],
        None if node.tally is None else _tally(node.tally),
        None if question is None else (question.about, question.values, question.by, question.expired),
        [other.path for other in node.waiting],
    )


def _attempt(attempt: AttemptState) -> tuple[Any, ...]:
    calls = [(c.n, c.status, c.cost, c.usage, c.text, c.reserved) for c in attempt.calls]
    return (attempt.n, attempt.status, attempt.error, attempt.retry_at, attempt.billed_twice, calls)


def _tally(tally: Tally) -> tuple[Any, ...]:
    return (
        tally.usage,
        tally.cost,
        tally.calls,
        tally.unpriced,
        tally.in_flight,
        tally.reserved,
        tally.at_most,
        tally.saved,
    )
