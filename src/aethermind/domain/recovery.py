"""What follows from an attempt whose process died: intent recorded, no result.

Pure work is run again. A model call is tried once more and marked as possibly billed twice. Anything
else had effects nobody saw the end of: a person decides, unless the step's `on_in_doubt` says.
"""

from __future__ import annotations

from typing import Literal, assert_never

from aethermind.domain.events import AttemptLost
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
    in_flight = any(call.status == "running" for call in attempt.calls)
    resolution: Resolution = node.step.on_in_doubt or _default(node, in_flight=in_flight)
    return AttemptLost(
        step=node.path, attempt=attempt.n, resolution=resolution, possibly_billed_twice=in_flight
    )


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
