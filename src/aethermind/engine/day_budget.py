"""The budget of the day: how much there is, who waits for it, and when they go on.

Rules
- The ledger is the store's: it decides each reservation in the transaction that records the call. Known here
  are only the cap, and who was refused.
- Who was refused waits in the order in which it was held, over all runs, those of earlier processes first.
  It goes on when there is room for what it needs: other calls gave back what they did not use, the day's cap
  was raised, or another UTC day began. What was let go and has not reserved yet keeps its room.
- The ledger is read only while somebody waits, after something that can have made room. Nothing polls: one
  timer is set for midnight.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from functools import partial

from aethermind.domain.days import DAY_MS, DayScope, day_of, day_scope, one_day
from aethermind.domain.errors import AethermindError
from aethermind.domain.events import (
    AnyEvent,
    AttemptCancelled,
    AttemptFailed,
    AttemptLost,
    AttemptSucceeded,
    BudgetFreed,
    BudgetHeld,
    BudgetRaised,
    CallFailed,
    CallFinished,
    CallStarted,
    Recorded,
    RunResumed,
)
from aethermind.domain.run import Run
from aethermind.domain.state import Holding
from aethermind.engine.live import Act, LiveRun
from aethermind.engine.ports import Clock, EventStore
from aethermind.engine.queries import LedgerRow

DAYS_KEPT = 8
LONGEST_S = 60.0
"""A timer stands still while the machine sleeps: so soon afterwards a new day is seen."""
LATE_MS = 1
"""A timer may ring a little early; midnight must be over then."""


class DayBudget:
    """One per engine; all methods belong to its event loop. `cap`: micro-USD per UTC day, None for no end; it
    holds for real money and, apart, for that of simulated runs."""

    def __init__(self, store: EventStore, clock: Clock, *, cap: int | None = None) -> None:
        self._store = store
        self._clock = clock
        self._cap = cap
        self._caps: dict[tuple[DayScope, int], int | None] = {}
        """(scope, day) → its cap, once it was asked for."""
        self._raises = 0
        self._waiting: dict[LiveRun, None] = {}
        """Runs with steps that wait, in the order in which they came."""
        self._promised: dict[tuple[str, str], tuple[DayScope, int]] = {}
        """(run, step) → what it was let go for and has not reserved yet."""
        self._looking: asyncio.Task[None] | None = None
        self._again = False
        self._timer: asyncio.TimerHandle | None = None
        self._today = 0
        """The day at whose end it rings."""

    # --- what there is -------------------------------------------------------------------------

    async def cap(self, *, simulated: bool) -> int | None:
        """Today's, in micro-USD; None: there is none."""
        key = (day_scope(simulated=simulated), day_of(self._clock.now()))
        while key not in self._caps:
            before = self._raises
            row = await self._store.ledger(*key)
            if before == self._raises:  # else what was read is not what holds
                if len(self._caps) >= DAYS_KEPT:
                    self._caps.clear()
                self._caps[key] = self._cap if row.cap is None else row.cap
        return self._caps[key]

    async def today(self, *, simulated: bool) -> LedgerRow:
        """Today's money, with the cap that holds."""
        scope, day = day_scope(simulated=simulated), day_of(self._clock.now())
        row = await self._store.ledger(scope, day)
        cap = self._cap if row.cap is None else row.cap
        return LedgerRow(scope, day, row.spent, row.at_most, row.reserved, cap)

    def raising(self, micro_usd: int, *, simulated: bool, by: str) -> BudgetRaised:
        """The event that sets today's cap."""
        scope = one_day(day_scope(simulated=simulated), day_of(self._clock.now()))
        return BudgetRaised(scope=scope, micro_usd=micro_usd, by=by)

    async def raised(self) -> None:
        """It is recorded: until all who can go on now have been told."""
        self._raises += 1
        self._caps.clear()
        await self._look_now()

    # --- who waits -----------------------------------------------------------------------------

    @property
    def watching(self) -> bool:
        """Whether anything of what is recorded matters here."""
        return bool(self._waiting or self._promised)

    def observe(self, live: LiveRun, recorded: Iterable[Recorded]) -> None:
        """What was just recorded of a run and applied to it."""
        look = False
        for item in recorded:
            match item.event:
                case BudgetHeld(step=step, scope="day"):
                    self._keep(live.run.id, step)
                    self._waiting[live] = None
                    look = True
                case CallStarted(step=step) | AttemptSucceeded(step=step):
                    self._keep(live.run.id, step)
                case AttemptFailed(step=step) | AttemptCancelled(step=step) | AttemptLost(step=step):
                    look |= self._keep(live.run.id, step)
                case CallFinished() | CallFailed() | RunResumed():
                    look = True
                case _:
                    pass
        if look:
            self.look()

    async def adopted(self, live: LiveRun) -> None:
        """A run is driven here that may have waited before: until it is decided whether it goes on."""
        if any(holding.scope == "day" for holding in live.run.held.values()):
            self._waiting[live] = None
            await self._look_now()

    def leave(self, live: LiveRun) -> None:
        """The run is not driven here any more; the room that it was promised is free."""
        self._waiting.pop(live, None)
        gone = [key for key in self._promised if key[0] == live.run.id]
        for key in gone:
            del self._promised[key]
        if gone and self._waiting:
            self.look()

    def pending(self, live: LiveRun) -> bool:
        """Whether it is being found out if a step of this run goes on: it does not rest before that."""
        return self._looking is not None and live in self._waiting

    def _keep(self, run_id: str, step: str) -> bool:
        """The promise is kept, or not needed; whether there was one."""
        return self._promised.pop((run_id, step), None) is not None

    # --- letting go ----------------------------------------------------------------------------

    def look(self) -> None:
        """Something may have made room: find out for whom."""
        self._again = True
        if self._looking is None and self._waiting:
            self._looking = asyncio.get_running_loop().create_task(self._look())

    async def _look_now(self) -> None:
        self.look()
        if self._looking is not None:
            await asyncio.wait({self._looking})

    async def _look(self) -> None:
        try:
            while self._again:
                self._again = False
                with suppress(AethermindError):  # the store can't answer: the next event looks again
                    await self._check()
        finally:
            self._looking = None
            for live in self._waiting:
                if live.settled:  # who waits until it rests hears of it now
                    live.wake()

    async def _check(self) -> None:
        self._set_timer()
        wanted: dict[DayScope, list[tuple[LiveRun, str, Holding]]] = {}
        for live in list(self._waiting):
            waiting = _waiting(live.run)
            if not waiting:
                del self._waiting[live]
            elif not (live.run.paused or live.run.cancelling or live.dropped):
                scope = day_scope(simulated=live.run.created.simulated)
                wanted.setdefault(scope, []).extend((live, path, h) for path, h in waiting)
        for scope, those in wanted.items():
            those.sort(key=lambda one: one[2].since)
            left = (await self.today(simulated=scope == "day:sim")).left
            if left is not None:
                left -= sum(needed for of, needed in self._promised.values() if of == scope)
            for live, path, holding in those:
                if live in self._waiting and (left is None or holding.needed <= left):
                    left = None if left is None else left - holding.needed
                    self._promised[live.run.id, path] = (scope, holding.needed)
                    await self._let_go(live, path)

    async def _let_go(self, live: LiveRun, path: str) -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        live.post(Act(partial(_freed, path), done))
        try:
            await done
        except AethermindError:  # it does not wait any more, or is not driven here any more
            self._keep(live.run.id, path)

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiting:
            now = self._clock.now()
            self._today = day_of(now)
            left = (self._today + 1) * DAY_MS - now + LATE_MS
            seconds = min(left / 1000, LONGEST_S)
            self._timer = asyncio.get_running_loop().call_later(seconds, self._ring)

    def _ring(self) -> None:
        if day_of(self._clock.now()) != self._today:
            self.look()
        else:
            self._set_timer()

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._waiting.clear()
        if self._looking is not None:
            self._looking.cancel()
            with suppress(asyncio.CancelledError):
                await self._looking


def _waiting(run: Run) -> list[tuple[str, Holding]]:
    """Steps that wait for the day's budget, longest first."""
    return [
        (path, holding)
        for path, holding in run.held.items()
        if holding.scope == "day" and path in run.nodes and run.nodes[path].status == "waiting_budget"
    ]


def _freed(path: str, run: Run) -> list[AnyEvent]:
    holding = run.held.get(path)
    if run.finished is not None or holding is None or run.nodes[path].status != "waiting_budget":
        raise AethermindError(f"{path} does not wait for a budget any more")
    return [BudgetFreed(step=path, scope=holding.scope)]
