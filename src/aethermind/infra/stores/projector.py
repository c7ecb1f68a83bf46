"""The projector: events in, changes of rows out. Pure; both stores use it.

Rules
- A batch of events is folded first; each row that it touched is then written once.
- No look-up per event: what is open in a run is kept in memory and loaded once, when a run that is
  not in memory is touched (`load`).
- A run's row changes only when something in it does, never for each of its steps.
- Logs are not projected; the table of logs is their truth.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from aethermind.domain import events as e
from aethermind.domain.days import day_of, day_scope
from aethermind.engine.queries import Partial
from aethermind.infra.stores.handlers import HANDLERS
from aethermind.infra.stores.state import (
    AgentSum,
    CallRecord,
    CostKey,
    CostSum,
    LedgerKey,
    LedgerSum,
    Row,
    RunState,
    Stream,
)

Op = tuple[
    Literal[
        "put_workflow",
        "drop_workflow",
        "put_trust",
        "drop_trust",
        "put_token",
        "revoke_token",
        "put_partial",
        "drop_partial",
        "drop_partials_of_run",
    ],
    Row,
]
"""A rare change that is carried out by itself, in order: named SQL and its parameters."""


DAYS_KEPT = 8
"""Rows of the ledger in memory: today's, yesterday's, and those of simulated runs."""


class Changes:
    """What one batch does to the projections. Sums are added to what is there, rows replace it."""

    __slots__ = ("agents", "answers", "attempts", "calls", "costs", "ledger", "ops", "runs")

    def __init__(self) -> None:
        self.runs: dict[int, RunState] = {}
        self.attempts: dict[int, Row] = {}
        self.calls: dict[int, CallRecord] = {}
        self.costs: dict[CostKey, CostSum] = {}
        self.ledger: dict[LedgerKey, LedgerSum] = {}
        self.agents: dict[str, AgentSum] = {}
        self.answers: dict[str, int] = {}
        """Content key → seq of the newest answer."""
        self.ops: list[Op] = []

    def add_cost(self, run: RunState, call: CallRecord, change: CostSum) -> None:
        model = f"{call.provider}:{call.model}"
        day = day_of(call.started_at)
        key = (day, model, call.agent or "", run.workflow, call.simulated)
        before = self.costs.get(key)
        self.costs[key] = change if before is None else before.plus(change)
        if change.cost or change.at_most or change.reserved:
            money = LedgerSum(change.cost, change.at_most, change.reserved)
            self.add_ledger(day_scope(simulated=bool(call.simulated)), day, money)

    def add_ledger(self, scope: str, day: int, change: LedgerSum) -> None:
        before = self.ledger.get((scope, day))
        self.ledger[scope, day] = change if before is None else before.plus(change)

    def add_agent(self, name: str, change: AgentSum) -> None:
        before = self.agents.get(name)
        self.agents[name] = change if before is None else before.plus(change)


class Projector:
    """Folds events into `changes`; `take` hands them over at the end of a batch."""

    def __init__(
        self,
        load: Callable[[Stream], RunState | None],
        ledger: Callable[[str, int], LedgerSum | None] | None = None,
    ) -> None:
        self._load = load
        self._load_ledger = ledger
        self._days: dict[LedgerKey, LedgerSum] = {}
        """Rows of the ledger that reservations were asked of, without the changes of this batch."""
        self.changes = Changes()
        self._ended: list[Stream] = []

    def fold(self, stream: Stream, seq: int, at: int, event: e.AnyEvent) -> None:
        handler = HANDLERS.get(type(event))
        if handler is not None:
            handler(self, stream, seq, at, event)

    def save_partial(self, stream: Stream | None, partial: Partial) -> None:
        """Keep a display text, unless its call is known to be over (it came too late)."""
        run = None if stream is None else self.run(stream)
        if run is not None:
            call = run.calls.get((partial.step, partial.attempt, partial.call))
            if call is None or call.status != "running":
                return
        p = partial
        self.changes.ops.append(("put_partial", (p.run_id, p.step, p.attempt, p.call, p.text, p.reasoning)))

    def fits(self, reserve: e.Reserve, at: int) -> bool:
        """Whether the ledger of that day, with all that this batch has done to it, has room for so much."""
        key = (reserve.scope, day_of(at))
        row = self._days.get(key)
        if row is None:
            found = self._load_ledger(*key) if self._load_ledger is not None else None
            if len(self._days) >= DAYS_KEPT:
                self._days.clear()
            row = self._days[key] = found or LedgerSum()
        if (change := self.changes.ledger.get(key)) is not None:
            row = row.plus(change)
        return row.fits(reserve.micro_usd, reserve.cap)

    def take(self) -> Changes:
        """The changes since the last `take`. Runs that ended leave the memory."""
        changes, self.changes = self.changes, Changes()
        if self._days:
            for key, change in changes.ledger.items():
                if (row := self._days.get(key)) is not None:
                    self._days[key] = row.plus(change)
        if self._ended:
            for stream in self._ended:
                stream.known, stream.run = False, None
            self._ended.clear()
        return changes

    def forget(self) -> None:
        """Drop what was not taken: the batch was rolled back."""
        self.changes = Changes()
        self._ended.clear()
        self._days.clear()

    def run(self, stream: Stream) -> RunState | None:
        """The run of a stream, None if there is none."""
        if not stream.known:
            stream.run, stream.known = self._load(stream), True
        return stream.run

    def touch(self, run: RunState) -> None:
        self.changes.runs[run.seq] = run

    def end(self, stream: Stream) -> None:
        self._ended.append(stream)
