"""Costs of calls, summed up as the store does it."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from aethermind.domain.days import DAY_MS, iso_day
from aethermind.domain.usage import NO_USAGE
from aethermind.engine.queries import CallRow, CostFilter, CostRow


def summed(calls: Iterable[CallRow], where: CostFilter) -> list[CostRow]:
    """By key, dearest first."""
    sums: dict[str, CostRow] = {}
    for call in calls:
        if call.simulated != where.simulated or call.started_at < (where.since or 0):
            continue
        key = {
            "model": f"{call.provider}:{call.model}",
            "agent": call.agent or "-",
            "workflow": call.workflow,
            "day": iso_day(call.started_at // DAY_MS),
            "run": call.run_id,
        }[where.by]
        nothing = CostRow(key=key, calls=0, usage=NO_USAGE, cost_micro_usd=None, unpriced_calls=0)
        sums[key] = _plus(sums.get(key) or nothing, call)
    return sorted(sums.values(), key=lambda row: -(row.cost_micro_usd or 0))


def _plus(row: CostRow, call: CallRow) -> CostRow:
    live = call.status == "running"
    cost = call.cost_micro_usd
    return msgspec.structs.replace(
        row,
        calls=row.calls + 1,
        usage=row.usage + (call.usage or NO_USAGE),
        cost_micro_usd=row.cost_micro_usd if cost is None else (row.cost_micro_usd or 0) + cost,
        unpriced_calls=row.unpriced_calls + (call.status == "succeeded" and cost is None),
        in_flight_calls=row.in_flight_calls + live,
        reserved_micro_usd=row.reserved_micro_usd + (call.reserved_micro_usd or 0) * live,
    )
