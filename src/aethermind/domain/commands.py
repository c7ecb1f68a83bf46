"""What `plan` says is due now: effects as values, in the imperative.

The orchestrator carries a command out by appending the event that starts or answers it; a command
whose event is in the log is never planned again.
"""

from __future__ import annotations

from typing import Literal

import msgspec


class Expand(msgspec.Struct, frozen=True, gc=False):
    """Evaluate the step's `when`, `for_each` or `until`; answer with StepExpanded or StepSkipped."""

    step: str


class Skip(msgspec.Struct, frozen=True, gc=False):
    """Record StepSkipped with this reason."""

    step: str
    reason: str


class Start(msgspec.Struct, frozen=True, gc=False):
    """Record AttemptStarted, then run the attempt."""

    step: str
    attempt: int


class Stop(msgspec.Struct, frozen=True, gc=False):
    """Cancel the running attempt; it ends with AttemptCancelled or with what was already paid for."""

    step: str
    attempt: int


class Expire(msgspec.Struct, frozen=True, gc=False):
    """Nobody answered in time: record AskExpired and what follows by the step's policy."""

    step: str


class Finish(msgspec.Struct, frozen=True, gc=False):
    """End the run: RunSucceeded (with its outputs evaluated), RunFailed or RunCancelled."""

    status: Literal["succeeded", "failed", "cancelled"]


class Wake(msgspec.Struct, frozen=True, gc=False):
    """Plan again at this time (epoch ms): a retry or a round of a repeat is due then."""

    at: int


Command = Expand | Skip | Start | Stop | Expire | Finish | Wake


class Room(msgspec.Struct, frozen=True, gc=False):
    """How many attempts may start now: in all, and per agent (agents not named are unlimited)."""

    total: int
    agents: dict[str, int] = {}
