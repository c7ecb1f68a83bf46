"""What every store's answers share: cursors, keyset pages, log levels, sums of costs."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from aethermind.domain.days import DAY_MS, iso_day
from aethermind.domain.errors import InvalidError
from aethermind.engine.access import KeptToken, TokenRow
from aethermind.engine.queries import AgentRow, AttemptRow, CallRow, CostFilter, CostRow, LogRow, Page, RunRow
from aethermind.infra.stores.sequencer import LEVELS
from aethermind.infra.stores.state import CostSum, Row, usage_of
from aethermind.wire import decode_json

T = TypeVar("T")

LAST = 2**63 - 1
"""A seq that is never reached."""
NO_AGENT = "(none)"
"""Key of the costs that no agent caused."""


def encode_cursor(seq: int) -> str:
    return base64.urlsafe_b64encode(seq.to_bytes(8, "big").lstrip(b"\0")).decode().rstrip("=")


def decode_cursor(cursor: str | None, start: int) -> int:
    """A cursor's seq, `start` if there is none. Raises `InvalidError`."""
    if cursor is None:
        return start
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if not 0 < len(raw) <= 8 or (seq := int.from_bytes(raw, "big")) > LAST:
        raise InvalidError(f"{cursor!r} is no cursor of a page")
    return seq


def check_limit(limit: int) -> None:
    """Raise `InvalidError` for a page that can't be had."""
    if limit < 1:
        raise InvalidError(f"a page of {limit} rows can't be had")


def page(rows: Sequence[T], seqs: Sequence[int], limit: int) -> Page[T]:
    """Up to `limit` of the rows; one more was asked for, to see whether there is a next page."""
    if len(rows) <= limit:
        return Page(list(rows))
    return Page(list(rows[:limit]), encode_cursor(seqs[limit - 1]))


def ascii_lower(text: str) -> str:
    """What SQLite's `lower` does."""
    return text.translate(_LOWER)


_LOWER = {ord(c): c.lower() for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}

# --- rows of tables → rows of answers ----------------------------------------------------------


def run_row(row: Row) -> RunRow:
    return RunRow(
        id=row[1],
        workflow=row[2],
        status=row[3],
        priority=row[4],
        created_at=row[5],
        started_at=row[6],
        finished_at=row[7],
        usage=usage_of(row[8:13]),
        cost_micro_usd=row[13],
        unpriced_calls=row[15],
        at_most_micro_usd=row[16],
        simulated=bool(row[17]),
        budget_micro_usd=row[18],
        source=row[19],
        error=row[20],
        saved_micro_usd=row[22],
    )


def attempt_row(row: Row, run_id: str) -> AttemptRow:
    return AttemptRow(
        run_id=run_id,
        step=row[2],
        attempt=row[3],
        kind=row[4],
        agent=row[5],
        status=row[6],
        started_at=row[7],
        finished_at=row[8],
        error=row[9],
    )


def call_row(row: Row, run_id: str, workflow: str) -> CallRow:
    return CallRow(
        run_id=run_id,
        step=row[2],
        attempt=row[3],
        call=row[4],
        workflow=workflow,
        agent=row[5],
        provider=row[6],
        model=row[7],
        status=row[8],
        simulated=bool(row[9]),
        started_at=row[10],
        finished_at=row[11],
        usage=None if row[12] is None else usage_of(row[12:17]),
        cost_micro_usd=row[17],
        price_source=row[18],
        reserved_micro_usd=row[19],
        error=row[20],
        saved_micro_usd=row[21],
    )


def log_row(row: Row) -> LogRow:
    stream: str = row[1]
    return LogRow(
        seq=row[0],
        run_id=stream[4:] if stream.startswith("run/") else None,
        at=row[2],
        level=LEVELS[row[3]],
        message=row[4],
        step=row[5],
        attempt=row[6],
        agent=row[7],
        metadata=decode_json(row[8]) if row[8] else {},
    )


def agent_row(row: Row, cost: int | None) -> AgentRow:
    return AgentRow(
        name=row[0],
        registered=row[1] == 1,
        model=row[2] or row[3],
        attempts=row[4],
        failed=row[5],
        last_seen_at=row[6],
        cost_micro_usd=cost,
    )


def token(row: Row) -> KeptToken:
    """id, name, sha256, scope, created_at, expires_at, revoked_at, created_by."""
    shown = TokenRow(
        id=row[0],
        name=row[1],
        scope=row[3],
        created_at=row[4],
        expires_at=row[5],
        revoked_at=row[6],
        created_by=row[7],
    )
    return KeptToken(row=shown, sha256=row[2])


# --- costs -------------------------------------------------------------------------------------


def first_whole_day(since: int | None) -> int:
    """The first day that lies wholly after `since` (epoch ms), in days since the epoch."""
    return 0 if since is None else -(-since // DAY_MS)


def cost_rows(where: CostFilter, sums: Iterable[tuple[Any, CostSum]]) -> list[CostRow]:
    """Rows by key: days newest first, anything else dearest first; no more than wanted."""
    by_key: dict[str, CostSum] = {}
    for raw, one in sums:
        key = iso_day(raw) if where.by == "day" else raw
        key = key or NO_AGENT
        by_key[key] = by_key[key].plus(one) if key in by_key else one
    rows = [
        CostRow(
            key=key,
            calls=total.calls,
            usage=usage_of(total[6:]),
            cost_micro_usd=total.cost if total.priced else None,
            unpriced_calls=total.unpriced,
            in_flight_calls=total.in_flight,
            reserved_micro_usd=total.reserved,
            at_most_micro_usd=total.at_most,
            saved_micro_usd=total.saved,
        )
        for key, total in by_key.items()
        if total.calls
    ]
    if where.by == "day":
        rows.sort(key=lambda row: row.key, reverse=True)
    else:
        rows.sort(key=lambda row: (row.cost_micro_usd is None, -(row.cost_micro_usd or 0), row.key))
    return rows[: where.limit]
