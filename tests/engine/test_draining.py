"""Leaving in good order: what is in hand is recorded, what is cut off looks as after a crash."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from aethermind.domain.events import AttemptSucceeded, CallFinished, Draft, Recorded
from aethermind.domain.workflow import Function, StepDef
from aethermind.engine.context import StepContext
from tests.engine.harness import Harness, Kept, types, workflow


class Gated(Kept):
    """Holds back the append that has a certain step's success in it."""

    def __init__(self, step: str) -> None:
        super().__init__()
        self.step = step
        self.reached = asyncio.Event()
        self.go_on = asyncio.Event()

    async def append(self, drafts: Sequence[Draft], expected: Mapping[str, int]) -> list[Recorded]:
        if any(isinstance(d.event, AttemptSucceeded) and d.event.step == self.step for d in drafts):
            self.reached.set()
            await self.go_on.wait()
        return await super().append(drafts, expected)


def function(name: str, **fields: Any) -> StepDef:
    return StepDef(id=name, action=Function(name=name), **fields)


async def test_what_ends_while_an_append_is_under_way_is_recorded() -> None:
    store, second = Gated("first"), asyncio.Event()

    async def first(_: StepContext) -> int:
        return 1

    async def other(_: StepContext) -> int:
        await second.wait()
        return 2

    async with Harness(store=store) as h:
        for name, body in {"first": first, "other": other, "then": first, "last": first}.items():
            h.engine.register(name, body)
        after = function("then", depends_on=("first",)), function("last", depends_on=("other", "then"))
        run_id = await h.start(workflow(function("first"), function("other"), *after))
        await store.reached.wait()
        second.set()
        looks = 0
        read = h.engine.clock.monotonic

        def counted() -> float:
            nonlocal looks
            looks += 1
            return read()

        h.engine.clock.monotonic = counted  # type: ignore[method-assign]  # how often the drain comes round
        draining = asyncio.create_task(h.engine.scheduler.drain(5))
        live = h.engine.scheduler.live[run_id]
        await asyncio.wait(live.tasks.values(), timeout=5)
        for _ in range(50):
            await asyncio.sleep(0)
        assert not draining.done()
        assert looks < 10
        store.go_on.set()
        await asyncio.wait_for(draining, 5)
        history = await h.history(run_id)
    ended = [item.event.step for item in history if isinstance(item.event, AttemptSucceeded)]
    assert ended == ["first", "other", "then"]  # `then` was started in the append that was under way
    assert "last" not in [getattr(item.event, "step", "") for item in history]


async def test_a_paid_call_of_an_attempt_that_is_cut_off_is_recorded() -> None:
    store, answered = Kept(), asyncio.Event()

    async def slow(ctx: StepContext) -> str:
        text: str = await ctx.chat("once", model="sim:smart")
        answered.set()
        await asyncio.Event().wait()
        return text

    async with Harness(store=store) as h:
        h.engine.register("slow", slow)
        run_id = await h.start(workflow(function("slow")))
        await answered.wait()
        await asyncio.wait_for(h.engine.scheduler.drain(0), 5)
        run = await h.client.run(run_id)
        assert run.nodes["slow"].status == "running"
        assert [type(item.event) for item in await h.history(run_id)].count(CallFinished) == 1
        assert run.tally.cost
        assert not run.tally.reserved

    async def quick(_: StepContext) -> str:
        return "done"

    async with Harness(store=store) as h:
        h.engine.register("slow", quick)
        await h.client.resume(run_id)
        run = await h.client.wait(run_id)
        await h.verify(run_id)
        lost, last = run.nodes["slow"].attempts
        assert (lost.status, lost.billed_twice, last.status) == ("lost", False, "succeeded")


async def test_an_error_made_of_being_cut_off_fails_nothing() -> None:
    started = asyncio.Event()

    async def stubborn(_: StepContext) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise RuntimeError("made of the cancellation") from None

    async with Harness(store=Kept()) as h:
        h.engine.register("stubborn", stubborn)
        run_id = await h.start(workflow(function("stubborn")))
        await started.wait()
        await asyncio.wait_for(h.engine.scheduler.drain(0), 5)
        assert "AttemptFailed" not in types(await h.history(run_id))


async def test_a_result_that_comes_in_spite_of_being_cut_off_is_kept() -> None:
    started = asyncio.Event()

    async def careful(_: StepContext) -> str:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "rescued"
        return "never"

    async with Harness(store=Kept()) as h:
        h.engine.register("careful", careful)
        run_id = await h.start(workflow(function("careful")))
        await started.wait()
        await asyncio.wait_for(h.engine.scheduler.drain(0), 5)
        run = await h.client.run(run_id)
        assert run.nodes["careful"].output == "rescued"
