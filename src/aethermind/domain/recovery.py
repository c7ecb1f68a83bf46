"""What follows from an attempt whose process died: intent recorded, no result.

Pure work is run again. A model call is tried once more and marked as possibly billed twice, and what the
calls and tools before it gave is used as it is. Anything else (a coding agent that is called as a model,
too) had effects nobody saw the end of: a person decides, unless the step's `on_in_doubt` says. And what
follows from a restart under another wall clock.
"""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heapify
from typing import Literal, assert_never

from aethermind.domain import journal
from aethermind.domain.events import AttemptLost, Recorded
from aethermind.domain.run import Run
from aethermind.domain.state import Node
from aethermind.domain.workflow import (
    Ask,
    Command,
    Fail,
    Function,
    Group,
    Prompt,
    PythonCall,
    SubWorkflow,
    Value,
)

Resolution = Literal["retry", "ask", "fail", "skip"]


def lost(node: Node) -> AttemptLost:
    """The event that records that the running attempt of this leaf is lost."""
    attempt = node.attempts[-1]
    running = [call for call in attempt.calls if call.status == "running"]
    in_flight = bool(running)
    acting = journal.in_doubt(node) or any(call.provider == journal.PROGRAMS for call in running)
    resolution: Resolution = node.step.on_in_doubt or (
        "ask" if acting else _default(node, in_flight=in_flight)
    )
    return AttemptLost(
        step=node.path, attempt=attempt.n, resolution=resolution, possibly_billed_twice=in_flight
    )


def folded(run_id: str, history: Iterable[Recorded], now: int) -> Run:
    """A run out of its log, to be driven from `now` (epoch ms) on."""
    run, last_at = Run(run_id), now
    for recorded in history:
        run.fold(recorded)
        last_at = recorded.at
    realign(run, last_at, now)
    return run


def realign(run: Run, last_at: int, now: int) -> None:
    """After a restart: where the clock shows a time before the run's last record (epoch ms), it was set back,
    and times that were drawn under the old one lie too far ahead. They are brought as near as they were then,
    so that nothing waits longer than its policy could have drawn. Questions keep their hour: that is the
    wall clock's."""
    back = last_at - now
    if back <= 0:
        return
    for node in run.nodes.values():
        if node.due_at is not None and node.status != "waiting_answer":
            node.due_at -= back
    run.timers = [(node.due_at, path) for path, node in run.nodes.items() if node.due_at is not None]
    heapify(run.timers)


def _default(node: Node, *, in_flight: bool) -> Resolution:
    action = node.step.action
    match action:
        case Prompt():
            lost_before = any(a.billed_twice for a in node.attempts)
            return "ask" if in_flight and lost_before else "retry"
        case PythonCall() | Function() | Value() | Fail() | Ask() | SubWorkflow() | Group():
            return "retry"
        case Command():
            return "ask"
        case _:
            assert_never(action)
