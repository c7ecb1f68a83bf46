"""What the projector keeps of a run in memory, and the rows it makes. Data, no rules about events.

A row is a plain tuple in the order of its table's columns (`migrations/0001_initial.sql`), so that
one projector feeds SQLite and memory alike.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from aethermind.domain.usage import NO_USAGE, Usage
from aethermind.wire import decode_json, encode_json

Row = tuple[Any, ...]

FINISHED = frozenset({"succeeded", "failed", "cancelled"})
TOKENS = ("input_tokens", "cached_input_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")


class Stream:
    """A stream as the writer remembers it. `id` is the seq of its first record, 0 while there is none."""

    __slots__ = ("id", "known", "logs", "name", "run", "version")

    def __init__(self, name: str, id_: int = 0, version: int = 0) -> None:
        self.name = name
        self.id = id_
        self.version = version
        self.logs: int | None = None
        """How many log rows it has; None: not counted yet."""
        self.known = not id_
        """Whether `run` has been looked up. A new stream has none yet."""
        self.run: RunState | None = None


class CallRecord(NamedTuple):
    """A row of `calls`."""

    seq: int
    run: int
    step: str
    attempt: int
    call: int
    agent: str | None
    provider: str
    model: str
    status: str
    simulated: int
    started_at: int
    finished_at: int | None = None
    input_tokens: int | None = None
    cached_input_tokens: int | None = None
    cache_write_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost_micro_usd: int | None = None
    price_source: str | None = None
    reserved_micro_usd: int | None = None
    error: str | None = None
    saved_micro_usd: int = 0


class RunState:
    """A row of `runs`, and what is still open in that run: attempts, calls, questions."""

    __slots__ = (
        "asks",
        "at_most",
        "attempts",
        "budget",
        "calls",
        "cost",
        "created_at",
        "error",
        "finished_at",
        "held",
        "id",
        "paused",
        "priority",
        "saved",
        "seq",
        "settled",
        "simulated",
        "source",
        "started_at",
        "status",
        "stopping",
        "unpriced",
        "usage",
        "workflow",
    )

    def __init__(self, seq: int, run_id: str, workflow: str, created_at: int) -> None:
        self.seq = seq
        self.id = run_id
        self.workflow = workflow
        self.status = "queued"
        self.priority = 0
        self.created_at = created_at
        self.started_at: int | None = None
        self.finished_at: int | None = None
        self.usage: Usage = NO_USAGE
        self.cost: int | None = None
        self.settled = 0
        self.unpriced = 0
        self.at_most = 0
        self.saved = 0
        self.simulated = 0
        self.budget: int | None = None
        self.source: str | None = None
        self.error: str | None = None
        self.paused = False
        self.stopping = False
        self.asks: dict[str, str] = {}
        """Step → what its open question is about."""
        self.held: dict[str, str] = {}
        """Steps that a budget holds back, and its scope."""
        self.attempts: dict[tuple[str, int], Row] = {}
        """(step, attempt) → its row, while it runs."""
        self.calls: dict[tuple[str, int, int], CallRecord] = {}
        """(step, attempt, call) → its row, while its end is not known (running or lost)."""

    def refresh(self) -> None:
        """Set `status` from what is known; a finished run keeps its own."""
        if self.status in FINISHED:
            return
        if self.stopping:
            self.status = "stopping"
        elif self.paused:
            self.status = "paused"
        elif self._works():
            self.status = "running"
        elif "in_doubt" in self.asks.values():
            self.status = "parked"
        elif self.held:
            self.status = "waiting_budget"
        elif self.asks:
            self.status = "waiting_answer"
        else:
            self.status = "queued" if self.started_at is None else "running"

    def _works(self) -> bool:
        """Whether an attempt is under way that waits for nobody: such a run runs, whatever else waits."""
        if not self.asks and not self.held:
            return False
        return any(step not in self.asks and step not in self.held for step, _ in self.attempts)

    def row(self) -> Row:
        return (
            self.seq,
            self.id,
            self.workflow,
            self.status,
            self.priority,
            self.created_at,
            self.started_at,
            self.finished_at,
            *tokens(self.usage),
            self.cost,
            self.settled,
            self.unpriced,
            self.at_most,
            self.simulated,
            self.budget,
            self.source,
            self.error,
            self._waits(),
            self.saved,
        )

    def _waits(self) -> str | None:
        waits: dict[str, Any] = {}
        if self.paused:
            waits["paused"] = True
        if self.stopping:
            waits["stopping"] = True
        if self.asks:
            waits["asks"] = self.asks
        if self.held:
            waits["held"] = self.held
        return encode_json(waits).decode() if waits else None

    @classmethod
    def restore(cls, row: Row, attempts: list[Row], calls: list[Row]) -> RunState:
        """The state again from its row, its running attempts and its open calls."""
        run = cls(row[0], row[1], row[2], row[5])
        run.status, run.priority = row[3], row[4]
        run.started_at, run.finished_at = row[6], row[7]
        run.usage = usage_of(row[8:13])
        run.cost, run.settled, run.unpriced, run.at_most, run.simulated = row[13:18]
        run.budget, run.source, run.error = row[18:21]
        if row[21] is not None:
            waits = decode_json(row[21])
            run.paused = waits.get("paused", False)
            run.stopping = waits.get("stopping", False)
            run.asks = waits.get("asks", {})
            run.held = waits.get("held", {})
        run.saved = row[22]
        run.attempts = {(a[2], a[3]): a for a in attempts}
        run.calls = {(c[2], c[3], c[4]): CallRecord(*c) for c in calls}
        return run


def tokens(usage: Usage) -> tuple[int, int, int, int, int]:
    return (
        usage.input_tokens,
        usage.cached_input_tokens,
        usage.cache_write_tokens,
        usage.output_tokens,
        usage.reasoning_tokens,
    )


def usage_of(columns: Row) -> Usage:
    """Five token columns → `Usage`."""
    return Usage(
        input_tokens=columns[0],
        cached_input_tokens=columns[1],
        cache_write_tokens=columns[2],
        output_tokens=columns[3],
        reasoning_tokens=columns[4],
    )


# --- sums: added to what is there --------------------------------------------------------------

CostKey = tuple[int, str, str, str, int]
"""Day, `provider:model`, agent ('' for none), workflow, simulated."""


class CostSum(NamedTuple):
    """The sums of a row of `costs`, or a change of them."""

    calls: int = 0
    in_flight: int = 0
    reserved: int = 0
    unpriced: int = 0
    priced: int = 0
    cost: int = 0
    input_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    at_most: int = 0
    saved: int = 0

    def plus(self, other: CostSum) -> CostSum:
        return CostSum(*(a + b for a, b in zip(self, other, strict=True)))


LedgerKey = tuple[str, int]
"""Scope (`day`, `day:sim`) and day."""


class LedgerSum(NamedTuple):
    """A row of `ledger` without its key, or a change of it. `cap` None: no word about that."""

    spent: int = 0
    at_most: int = 0
    reserved: int = 0
    cap: int | None = None

    def plus(self, other: LedgerSum) -> LedgerSum:
        return LedgerSum(
            self.spent + other.spent,
            self.at_most + other.at_most,
            self.reserved + other.reserved,
            self.cap if other.cap is None else other.cap,
        )

    def fits(self, micro_usd: int, cap: int) -> bool:
        """Whether so much more may be reserved; `cap` holds unless the day has its own."""
        allowed = cap if self.cap is None else self.cap
        return self.spent + self.at_most + self.reserved + micro_usd <= allowed


class AgentSum(NamedTuple):
    """A row of `agents` without its name, or a change of it. `registered` None: no word about that."""

    registered: int | None = None
    model: str | None = None
    seen_model: str | None = None
    attempts: int = 0
    failed: int = 0
    last_seen_at: int | None = None
    seq: int | None = None
    """Of the event that registered it."""

    def plus(self, other: AgentSum) -> AgentSum:
        return AgentSum(
            registered=self.registered if other.registered is None else other.registered,
            model=self.model if other.registered is None else other.model,
            seen_model=self.seen_model if other.seen_model is None else other.seen_model,
            attempts=self.attempts + other.attempts,
            failed=self.failed + other.failed,
            last_seen_at=max(
                (t for t in (self.last_seen_at, other.last_seen_at) if t is not None), default=None
            ),
            seq=self.seq if other.registered is None else other.seq,
        )
