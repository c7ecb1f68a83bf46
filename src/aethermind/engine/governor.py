"""Who may call a model now: limits, a provider's Retry-After and circuit breakers, shared by all runs.

Rules
- A call waits here before it is recorded and sent; the wait does not count against the step's timeout.
- One lane per provider account and model (`engine.lane` says when it opens and closes). Waiting calls go by
  rank, as attempts do (`engine.admission`): by arrival, one level of priority being worth `AGING_MS`.
- Nothing polls: a lane looks again when a call ends, when a call comes, or when the one timer rings that is
  set for the moment at which the first of those that wait may go.
- A call that has somewhere else to go (`patient` False: the next model of its chain) does not wait for a
  lane that is closed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from heapq import heappop, heappush

from aethermind.domain.errors import ErrorInfo, ProviderError
from aethermind.domain.usage import Usage
from aethermind.engine.admission import AGING_MS
from aethermind.engine.deadlines import Deadline
from aethermind.engine.lane import Lane, LaneLimits, LaneState, Ticket, Verdict
from aethermind.engine.ports import Clock

Waiter = tuple[int, int, "_Waiting"]
LONGEST_S = 60.0
"""A timer of the event loop stands still while the machine sleeps."""


class Place:
    """A call that was let through: who makes it says how it went."""

    __slots__ = ("_governor", "_queue", "_ticket")

    def __init__(self, governor: Governor, queue: _Queue, ticket: Ticket) -> None:
        self._governor = governor
        self._queue = queue
        self._ticket = ticket

    def heard(self) -> None:
        """The first piece of an answer came."""
        if self._ticket.probe and self._queue.lane.heard(self._ticket):
            self._governor.look(self._queue)

    def answered(self, usage: Usage | None) -> None:
        self._queue.lane.answered(self._ticket, usage, self._governor.clock.monotonic())

    def failed(self, error: ErrorInfo) -> None:
        self._queue.lane.failed(self._ticket, error, self._governor.clock.monotonic())


class Governor:
    """One per engine; belongs to its event loop. `limits`: of `provider:model`. `account`: models with the
    same word are one lane (two names for one endpoint and key)."""

    def __init__(
        self,
        clock: Clock,
        *,
        limits: Callable[[str], LaneLimits] = lambda _model: LaneLimits(),
        account: Callable[[str], str] = str,
    ) -> None:
        self.clock = clock
        self._limits = limits
        self._account = account
        self._queues: dict[str, _Queue] = {}
        self._names: dict[str, _Queue] = {}
        self._number = 0
        self.changed: Callable[[LaneState], None] = lambda _state: None
        """Told when a lane opens or closes."""

    @asynccontextmanager
    async def admit(
        self,
        model: str,
        deadline: Deadline | None = None,
        *,
        priority: int = 0,
        tokens: Callable[[], int] = lambda: 0,
        patient: bool = True,
        waits: Callable[[LaneState], None] | None = None,
    ) -> AsyncIterator[Place]:
        """Hold a place for one call of `provider:model`; the deadline stands still while it has to wait.

        `tokens`: what it will use, about; asked only where tokens are limited. `waits` is told once if it
        can't go at once. Raises `ProviderError` of kind `circuit_open`, and of kind `rate_limit` if it is not
        `patient`.
        """
        queue = self._queue(model)
        size = tokens() if queue.lane.limits.tpm is not None else 0
        ticket = self._at_once(queue, size)
        if ticket is None:
            waiting = self._join(queue, priority, size, patient=patient)
            if waits is not None and not waiting.ticket.done():
                waits(self._state(queue))
            if deadline is not None:
                deadline.suspend()
            try:
                ticket = await waiting.ticket
            except asyncio.CancelledError:
                self._give_up(queue, waiting)
                raise
            finally:
                if deadline is not None:
                    deadline.go_on()
        try:
            yield Place(self, queue, ticket)
        finally:
            queue.lane.left(ticket)
            self.look(queue)

    def hold(self, model: str, retry_after_ms: int) -> None:
        """Nobody calls this model for so long."""
        queue = self._queue(model)
        queue.lane.close_for(retry_after_ms, self.clock.monotonic())
        self.look(queue)

    def states(self) -> list[LaneState]:
        """All lanes that were used, by name."""
        return sorted(map(self._state, self._queues.values()), key=lambda state: state.lane)

    def look(self, queue: _Queue) -> None:
        """Let go whom the lane lets, in order; set the timer for the next."""
        lane, now = queue.lane, self.clock.monotonic()
        verdict: Verdict | None = None
        while queue.waiting and queue.first() is not None:
            waiting = queue.waiting[0][2]
            verdict = lane.may(now, waiting.tokens)
            if verdict.go:
                heappop(queue.waiting)
                waiting.ticket.set_result(lane.begin(now, waiting.tokens))
                verdict = None
                continue
            if verdict.refuse:
                self._refuse(queue, now)
                verdict = None
                continue
            break
        if lane.state == "closed":
            for _, _, waiting in queue.waiting:
                if not waiting.patient and not waiting.ticket.done():
                    waiting.ticket.set_exception(self._error(queue, now))
        queue.arm(None if verdict is None else verdict.at, now, self._ring)
        if lane.state != queue.shown:
            queue.shown = lane.state
            self.changed(self._state(queue))

    # --- inside ----------------------------------------------------------------------------------

    def _queue(self, model: str) -> _Queue:
        queue = self._names.get(model)
        if queue is None:
            account = self._account(model)
            queue = self._queues.get(account)
            if queue is None:
                queue = self._queues[account] = _Queue(Lane(model, self._limits(model)))
            self._names[model] = queue
        return queue

    def _at_once(self, queue: _Queue, tokens: int) -> Ticket | None:
        if queue.waiting and queue.first() is not None:
            return None
        now = self.clock.monotonic()
        verdict = queue.lane.may(now, tokens)
        if not verdict.go:
            return None
        ticket = queue.lane.begin(now, tokens)
        if queue.lane.state != queue.shown:
            queue.shown = queue.lane.state
            self.changed(self._state(queue))
        return ticket

    def _join(self, queue: _Queue, priority: int, tokens: int, *, patient: bool) -> _Waiting:
        self._number += 1
        waiting = _Waiting(tokens, patient=patient)
        rank = int(self.clock.monotonic() * 1000) - priority * AGING_MS
        heappush(queue.waiting, (rank, self._number, waiting))
        self.look(queue)
        if not patient and queue.lane.state != "open" and not waiting.ticket.done():
            waiting.ticket.set_exception(self._error(queue, self.clock.monotonic()))
        return waiting

    def _give_up(self, queue: _Queue, waiting: _Waiting) -> None:
        """Its step was stopped; it may have been let through in the same moment."""
        ticket = waiting.ticket
        if ticket.done() and not ticket.cancelled() and ticket.exception() is None:
            queue.lane.left(ticket.result())
        else:
            ticket.cancel()
        self.look(queue)

    def _ring(self, queue: _Queue) -> None:
        queue.timer = None
        self.look(queue)

    def _refuse(self, queue: _Queue, now: float) -> None:
        """The circuit is open: nobody waits for it here. Steps try again when it may be asked again."""
        waiting, queue.waiting = queue.waiting, []
        for _, _, one in waiting:
            if not one.ticket.done():
                one.ticket.set_exception(self._error(queue, now))

    def _error(self, queue: _Queue, now: float) -> ProviderError:
        lane = queue.lane
        left = max(lane.until - now, 0.0)
        circuit = lane.closed_by == "circuit"
        why = f": {lane.reason}" if lane.reason else ""
        what = "failed too often in a row" if circuit else "limits the rate"
        return ProviderError(
            ErrorInfo(
                kind="circuit_open" if circuit else "rate_limit",
                message=f"{lane.name} {what}, asked again in {_seconds(left)}{why}"[:300],
                retryable=True,
                hint="name a second model for this step: model: [first, second]",
                retry_after_ms=int(left * 1000),
            )
        )

    def _state(self, queue: _Queue) -> LaneState:
        lane, now = queue.lane, self.clock.monotonic()
        alive = [one for one in queue.waiting if not one[2].ticket.done()]
        verdict = lane.may(now, min(alive)[2].tokens if alive else 0)
        return LaneState(
            lane=lane.name,
            state=lane.state,
            why=verdict.why if alive or lane.state != "open" else "",
            waiting=len(alive),
            in_flight=lane.in_flight,
            free_at=None if verdict.at is None else self.clock.now() + int((verdict.at - now) * 1000),
            reason=lane.reason,
        )


class _Waiting:
    __slots__ = ("patient", "ticket", "tokens")

    def __init__(self, tokens: int, *, patient: bool) -> None:
        self.ticket: asyncio.Future[Ticket] = asyncio.get_running_loop().create_future()
        self.tokens = tokens
        self.patient = patient


class _Queue:
    """A lane and who waits for it."""

    __slots__ = ("lane", "shown", "timer", "timer_at", "waiting")

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self.waiting: list[Waiter] = []
        self.timer: asyncio.TimerHandle | None = None
        self.timer_at = 0.0
        self.shown = lane.state

    def first(self) -> _Waiting | None:
        """Who is next; those who gave up are taken out."""
        while self.waiting and self.waiting[0][2].ticket.done():
            heappop(self.waiting)
        return self.waiting[0][2] if self.waiting else None

    def arm(self, at: float | None, now: float, ring: Callable[[_Queue], None]) -> None:
        if self.timer is not None:
            if at == self.timer_at:
                return
            self.timer.cancel()
            self.timer = None
        if at is not None:
            delay = min(max(at - now, 0.001), LONGEST_S)
            self.timer = asyncio.get_running_loop().call_later(delay, ring, self)
            self.timer_at = at


def _seconds(left: float) -> str:
    return f"{left:.1f} s" if left < 10 else f"{left:.0f} s"
