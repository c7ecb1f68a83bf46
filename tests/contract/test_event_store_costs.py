"""What every adapter of the port `EventStore` adds up: costs by model, agent, workflow, day and run."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from aethermind.engine.queries import CostFilter, CostGroup
from aethermind.infra.stores.memory import InMemoryStore
from aethermind.infra.stores.sqlite import SqliteStore, open_store
from tests.infra.stores.histories import DAY, T0, answered, call, created, on, started

Store = SqliteStore | InMemoryStore


@pytest.fixture(params=["memory", "power", "process"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    adapter: Store
    if request.param == "memory":
        adapter = InMemoryStore()
    else:
        adapter = await open_store(tmp_path / "x.db", durability=request.param)
    yield adapter
    before = await adapter.projection_hashes()
    await adapter.rebuild()
    assert await adapter.projection_hashes() == before, "a rebuild changed the projections"
    await adapter.close()


async def spend(store: Store) -> None:
    """Two runs on three days, and a simulated one."""
    await store.append(on("r", created("big"), started(), at=T0), {})
    await store.append(on("r", call(), answered(cost=100), at=T0 + 10), {})
    await store.append(
        on("r", call(n=2, model="openai:small", agent=None), answered(n=2, cost=None), at=T0 + DAY), {}
    )
    await store.append(on("s", created("small"), started(), call(agent="critic"), at=T0 + DAY + 1000), {})
    await store.append(on("s", answered(cost=30), call(n=2, reserved=400), at=T0 + 2 * DAY), {})
    await store.append(on("sim", created("big", simulated=True), started(), call(model="sim:x")), {})
    await store.append(on("sim", answered(cost=9_999)), {})


@pytest.mark.parametrize(
    "by, wanted",
    [
        ("model", [("openai:big", 3, 130, 0, 1, 400), ("openai:small", 1, None, 1, 0, 0)]),
        ("agent", [("writer", 2, 100, 0, 1, 400), ("critic", 1, 30, 0, 0, 0), ("(none)", 1, None, 1, 0, 0)]),
        ("workflow", [("big", 2, 100, 1, 0, 0), ("small", 2, 30, 0, 1, 400)]),
        ("run", [("r", 2, 100, 1, 0, 0), ("s", 2, 30, 0, 1, 400)]),
        (
            "day",
            [
                ("2024-10-06", 1, None, 0, 1, 400),
                ("2024-10-05", 2, 30, 1, 0, 0),
                ("2024-10-04", 1, 100, 0, 0, 0),
            ],
        ),
    ],
)
async def test_costs(store: Store, by: CostGroup, wanted: list[tuple[Any, ...]]) -> None:
    await spend(store)
    rows = await store.costs(CostFilter(by=by))
    assert await store.costs(CostFilter(by=by, limit=2)) == rows[:2]
    assert [
        (r.key, r.calls, r.cost_micro_usd, r.unpriced_calls, r.in_flight_calls, r.reserved_micro_usd)
        for r in rows
    ] == wanted
    assert sum(r.usage.input_tokens for r in rows) == 30


async def test_costs_of_simulated_runs_are_apart(store: Store) -> None:
    await spend(store)
    for by in ("model", "agent", "workflow", "day", "run"):
        (row,) = await store.costs(CostFilter(by=by, simulated=True))
        assert (row.calls, row.cost_micro_usd) == (1, 9_999)


async def test_costs_since(store: Store) -> None:
    await spend(store)
    wanted = {
        T0: (4, 130),
        T0 + 10: (4, 130),
        T0 + 11: (3, 30),
        T0 + DAY + 1: (2, 30),
        T0 + DAY + 1003: (1, None),
    }
    for by in ("model", "agent", "workflow", "day", "run"):
        for since, (calls, cost) in wanted.items():
            rows = await store.costs(CostFilter(by=by, since=since))
            assert await store.costs(CostFilter(by=by, since=since, limit=1)) == rows[:1]
            assert sum(r.calls for r in rows) == calls, (by, since)
            priced = [r.cost_micro_usd for r in rows if r.cost_micro_usd is not None]
            assert (sum(priced) if priced else None) == cost
            assert sum(r.in_flight_calls for r in rows) == 1
            assert sum(r.reserved_micro_usd for r in rows) == 400
    assert await store.costs(CostFilter(since=T0 + 5 * DAY)) == []
