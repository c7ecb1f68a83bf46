"""What every adapter of the port `EventStore` keeps: the ledger of the days, and reservations in it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aethermind.domain import events as e
from aethermind.domain.days import day_of, day_scope, one_day, parse_one_day
from aethermind.domain.errors import ConflictError
from aethermind.domain.usage import AT_MOST_RESERVED
from aethermind.engine.queries import CostFilter, LedgerRow, RunFilter
from aethermind.infra.stores.memory import InMemoryStore
from aethermind.infra.stores.sqlite import SqliteStore, open_store
from tests.infra.stores.histories import DAY, T0, answered, appends, call, created, lost, on, refused, started

Store = SqliteStore | InMemoryStore
TODAY = day_of(T0)


@pytest.fixture(params=["memory", "process"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    adapter: Store = InMemoryStore()
    if request.param != "memory":
        adapter = await open_store(tmp_path / "x.db", durability=request.param)
    yield adapter
    before = await adapter.projection_hashes()
    await adapter.rebuild()
    assert await adapter.projection_hashes() == before, "a rebuild changed the projections"
    await adapter.close()


def intent(
    run: str, n: int = 1, *, micro_usd: int, cap: int, step: str = "a", at: int = T0, scope: str = "day"
) -> e.Draft:
    event = call(step, n=n, reserved=micro_usd)
    return e.Draft(f"run/{run}", at, event, e.Reserve(scope, micro_usd, cap))


async def begun(store: Store, run: str = "r", *, simulated: bool = False) -> None:
    await store.append(on(run, created(simulated=simulated), started()), {})


async def test_what_does_not_fit_is_left_out_and_the_rest_stands(store: Store) -> None:
    await begun(store)
    done = await store.append(
        [
            intent("r", 1, micro_usd=60, cap=100),
            intent("r", 2, micro_usd=60, cap=100),
            *on("r", started("b")),
            intent("r", 2, micro_usd=40, cap=100),
        ],
        {"run/r": 2},
    )
    assert [(r.version, r.type) for r in done] == [
        (3, "CallStarted"),
        (4, "AttemptStarted"),
        (5, "CallStarted"),
    ]
    assert [r.seq for r in done] == [3, 4, 5]
    assert await store.read_stream("run/r", 2) == done
    assert await store.ledger("day", TODAY) == LedgerRow("day", TODAY, 0, 0, 100)
    assert await store.append([intent("r", 3, micro_usd=1, cap=100)], {"run/r": 5}) == []
    (added,) = await store.append(on("r", started("c")), {"run/r": 5})
    assert added.version == 6, "what was left out leaves no gap"


async def test_what_is_given_back_can_be_reserved_in_the_same_append(store: Store) -> None:
    await begun(store)
    await store.append([intent("r", micro_usd=100, cap=100)], {})
    done = await store.append([*on("r", answered(cost=30)), intent("r", 2, micro_usd=70, cap=100)], {})
    assert [r.type for r in done] == ["CallFinished", "CallStarted"]
    assert await store.ledger("day", TODAY) == LedgerRow("day", TODAY, 30, 0, 70)


async def test_what_may_have_been_billed_counts(store: Store) -> None:
    await begun(store)
    await store.append(on("r", call(reserved=10), call(n=2, reserved=20), call(n=3, reserved=40)), {})
    await store.append(on("r", refused(), refused(n=2, cost=AT_MOST_RESERVED), lost()), {})
    assert await store.ledger("day", TODAY) == LedgerRow("day", TODAY, 0, 20 + 40, 0)
    (row,) = (await store.runs(RunFilter())).items
    assert (row.at_most_micro_usd, row.cost_micro_usd, row.unpriced_calls) == (60, None, 0)
    for where in (CostFilter(), CostFilter(by="run"), CostFilter(since=T0 - 1), CostFilter(by="day")):
        (cost,) = await store.costs(where)
        assert (cost.at_most_micro_usd, cost.reserved_micro_usd, cost.unpriced_calls) == (60, 0, 0), where
    await store.append(on("r", answered(n=3, cost=5)), {})  # it is heard of after all
    assert await store.ledger("day", TODAY) == LedgerRow("day", TODAY, 5, 20, 0)


async def test_a_call_counts_for_the_day_on_which_it_started(store: Store) -> None:
    await begun(store)
    await store.append([intent("r", micro_usd=80, cap=100)], {})
    late = T0 + DAY
    done = await store.append(
        [*on("r", answered(cost=50), at=late), intent("r", 2, micro_usd=100, cap=100, at=late)], {}
    )
    assert len(done) == 2
    assert await store.ledger("day", TODAY) == LedgerRow("day", TODAY, 50)
    assert await store.ledger("day", TODAY + 1) == LedgerRow("day", TODAY + 1, 0, 0, 100)


async def test_simulated_money_is_never_mixed_with_real_money(store: Store) -> None:
    await begun(store)
    await begun(store, "s", simulated=True)
    await store.append([intent("r", micro_usd=90, cap=100)], {})
    assert len(await store.append([intent("s", micro_usd=90, cap=100, scope="day:sim")], {})) == 1
    assert await store.append([intent("s", 2, micro_usd=90, cap=100, scope="day:sim")], {}) == []
    assert (await store.ledger("day", TODAY)).reserved == 90
    assert (await store.ledger("day:sim", TODAY)).reserved == 90


async def test_a_cap_that_was_set_for_a_day_holds_instead_of_the_other(store: Store) -> None:
    await begun(store)
    raised = e.BudgetRaised(scope=one_day("day", TODAY), micro_usd=300)
    await store.append([e.Draft("system", T0, raised)], {})
    assert (await store.ledger("day", TODAY)).cap == 300
    assert len(await store.append([intent("r", micro_usd=250, cap=100)], {})) == 1
    lowered = e.BudgetRaised(scope=one_day("day", TODAY), micro_usd=260)
    # In the append that lowers it, it holds already.
    drafts = [e.Draft("system", T0, lowered), intent("r", 2, micro_usd=20, cap=1_000)]
    assert [r.type for r in await store.append(drafts, {})] == ["BudgetRaised"]
    assert await store.append([intent("r", 2, micro_usd=150, cap=100, at=T0 + DAY)], {}) == []
    nonsense = e.BudgetRaised(scope="day/someday", micro_usd=1)
    await store.append([e.Draft("system", T0, nonsense)], {})
    assert (await store.ledger("day", TODAY)).left == 10


async def test_of_reservations_side_by_side_as_many_are_granted_as_fit(store: Store) -> None:
    for n in range(50):
        await begun(store, f"r{n}")
    done = await asyncio.gather(
        *(store.append([intent(f"r{n}", micro_usd=7, cap=100)], {f"run/r{n}": 2}) for n in range(50))
    )
    assert [len(recorded) for recorded in done] == [1] * 14 + [0] * 36
    assert (await store.ledger("day", TODAY)).reserved == 98


async def test_a_refused_append_reserves_nothing(store: Store) -> None:
    await begun(store)
    with pytest.raises(ConflictError):
        await store.append([intent("r", micro_usd=90, cap=100)], {"run/r": 7})
    assert await store.ledger("day", TODAY) == LedgerRow("day", TODAY)
    assert len(await store.append([intent("r", micro_usd=90, cap=100)], {"run/r": 2})) == 1


async def test_the_ledger_outlives_the_process(tmp_path: Path) -> None:
    file = tmp_path / "x.db"
    first = await open_store(file, durability="process")
    await first.append(on("r", created(), started()), {})
    await first.append([intent("r", micro_usd=90, cap=100)], {})
    await first.close()
    second = await open_store(file, durability="process")
    assert await second.append([intent("r", 2, micro_usd=11, cap=100)], {}) == []
    assert len(await second.append([intent("r", 2, micro_usd=10, cap=100)], {})) == 1
    await second.close()


async def test_a_batch_that_is_replayed_reserves_once(tmp_path: Path) -> None:
    """One of its appends breaks the database's own rule, so each is written again by itself."""
    store = await open_store(tmp_path / "x.db", durability="process")
    assert isinstance(store, SqliteStore)
    for n in range(4):
        await begun(store, f"r{n}")
    bad = e.Draft("run/r0", T0, started("z"))
    broken = e.Draft("run/r0", T0, e.AttemptStarted(step="z", attempt=1, kind="value"))
    results = await asyncio.gather(
        *(store.append([intent(f"r{n}", micro_usd=40, cap=100)], {f"run/r{n}": 2}) for n in range(3)),
        store.append([bad, broken], {"run/r0": 99}),
        return_exceptions=True,
    )
    assert [len(r) if isinstance(r, list) else type(r) for r in results] == [1, 1, 0, ConflictError]
    assert (await store.ledger("day", TODAY)).reserved == 80
    await store.close()


