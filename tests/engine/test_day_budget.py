"""What all runs together may spend on a UTC day: the store reserves it, in order, and never too much."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest

from aethermind.domain import invariants
from aethermind.domain.days import DAY_MS, day_of
from aethermind.domain.events import (
    BudgetFreed,
    BudgetHeld,
    CallFinished,
    CallStarted,
    RunSucceeded,
)
from aethermind.domain.run import fold
from aethermind.domain.workflow import Budget, Function, Prompt, StepDef, WorkflowDef
from aethermind.engine.ports import EventStore
from aethermind.infra.stores.memory import InMemoryStore
from aethermind.infra.stores.sqlite import SqliteStore, open_store
from tests.engine.days import Clock, ask, begin, check_ledger, paid, rest, seen
from tests.engine.harness import Harness, StepClock, types, workflow
from tests.engine.paid import Paid


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> SqliteStore | InMemoryStore:
    return await open_store(":memory:" if request.param == "memory" else tmp_path / "x.db")


async def test_a_thousand_calls_side_by_side_overshoot_neither_run_nor_day(
    store: SqliteStore | InMemoryStore,
) -> None:
    """Four runs with 250 calls each; each reserves 100 and costs less."""
    cap, budget, raised = 20_000, 8_000, 100_000
    costs = random.Random(7)
    provider = Paid(cost=lambda _text: costs.randint(10, 100))
    flow = workflow(
        *(ask(f"s{n}", model=f"paid:m{n}", for_each=list(range(25)), on_error="continue") for n in range(10))
    )
    async with paid(provider, store=store, max_concurrent=1_000, day_budget=cap) as h:
        runs = [await h.start(flow, simulated=False, budget_micro_usd=budget) for _ in range(4)]
        for run_id in runs:
            assert (await rest(h, run_id)).status == "waiting_budget"
        first = await store.read_all(0, limit=100_000)
        check_ledger(first, day=cap, runs=dict.fromkeys(runs, budget))
        spent = sum(r.event.cost.micro_usd or 0 for r in first if isinstance(r.event, CallFinished))
        assert cap - 200 < spent <= cap, "what fits is spent, to the last reservation"
        scopes = {r.event.scope for r in first if isinstance(r.event, BudgetHeld)}
        assert scopes <= {"run", "day"}
        assert "day" in scopes

        await h.client.raise_day_budget(raised)
        for run_id in runs:
            await rest(h, run_id)
            await h.client.raise_budget(run_id, 30_000)
        for run_id in runs:
            assert (await rest(h, run_id)).status == "succeeded"
            invariants.check(fold(run_id, await h.history(run_id)))
        history = await store.read_all(0, limit=100_000)
        check_ledger(history, day=raised, runs=dict.fromkeys(runs, 30_000))
        assert len(provider.asked) == 1_000, "who was held had paid for nothing, and nothing was paid twice"
        row = await h.client.day_budget()
        total = sum(r.event.cost.micro_usd or 0 for r in history if isinstance(r.event, CallFinished))
        assert (row.spent, row.at_most, row.reserved, row.cap) == (total, 0, 0, raised)
        before = await store.projection_hashes()
        await store.rebuild()
        assert await store.projection_hashes() == before


async def test_a_call_that_does_not_fit_waits_and_a_raise_lets_it_go_on_at_once() -> None:
    async with paid(day_budget=150) as h:
        run_id = await begin(h, ask("a"), ask("b", depends_on=("a",)), ask("c", most=200))
        run = await rest(h, run_id)
        assert run.status == "waiting_budget"
        assert {path: node.status for path, node in run.nodes.items()} == {
            "a": "succeeded",
            "b": "succeeded",
            "c": "waiting_budget",
        }
        (held,) = [r.event for r in await h.history(run_id) if isinstance(r.event, BudgetHeld)]
        assert (held.scope, held.needed_micro_usd) == ("day", 200)
        assert run.nodes["c"].reason == "would exceed the budget of the day"
        row = await h.client.day_budget()
        assert (row.spent, row.left) == (20, 130)
        await h.client.raise_day_budget(220, by="me")
        run = await rest(h, run_id)
        assert run.status == "succeeded"
        assert [a.status for a in run.nodes["c"].attempts] == ["cancelled", "succeeded"]
        assert types(await h.history(run_id)).count("BudgetFreed") == 1
        await h.verify(run_id)


async def test_who_was_held_first_goes_on_first_over_all_runs() -> None:
    clock = Clock()
    async with paid(day_budget=50, clock=clock) as h:
        runs = []
        for _ in range(4):
            runs.append(await begin(h, ask("a")))
            assert (await rest(h, runs[-1])).status == "waiting_budget"
            clock.skip(1)
        await h.client.raise_day_budget(105)
        for run_id in runs[:1]:
            assert (await rest(h, run_id)).status == "succeeded"
        await h.client.raise_day_budget(1_000)
        for run_id in runs:
            assert (await rest(h, run_id)).status == "succeeded"
        freed = [r.stream for r in await h.store.read_all(0) if isinstance(r.event, BudgetFreed)]
        assert freed == [f"run/{run_id}" for run_id in runs]


async def test_what_a_call_gives_back_lets_others_of_another_run_go_on() -> None:
    gate = asyncio.Event()

    async def pace(text: str) -> None:
        if text == "slow":
            await gate.wait()

    async with paid(Paid(pace=pace), day_budget=150) as h:
        slow = await begin(h, ask("slow"))
        await seen(h, slow, CallStarted)
        other = await begin(h, ask("other"))
        assert (await rest(h, other)).status == "waiting_budget"
        gate.set()
        assert (await rest(h, slow)).status == "succeeded"
        await seen(h, other, RunSucceeded)
        assert "BudgetRaised" not in types(await h.store.read_all(0))


async def test_a_run_does_not_rest_while_its_own_call_may_still_give_back() -> None:
    async with paid(day_budget=150) as h:
        run_id = await begin(h, ask("a"), ask("b"))
        run = await rest(h, run_id)
        assert run.status == "succeeded", "one word, from its start to its end"
        assert "BudgetHeld" in types(await h.history(run_id))


async def test_no_more_are_let_go_than_fit() -> None:
    """Each needs 100: with room for two of five, two go on, and nobody is held twice."""
    gate = asyncio.Event()

    async def pace(text: str) -> None:
        await gate.wait()

    async with paid(Paid(pace=pace), day_budget=0 + 1) as h:
        runs = [await begin(h, ask("a")) for _ in range(5)]
        for run_id in runs:
            await rest(h, run_id)
        await h.client.raise_day_budget(250)
        for run_id in runs[:2]:
            await seen(h, run_id, CallStarted)
        history = await h.store.read_all(0)
        assert types(history).count("BudgetFreed") == 2
        assert types(history).count("BudgetHeld") == 5
        gate.set()
        for run_id in runs:
            await seen(h, run_id, RunSucceeded)
        assert types(await h.store.read_all(0)).count("BudgetHeld") == 5


async def test_the_next_utc_day_begins_with_a_budget_of_its_own() -> None:
    midnight = (day_of(StepClock.START) + 1) * DAY_MS
    clock = Clock(midnight - 150)
    async with paid(day_budget=105, clock=clock) as h:
        run_id = await begin(h, ask("a"), ask("b", depends_on=("a",)))
        assert (await rest(h, run_id)).status == "waiting_budget"
        await seen(h, run_id, RunSucceeded)
        starts = [r.at for r in await h.history(run_id) if isinstance(r.event, CallStarted)]
        assert [day_of(at) for at in starts] == [day_of(midnight) - 1, day_of(midnight)]
        assert (await h.client.day_budget()).spent == 10
        assert (await h.store.ledger("day", day_of(midnight) - 1)).spent == 10


async def test_a_raise_holds_for_its_day_only() -> None:
    clock = Clock()
    async with paid(day_budget=50, clock=clock) as h:
        await h.client.raise_day_budget(1_000)
        assert (await h.client.day_budget()).cap == 1_000
        clock.skip(DAY_MS)
        assert (await h.client.day_budget()).cap == 50
        run_id = await begin(h, ask("a"))
        assert (await rest(h, run_id)).status == "waiting_budget"


async def test_a_budget_may_be_set_for_a_day_where_none_is_configured() -> None:
    async with paid() as h:
        assert (await h.client.day_budget()).cap is None
        assert (await rest(h, await begin(h, ask("a")))).status == "succeeded"
        await h.client.raise_day_budget(100)
        assert (await rest(h, await begin(h, ask("a")))).status == "waiting_budget"


async def test_simulated_runs_have_a_ledger_of_their_own() -> None:
    async with Harness(day_budget=1) as h:
        run = await h.run(workflow(StepDef(id="a", action=Prompt(template="x", models=("smart",)))))
        assert run.status == "waiting_budget"
        await h.client.raise_day_budget(1_000_000, simulated=False)
        assert (await rest(h, run.id)).status == "waiting_budget"
        await h.client.raise_day_budget(1_000_000, simulated=True)
        run = await rest(h, run.id)
        assert run.status == "succeeded"
        assert (await h.client.day_budget(simulated=True)).spent == run.tally.cost
        assert (await h.client.day_budget()).spent == 0


async def test_a_model_without_a_price_is_refused_unless_the_workflow_allows_it() -> None:
    async with paid(day_budget=100) as h:
        run = await rest(h, await begin(h, ask("a", model="paid:mystery")))
        assert run.status == "failed"
        assert run.error is not None
        assert "no known price" in run.error.message
        allowing = workflow(
            ask("a", model="paid:mystery"), budget=Budget(micro_usd=1_000_000, unpriced="allow")
        )
        run = await rest(h, await h.start(allowing, simulated=False))
        assert run.status == "succeeded"
        assert run.tally.unpriced == 1


async def test_what_costs_nothing_never_waits() -> None:
    async with paid(Paid(cost=lambda _text: 500), day_budget=100) as h:
        run = await rest(h, await begin(h, ask("a")))  # a vendor that bills more than it was asked for
        assert run.tally.cost == 500
        assert (await h.client.day_budget()).left == -400
        assert (await rest(h, await begin(h, ask("b")))).status == "waiting_budget"
        assert (await rest(h, await begin(h, ask("c", model="paid:gratis")))).status == "succeeded"


async def test_a_paused_or_cancelled_run_takes_no_room() -> None:
    async with paid(day_budget=50) as h:
        paused, cancelled, third = [await begin(h, ask("a")) for _ in range(3)]
        for run_id in (paused, cancelled, third):
            await rest(h, run_id)
        await h.client.pause(paused)
        await h.client.cancel(cancelled)
        await h.client.raise_day_budget(105)
        await seen(h, third, RunSucceeded)
        assert (await rest(h, paused)).status == "paused"
        await h.client.raise_day_budget(1_000)
        await h.client.resume(paused)
        await seen(h, paused, RunSucceeded)


async def test_the_runs_own_budget_sees_calls_that_are_not_applied_yet() -> None:
    """Two calls of one turn, and a run's budget for one of them."""
    hang = asyncio.Event()

    async def pace(text: str) -> None:
        await hang.wait()

    store: EventStore = InMemoryStore()
    async with paid(Paid(pace=pace), store=store, day_budget=10_000) as h:
        run_id = await begin(h, ask("a"), ask("b"), ask("c"), budget_micro_usd=150)
        await seen(h, run_id, BudgetHeld, 2)
        assert [r.type for r in await h.history(run_id)].count("CallStarted") == 1
        hang.set()
        await seen(h, run_id, RunSucceeded)
        check_ledger(await store.read_all(0, limit=10_000), day=10_000, runs={run_id: 150})


async def test_calls_side_by_side_in_one_attempt_are_numbered_without_a_gap() -> None:
    """Of ten calls at a time of a function only some fit: those that do are numbered 1, 2, 3 …"""

    async def many(ctx: Any) -> int:
        texts = await asyncio.gather(
            *(ctx.chat(str(n), model="paid:m", settings={"max_tokens": 100}) for n in range(10)),
            return_exceptions=True,
        )
        return sum(isinstance(text, str) for text in texts)

    async with paid(day_budget=550) as h:
        h.engine.register("many", many)
        flow: WorkflowDef = workflow(StepDef(id="f", action=Function(name="many")))
        run = await rest(h, await h.start(flow, simulated=False))
        assert run.status == "succeeded"
        (attempt,) = run.nodes["f"].attempts
        assert [call.n for call in attempt.calls] == list(range(1, len(attempt.calls) + 1))
        assert run.outputs == {"f": len(attempt.calls)}
        check_ledger(await h.store.read_all(0), day=550, runs={run.id: 10_000})
        await h.verify(run.id)
