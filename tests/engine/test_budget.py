"""A budget is reserved before the call; what does not fit waits, and goes on when the budget is raised."""

from __future__ import annotations

import asyncio

from aethermind.domain.events import CallFinished, CallStarted
from aethermind.domain.workflow import Budget, Prompt, StepDef, Value
from tests.engine.harness import Harness, types, workflow

CALL = Prompt(template="Say a word", models=("smart",), settings={"max_tokens": 100})
LONG_CALL = Prompt(template="Say a word", models=("smart",), settings={"max_tokens": 1_000})
SMALL_CALL = Prompt(template="x", models=("smart",), settings={"max_tokens": 1})


async def test_a_call_that_could_overshoot_waits_and_other_branches_go_on() -> None:
    async with Harness() as h:
        run_id = await h.start(
            workflow(
                StepDef(id="a", action=CALL),
                StepDef(id="free", action=SMALL_CALL),
            ),
            budget_micro_usd=1_000,
        )
        run = await asyncio.wait_for(h.client.wait(run_id), 5)
        assert run.status == "waiting_budget"
        assert run.nodes["a"].status == "waiting_budget"
        assert run.nodes["free"].status == "succeeded"
        assert "BudgetHeld" in types(await h.history(run_id))
        await h.client.raise_budget(run_id, 1_000_000, by="me")
        run = await asyncio.wait_for(h.client.wait(run_id), 5)
        assert run.status == "succeeded"
        assert [a.status for a in run.nodes["a"].attempts] == ["cancelled", "succeeded"]
        await h.verify(run_id)


async def test_on_exceed_fail_fails_the_step() -> None:
    async with Harness() as h:
        run = await h.run(
            workflow(StepDef(id="a", action=CALL), budget=Budget(micro_usd=10, on_exceed="fail")),
        )
        assert run.status == "failed"
        assert run.error is not None
        assert "budget" in run.error.message
        assert run.error.hint == f"aethermind fork {run.id} --at a --budget USD"


async def test_the_repair_of_an_exceeded_budget_names_the_step_that_a_fork_takes() -> None:
    async with Harness() as h:
        run = await h.run(
            workflow(
                StepDef(id="cheap", action=Value(value=1)),
                StepDef(id="each", action=CALL, for_each=[1, 2], depends_on=("cheap",)),
                budget=Budget(micro_usd=10, on_exceed="fail"),
            ),
        )
        assert run.status == "failed"
        found = {node.error.hint for node in run.walk() if node.error is not None and node.mode == "leaf"}
        assert found == {f"aethermind fork {run.id} --at each --budget USD"}
        fork = await h.client.fork(run.id, "each", budget_micro_usd=1_000_000)
        mended = await asyncio.wait_for(h.client.wait(fork), 5)
        assert mended.status == "succeeded"
        assert list(mended.created.adopted) == ["cheap"]


async def test_what_was_reserved_and_spent_never_exceeds_the_budget() -> None:
    async with Harness(max_concurrent=50) as h:
        run_id = await h.start(
            workflow(StepDef(id="a", action=CALL, for_each=list(range(40)))), budget_micro_usd=20_000
        )
        run = await asyncio.wait_for(h.client.wait(run_id), 10)
        assert run.status == "waiting_budget"
        assert 0 < (run.tally.cost or 0) <= 20_000
        spent = 0
        open_calls: dict[tuple[str, int, int], int] = {}
        for recorded in await h.history(run_id):
            event = recorded.event
            if isinstance(event, CallStarted):
                open_calls[event.step, event.attempt, event.call] = event.reserved_micro_usd or 0
            elif isinstance(event, CallFinished):
                del open_calls[event.step, event.attempt, event.call]
                spent += event.cost.micro_usd or 0
            assert spent + sum(open_calls.values()) <= 20_000


async def test_what_a_call_did_not_need_lets_those_go_on_that_were_held_for_it() -> None:
    async with Harness() as h:
        alone = await h.run(workflow(StepDef(id="a", action=LONG_CALL)))
        started = [r.event for r in await h.history(alone.id) if isinstance(r.event, CallStarted)]
        reserved, cost = started[0].reserved_micro_usd or 0, alone.tally.cost or 0
        run_id = await h.start(
            workflow(StepDef(id="a", action=LONG_CALL, for_each=[1, 2, 3, 4])),
            budget_micro_usd=2 * reserved + 4 * cost,
        )
        run = await asyncio.wait_for(h.client.wait(run_id), 5)
        assert "BudgetHeld" in types(await h.history(run_id))
        assert run.status == "succeeded"
        assert (run.tally.cost or 0) <= 2 * reserved + 4 * cost
        await h.verify(run_id)
