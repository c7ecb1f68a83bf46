"""A run that is being driven here: its state, its mailbox and what is at work for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from aethermind.domain.errors import ErrorInfo
from aethermind.domain.events import AnyEvent
from aethermind.domain.ids import run_stream
from aethermind.domain.run import Run

if TYPE_CHECKING:
    from aethermind.engine.context import StepContext

StepFunction = Callable[["StepContext"], Awaitable[Any]]


class Success(msgspec.Struct, frozen=True):
    output: Any
    result: Any = None
    saved: str | None = None


class Cancelled(msgspec.Struct, frozen=True):
    reason: str = ""


class Held(msgspec.Struct, frozen=True):
    """The attempt stopped before a call that its budget does not allow."""

    scope: str
    needed_micro_usd: int
    available_micro_usd: int


Outcome = Success | ErrorInfo | Cancelled | Held


class Ended(msgspec.Struct, frozen=True):
    """Message: an attempt is over. `facts` are recorded before its end, in the same commit."""

    step: str
    attempt: int
    facts: tuple[AnyEvent, ...]
    outcome: Outcome


class Note(msgspec.Struct, frozen=True):
    """Message: record these; `done` is resolved when they are on disk."""

    events: tuple[AnyEvent, ...]
    done: asyncio.Future[None] | None = None


class Act(msgspec.Struct, frozen=True):
    """Message: somebody wants something of the run. `decide` looks at the state and gives the events, or
    raises what the caller is told."""

    decide: Callable[[Run], list[AnyEvent]]
    done: asyncio.Future[None]


Message = Ended | Note | Act


class LiveRun:
    """One run's mailbox. Messages that arrive while an append is under way form the next batch."""

    def __init__(self, run: Run, *, env: Mapping[str, str], functions: Mapping[str, StepFunction]) -> None:
        self.run = run
        self.stream = run_stream(run.id)
        self.env = env
        self.functions = functions
        self.inbox: list[Message] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}
        """Attempts at work, by the step's path."""
        self.slots: dict[str, str] = {}
        """Slots held: the step's path → its lane."""
        self.stopping: set[str] = set()
        """Attempts that were told to stop."""
        self.settled: list[asyncio.Future[Run]] = []
        """Who waits until the run is finished or can't go on by itself."""
        self.driver: asyncio.Task[None] | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.timer_at: int | None = None
        self.waiting_since = 0
        self.hungry: int | None = None
        """Its rank among the runs that want a free slot; None if it wants none."""
        self._wake: asyncio.Future[None] | None = None
        self._woken = True
        self.dropped = False

    def post(self, message: Message) -> None:
        self.inbox.append(message)
        self.wake()

    def wake(self) -> None:
        self._woken = True
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    async def next(self) -> list[Message]:
        """The messages so far; waits until there is one, or a reason to plan again."""
        if not self._woken and not self.inbox:
            self._wake = asyncio.get_running_loop().create_future()
            await self._wake
            self._wake = None
        self._woken = False
        inbox, self.inbox = self.inbox, []
        return inbox

    @property
    def priority(self) -> int:
        return self.run.created.priority
