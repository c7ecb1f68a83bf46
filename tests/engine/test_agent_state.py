"""`ctx.state`: kept with the attempt's success, last writer wins, updates all count."""

from __future__ import annotations

import asyncio
from typing import Any

from aethermind.domain.events import StateChanged
from aethermind.domain.ids import agent_stream
from aethermind.domain.workflow import Function, StepDef
from aethermind.engine.context import StepContext
from tests.engine.harness import Harness, Kept, workflow


def step(name: str, **fields: Any) -> StepDef:
    return StepDef(id=name, action=Function(name=name, agent="memo"), **fields)


async def add(ctx: StepContext) -> int:
    value: int = await ctx.state.update("n", lambda n: (n or 0) + 1)
    return value


async def test_it_is_there_for_the_next_run_and_the_next_engine() -> None:
    store = Kept()

    async def note(ctx: StepContext) -> Any:
        before = await ctx.state.get("seen", [])
        await ctx.state.set("seen", [*before, ctx.inputs["name"]])
        return await ctx.state.get("seen")

    for name, expected in (("a", ["a"]), ("b", ["a", "b"])):
        async with Harness(store=store) as h:
            h.engine.register("note", note)
            run = await h.run(workflow(step("note")), {"name": name})
            assert run.outputs == {"note": expected}


async def test_updates_of_many_attempts_all_count() -> None:
    async with Harness() as h:
        h.engine.register("add", add)
        run = await h.run(workflow(step("add", for_each=list(range(20)))))
        assert run.status == "succeeded"
        assert (await h.engine.scheduler._states.load("memo"))["n"] == 20
        history = await h.store.read_stream(agent_stream("memo"))
        assert len(history) == 20


async def test_an_attempt_that_fails_writes_nothing() -> None:
    async def broken(ctx: StepContext) -> None:
        await ctx.state.set("k", 1)
        raise ValueError("no")

    async with Harness() as h:
        h.engine.register("broken", broken)
        run = await h.run(workflow(step("broken")))
        assert run.status == "failed"
        assert await h.store.read_stream(agent_stream("memo")) == []


async def test_success_and_state_are_one_commit() -> None:
    async with Harness() as h:
        h.engine.register("add", add)
        run = await h.run(workflow(step("add")))
        everything = await h.store.read_all(0)
        at = next(i for i, r in enumerate(everything) if isinstance(r.event, StateChanged))
        assert everything[at + 1].type == "AttemptSucceeded"
        assert everything[at + 1].stream == f"run/{run.id}"


async def test_deleting_and_defaults() -> None:
    async def drop(ctx: StepContext) -> list[Any]:
        await ctx.state.set("k", 1)
        await ctx.state.delete("k")
        return [await ctx.state.get("k", "gone"), await ctx.state.get("other")]

    async with Harness() as h:
        h.engine.register("drop", drop)
        run = await h.run(workflow(step("drop")))
        assert run.outputs == {"drop": ["gone", None]}


async def test_an_update_that_raises_at_the_commit_fails_the_attempt_alone() -> None:
    calls = 0

    def flaky(value: Any) -> int:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise RuntimeError("not twice")
        return 1

    async def write(ctx: StepContext) -> None:
        await ctx.state.update("k", flaky)

    async with Harness() as h:
        h.engine.register("write", write)
        run = await asyncio.wait_for(h.run(workflow(step("write"))), 5)
        assert run.status == "failed"
        assert run.error is not None
        assert "not twice" in run.error.message
