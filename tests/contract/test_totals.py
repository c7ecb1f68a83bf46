"""Who asks what was spent gets one answer, however it is asked: by model, agent, workflow, day or run, from
the runs' own rows, from the calls, and from the ledgers of the days."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings

from aethermind.domain import events as e
from aethermind.domain.days import day_of, day_scope
from aethermind.domain.usage import AT_MOST_RESERVED, NO_USAGE
from aethermind.engine.queries import CallRow, CostFilter, CostGroup, CostRow, RunFilter, RunRow
from aethermind.infra.stores.memory import InMemoryStore
from aethermind.infra.stores.sqlite import SqliteStore, open_store
from tests.infra.stores.histories import appends, created, on

Store = SqliteStore | InMemoryStore
GROUPS: tuple[CostGroup, ...] = get_args(CostGroup)


def of_rows(rows: list[CostRow]) -> dict[str, Any]:
    priced = [row.cost_micro_usd for row in rows if row.cost_micro_usd is not None]
    return {
        "calls": sum(row.calls for row in rows),
        "settled": sum(priced) if priced else None,
        "unpriced": sum(row.unpriced_calls for row in rows),
        "in flight": sum(row.in_flight_calls for row in rows),
        "reserved": sum(row.reserved_micro_usd for row in rows),
        "at most": sum(row.at_most_micro_usd for row in rows),
        "saved": sum(row.saved_micro_usd for row in rows),
        "usage": sum((row.usage for row in rows), NO_USAGE),
    }


def of_calls(calls: list[CallRow]) -> dict[str, Any]:
    def bounded(call: CallRow) -> bool:
        return call.status == "lost" or call.price_source == AT_MOST_RESERVED.source

    priced = [call.cost_micro_usd for call in calls if call.cost_micro_usd is not None]
    flying = [call for call in calls if call.status == "running"]
    unknown = [
        call
        for call in calls
        if call.status in {"succeeded", "failed"}
        and call.cost_micro_usd is None
        and call.price_source is not None
        and not bounded(call)
    ]
    return {
        "calls": len(calls),
        "settled": sum(priced) if priced else None,
        "unpriced": len(unknown),
        "in flight": len(flying),
        "reserved": sum(call.reserved_micro_usd or 0 for call in flying),
        "at most": sum(call.reserved_micro_usd or 0 for call in calls if bounded(call)),
        "saved": sum(call.saved_micro_usd for call in calls),
        "usage": sum((call.usage for call in calls if call.usage is not None), NO_USAGE),
    }


async def compare(store: Store, history: list[list[e.Draft]]) -> None:
    for drafts in history:
        await store.append(drafts, {})
    await store.append(on("other", created()), {})
    runs: list[RunRow] = (await store.runs(RunFilter(), limit=1_000)).items
    calls = [call for run in runs for call in (await store.calls(run.id)).items]
    for simulated in (False, True):
        mine = [call for call in calls if call.simulated == simulated]
        total = of_calls(mine)
        for by in GROUPS:
            rows = await store.costs(CostFilter(by=by, simulated=simulated))
            assert of_rows(rows) == total, (by, simulated)
        by_run = {row.key: row for row in await store.costs(CostFilter(by="run", simulated=simulated))}
        for run in runs:
            if run.simulated != simulated:
                assert run.id not in by_run
            elif run.id in by_run:
                row = by_run[run.id]
                assert (
                    run.cost_micro_usd, run.unpriced_calls, run.at_most_micro_usd, run.saved_micro_usd,
                    run.usage,
                ) == (
                    row.cost_micro_usd, row.unpriced_calls, row.at_most_micro_usd, row.saved_micro_usd,
                    row.usage,
                )  # fmt: skip
        days = [await store.ledger(day_scope(simulated=simulated), day) for day in _days(calls)]
        assert sum(day.spent for day in days) == (total["settled"] or 0)
        assert sum(day.at_most for day in days) == total["at most"]
        assert sum(day.reserved for day in days) == total["reserved"]


def _days(calls: list[CallRow]) -> set[int]:
    return {day_of(call.started_at) for call in calls}


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_all_totals_agree(kind: str) -> None:
    @given(history=appends)
    @settings(
        max_examples=60 if kind == "memory" else 15,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    def agree(history: list[list[e.Draft]]) -> None:
        async def check() -> None:
            if kind == "memory":
                await compare(InMemoryStore(), history)
                return
            with tempfile.TemporaryDirectory() as directory:
                store = await open_store(Path(directory) / "x.db", durability="process")
                try:
                    await compare(store, history)
                finally:
                    await store.close()

        asyncio.run(check())

    agree()
