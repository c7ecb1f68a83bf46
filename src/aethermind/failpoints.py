"""Named places where the process can be made to die, as by `kill -9`: what the crash bench cuts through.

`AETHERMIND_FAILPOINT=name[:nth]` in the environment of a starting process kills it when it reaches `name` for
the nth time (default: the first). Without the variable each place costs one look at a global that is empty.

Shipping this is safe: whoever can set a variable for a process can start it, and so can end it anyway; a kill
is something that the engine has to survive at any place; no file, run or message can name a failpoint, and
children do not inherit the variable.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Iterator

VARIABLE = "AETHERMIND_FAILPOINT"

PLACES = {
    "append.before": "a turn is decided, its append is not handed to the writer",
    "append.after": "the writer has it in its queue",
    "commit.before": "all of a batch is written inside its transaction",
    "commit.after": "it is on disk, and nobody has been told",
    "turn.answered": "the run's turn hears that it is on disk, and has not acted",
    "turn.acted": "it has started, stopped and answered what followed",
    "call.intent": "a call's intent is recorded, its request has not left",
    "call.event": "an event of an answer is there (the first: its first byte)",
    "call.result": "a whole answer is in hand, its end is not recorded",
    "attempt.result": "an attempt has its outcome, which is not recorded",
    "tool.result": "a tool has answered, which is not recorded",
    "child.spawned": "a child runs, and its watchdog has not heard of it",
    "child.ended": "a child has ended, its end is not recorded",
    "file.draft": "what `save` writes is beside its place",
    "file.saved": "it is in its place, which is not recorded",
    "state.written": "an agent's state has changed in memory",
    "checkpoint": "the WAL was moved into the database",
    "migration": "the statements of a migration ran, inside its transaction",
    "rebuild": "a page of the log was projected anew, inside the transaction",
    "prune": "events were removed, inside the transaction",
    "import": "a bundle was read and checked, nothing of it is recorded",
    "drain": "a graceful stop has begun",
}
"""Place → what is true there."""

RECORDED = (
    "RunCreated",
    "RunReopened",
    "RunPaused",
    "RunResumed",
    "DefinitionAdopted",
    "CancelRequested",
    "RunSucceeded",
    "RunFailed",
    "RunCancelled",
    "StepExpanded",
    "StepSkipped",
    "AttemptStarted",
    "AttemptSucceeded",
    "AttemptFailed",
    "AttemptCancelled",
    "AttemptLost",
    "CallStarted",
    "CallFinished",
    "CallFailed",
    "ToolStarted",
    "ToolFinished",
    "AskOpened",
    "AskAnswered",
    "AskExpired",
    "BudgetHeld",
    "BudgetFreed",
    "BudgetRaised",
    "StateChanged",
)
"""Events with a place of their own: one is on disk, and nothing that follows from it has been done."""

NAMES = (*PLACES, *RECORDED)


armed = ""
"""The place's name, empty if none is: then no place calls anything here."""
_passes: Iterator[int] = iter(())


def arm(place: str) -> None:
    """Die at `name[:nth]`; empty: nowhere."""
    global armed, _passes  # noqa: PLW0603 - read at every place, so it has to be cheap
    armed, _, nth = place.partition(":")
    _passes = iter(range(int(nth) - 1 if nth.isdigit() else 0))


def reached(name: str) -> None:
    """Die, if this is the place and it is time."""
    if name == armed and next(_passes, None) is None:
        os.kill(os.getpid(), signal.SIGKILL)


def recorded(events: Iterable[object]) -> None:
    """The places of these events."""
    for event in events:
        reached(type(event).__name__)


arm(os.environ.get(VARIABLE, ""))
