"""A run that is being driven here: its state, its mailbox and what is at work for it."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from aethermind.domain.errors import AethermindError, ErrorInfo
from aethermind.domain.events import AnyEvent, AskOpened, CallStarted, Recorded, Reserve
from aethermind.domain.ids import run_stream
from aethermind.domain.run import Run
from aethermind.engine.agent_state import Write
from aethermind.engine.due import Due
from aethermind.engine.receipt import Receipt

if TYPE_CHECKING:
    from aethermind.engine.context import StepContext
    from aethermind.engine.guard import Repeats

Commit = asyncio.Future[list[Recorded]]
StepFunction = Callable[["StepContext"], Awaitable[Any]]


class Success(msgspec.Struct, frozen=True):
    output: Any
    result: Any = None
    saved: str | None = None
    agent: str | None = None
    writes: tuple[Write, ...] = ()
    """What the agent's state becomes, in the same commit."""


class Cancelled(msgspec.Struct, frozen=True):
    reason: str = ""


class Held(msgspec.Struct, frozen=True):
    """The attempt stopped before a call that its budget does not allow."""

    scope: str
    needed_micro_usd: int
    available_micro_usd: int


class Asked(msgspec.Struct, frozen=True):
    """The attempt stopped before a tool that a person has to allow."""

    question: AskOpened


Outcome = Success | ErrorInfo | Cancelled | Held | Asked


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
    reserve: Reserve | None = None
    """What a `CallStarted` that it gives needs of the day's budget. It is decided last in its turn, recorded
    last, applied only once it is on disk, and refused with `DayRefused` if the day's ledger has no room."""
    attempt: tuple[str, int] | None = None
    """Of a call: its step and attempt."""


Message = Ended | Note | Act


class DayRefused(AethermindError):
    """The store left a call out: the day's budget has no room for it."""


class LiveRun:
    """One run's mailbox. Messages that arrive while an append is under way form the next batch."""

    def __init__(
        self,
        run: Run,
        *,
        env: Mapping[str, str],
        functions: Mapping[str, StepFunction],
        taken_up: bool = False,
    ) -> None:
        self.run = run
        self.stream = run_stream(run.id)
        self.env = env
        self.functions = functions
        self.taken_up = taken_up
        """It began elsewhere: in another process, or with another terminal's environment. What it lacks of
        that is asked for (`lacking`)."""
        self.lacked: set[str] = set()
        """Variables that were asked for."""
        self.inbox: list[Message] = []
        self.pending: list[CallStarted] = []
        """Calls that this turn decided and that are applied only once they are on disk."""
        self.repeats: Repeats | None = None
        """How often it asked what, as far as the guard has seen."""
        self.tasks: dict[str, asyncio.Task[None]] = {}
        """Attempts at work, by the step's path."""
        self.slots: dict[str, str] = {}
        """Slots held: the step's path → its lane."""
        self.stopping: set[str] = set()
        """Attempts that were told to stop."""
        self.settled: list[asyncio.Future[Run]] = []
        """Who waits until the run is finished or can't go on by itself."""
        self.timer: asyncio.TimerHandle | None = None
        self.timer_at: int | None = None
        self.waiting_since = 0
        self.hungry: int | None = None
        """Its rank among the runs that want a free slot; None if it wants none."""
        self.interrupted = False
        """The engine leaves: attempts that are cut off now stay without an end."""
        self.dropped = False
        self.busy = True
        """A turn is under way (or nobody drives the run): what arrives has to wait for the next."""
        self._woken = False
        self._due = False
        self._turn: Callable[[LiveRun], None]
        self._queue: Due
        self._context: contextvars.Context

    def drive(self, turn: Callable[[LiveRun], None], queue: Due) -> None:
        """From now on call `turn` when there are messages or a reason to plan again, the first time now; in
        its place in the `queue`.

        It must end with `rest`. A callback instead of a task: a turn waits for nothing but its append.
        """
        self._turn = turn
        self._queue = queue
        # The submitter's: what a step sets in its own context must not reach the steps after it.
        self._context = contextvars.copy_context()
        self.busy = False
        self.wake()

    def post(self, message: Message) -> None:
        self.inbox.append(message)
        self.wake()

    def end(self, message: Ended) -> None:
        """An attempt's last message. If nothing else is at work for the run, there is nothing to wait for
        either, and the turn begins at once."""
        self.inbox.append(message)
        if self.busy or self._due or len(self.tasks) > 1:
            self.wake()
        else:
            self.begin()

    def wake(self) -> None:
        self._woken = True
        if not self.busy and not self._due:
            self._due = True
            self._queue.add(self)

    def begin(self) -> None:
        """Its turn, in the run's context, unless one is under way."""
        self._due = False
        if not self.busy:
            self.busy = True
            self._context.run(self._turn, self)

    def take(self) -> list[Message]:
        """The messages so far."""
        self._woken = False
        inbox, self.inbox = self.inbox, []
        return inbox

    def when_done(self, append: Awaitable[list[Recorded]], call: Callable[[Commit], None]) -> None:
        """Call back, in the run's context, when the append is answered."""
        if isinstance(append, Receipt):
            append.then = partial(self._context.run, call)  # type: ignore[call-arg]  # the rest comes with the call
        else:
            asyncio.ensure_future(append).add_done_callback(call, context=self._context)

    def rest(self) -> None:
        """The turn is over."""
        self.busy = False
        if self._woken:
            self.wake()

    def gone(self) -> AethermindError:
        """What those are told who want something of it when it is not driven here any more."""
        return AethermindError(f"run {self.run.id} is not driven here any more")

    @property
    def priority(self) -> int:
        return self.run.created.priority