@given(history=appends)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_ledger_is_the_sum_of_the_calls(history: list[list[e.Draft]]) -> None:
    async def check() -> None:
        store = InMemoryStore()
        for drafts in history:
            await store.append(drafts, {})
        await store.append(on("other", created()), {})
        live: dict[tuple[str, int], LedgerRow] = {}
        for scope in ("day", "day:sim"):
            for day in range(TODAY, TODAY + 5):
                row = await store.ledger(scope, day)
                live[scope, day] = LedgerRow(scope, day, row.spent, row.at_most, row.reserved)
        expected = {key: LedgerRow(*key) for key in live}
        for run in (await store.runs(RunFilter(), limit=100)).items:
            for one in (await store.calls(run.id)).items:
                key: tuple[str, int] = (day_scope(simulated=one.simulated), day_of(one.started_at))
                row, reserved = expected[key], one.reserved_micro_usd or 0
                bounded = one.status == "lost" or one.price_source == AT_MOST_RESERVED.source
                expected[key] = LedgerRow(
                    *key,
                    row.spent + (one.cost_micro_usd or 0),
                    row.at_most + (reserved if bounded else 0),
                    row.reserved + (reserved if one.status == "running" else 0),
                )
        assert live == expected
        await store.rebuild()
        for key in live:
            row = await store.ledger(*key)
            assert LedgerRow(*key, row.spent, row.at_most, row.reserved) == expected[key]

    asyncio.run(check())


@given(day=st.integers(0, 60_000), simulated=st.booleans())
def test_the_name_of_a_days_budget_is_read_as_it_was_written(day: int, simulated: bool) -> None:
    scope = day_scope(simulated=simulated)
    assert parse_one_day(one_day(scope, day)) == (scope, day)


@pytest.mark.parametrize("text", ["run", "day", "day/", "day/2026-13-01", "week/2026-11-22", "day:sim", ""])
def test_what_names_no_day(text: str) -> None:
    assert parse_one_day(text) is None
