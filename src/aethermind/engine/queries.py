"""What can be asked of a store: filters, pages and rows (the projections' shapes).

Times are epoch milliseconds, money micro-USD, durations milliseconds. Pages are keyset pages: pass a
page's `next` as `cursor` to go on; it is None at the end. Newest first, except logs and traces.
"""

from __future__ import annotations

from typing import Any, Generic, Literal, TypeVar

import msgspec

from aethermind.domain.events import LogLevel
from aethermind.domain.usage import Usage

T = TypeVar("T")


class _Row(msgspec.Struct, frozen=True, kw_only=True):
    pass


class Page(msgspec.Struct, Generic[T], frozen=True):
    items: list[T]
    next: str | None = None


class RunFilter(_Row, frozen=True, kw_only=True):
    status: str | None = None
    workflow: str | None = None
    id_prefix: str | None = None
    unfinished: bool = False
    text: str | None = None
    """In the id, the workflow's name or the stored status; ASCII letters of either case."""


class RunRow(_Row, frozen=True, kw_only=True):
    """One line of the run list. `status` is the stored one; a client overlays live knowledge."""

    id: str
    workflow: str
    status: str
    priority: int = 0
    created_at: int
    started_at: int | None = None
    finished_at: int | None = None
    usage: Usage = Usage()
    cost_micro_usd: int | None = None
    unpriced_calls: int = 0
    at_most_micro_usd: int = 0
    """Reservations of calls lost in crashes: what may have been billed on top."""
    saved_micro_usd: int = 0
    """By caching: answers that were used again, and the prompt caches of vendors."""
    simulated: bool = False
    budget_micro_usd: int | None = None
    source: str | None = None
    error: str | None = None


class AttemptRow(_Row, frozen=True, kw_only=True):
    run_id: str
    step: str
    attempt: int
    kind: str
    agent: str | None
    status: Literal["running", "succeeded", "failed", "cancelled", "lost"]
    started_at: int
    finished_at: int | None = None
    error: str | None = None


class AttemptFilter(_Row, frozen=True, kw_only=True):
    run_id: str | None = None
    agent: str | None = None
    status: str | None = None


class CallRow(_Row, frozen=True, kw_only=True):
    """One model call. `cost_micro_usd` None: unpriced or not settled."""

    run_id: str
    step: str
    attempt: int
    call: int
    workflow: str
    agent: str | None
    provider: str
    model: str
    status: Literal["running", "succeeded", "failed", "lost"]
    simulated: bool
    started_at: int
    finished_at: int | None = None
    usage: Usage | None = None
    cost_micro_usd: int | None = None
    price_source: str | None = None
    reserved_micro_usd: int | None = None
    saved_micro_usd: int = 0
    """By caching; 0 without a known cost."""
    error: str | None = None


class LogRow(_Row, frozen=True, kw_only=True):
    """One log record; `seq` orders all logs of all runs."""

    seq: int
    at: int
    run_id: str | None
    level: LogLevel
    message: str
    step: str | None = None
    attempt: int | None = None
    agent: str | None = None
    metadata: dict[str, Any] = {}


class LogFilter(_Row, frozen=True, kw_only=True):
    run_id: str | None = None
    min_level: LogLevel = "debug"
    step: str | None = None
    agent: str | None = None
    text: str | None = None
    after_seq: int = 0


CostGroup = Literal["model", "agent", "workflow", "day", "run"]


class CostFilter(_Row, frozen=True, kw_only=True):
    """`simulated` False (the default) leaves simulated calls out, True shows only them. `limit`: so many rows
    at most (the dearest, the newest days); without it, by run, there are as many as there were runs."""

    by: CostGroup = "model"
    since: int | None = None
    simulated: bool = False
    limit: int | None = None


class CostRow(_Row, frozen=True, kw_only=True):
    key: str
    calls: int
    usage: Usage
    cost_micro_usd: int | None
    """Sum over priced calls; None if none is priced."""
    unpriced_calls: int
    in_flight_calls: int = 0
    reserved_micro_usd: int = 0
    at_most_micro_usd: int = 0
    """What calls may have cost on top whose amount nobody knows."""
    saved_micro_usd: int = 0
    """By caching: answers that were used again, and the prompt caches of vendors."""


class LedgerRow(msgspec.Struct, frozen=True):
    """The money of one UTC day (days since the epoch), in micro-USD. `scope`: `day` is real money, `day:sim`
    that of simulated runs."""

    scope: str
    day: int
    spent: int = 0
    at_most: int = 0
    """What calls may have cost on top whose amount nobody knows."""
    reserved: int = 0
    """By calls in flight."""
    cap: int | None = None
    """Set for this day alone. The store gives None otherwise, a client what is configured."""

    @property
    def left(self) -> int | None:
        """What may still be reserved (negative: more was billed than asked for); None without a cap."""
        return None if self.cap is None else self.cap - self.spent - self.at_most - self.reserved


class WorkflowRow(_Row, frozen=True, kw_only=True):
    name: str
    description: str
    definition_hash: str
    updated_at: int
    source: str | None = None


class AgentRow(_Row, frozen=True, kw_only=True):
    """An agent known to this database: registered, or seen in runs."""

    name: str
    model: str | None
    registered: bool
    attempts: int = 0
    failed: int = 0
    last_seen_at: int | None = None
    cost_micro_usd: int | None = None


class Partial(_Row, frozen=True, kw_only=True):
    """The text that a call in flight has streamed so far (display only)."""

    run_id: str
    step: str
    attempt: int
    call: int
    text: str
    reasoning: str = ""
