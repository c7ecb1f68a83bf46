"""Calls of one attempt: numbered as they are recorded, each recorded once, whatever the attempt does."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress

from aethermind.domain.errors import ProviderError
from aethermind.domain.events import CallFinished, CallStarted, LogWritten
from aethermind.domain.run import Run
from aethermind.domain.workflow import Budget, Function, Prompt, Retry, StepDef
from aethermind.engine.context import StepContext
from tests.engine.harness import Harness, workflow

CHAT = workflow(StepDef(id="a", action=Function(name="f")))


async def _calls(h: Harness, run: Run) -> tuple[list[int], list[int]]:
    events = [r.event for r in await h.history(run.id)]
    started = [e.call for e in events if isinstance(e, CallStarted)]
    return started, [e.call for e in events if isinstance(e, CallFinished)]


async def test_calls_side_by_side_are_each_billed_once() -> None:
    async def talk(ctx: StepContext) -> int:
        async def branch(name: str) -> None:
            for turn in range(3):
                await ctx.chat(f"{name} {turn}", model="sim:smart")

        await asyncio.gather(*(branch(name) for name in "abc"))
        return 9

    async with Harness() as h:
        h.engine.register("f", talk)
        run = await asyncio.wait_for(h.run(CHAT), 10)
        assert run.status == "succeeded"
        started, finished = await _calls(h, run)
        assert started == list(range(1, 10))
        assert Counter(finished) == Counter(started)
        assert run.tally.in_flight == run.tally.reserved == 0


async def test_a_refused_call_leaves_no_gap() -> None:
    async def talk(ctx: StepContext) -> str:
        with suppress(ProviderError):
            await ctx.chat("too dear", model="sim:smart", settings={"max_tokens": 1_000_000})
        return str(await ctx.chat("x", model="sim:smart", settings={"max_tokens": 1}))

    async with Harness() as h:
        h.engine.register("f", talk)
        definition = workflow(*CHAT.steps, budget=Budget(micro_usd=1_000, on_exceed="fail"))
        run = await asyncio.wait_for(h.run(definition), 10)
        assert run.status == "succeeded"
        assert await _calls(h, run) == ([1], [1])


async def test_what_a_call_really_cost_counts_before_the_next_is_reserved() -> None:
    async def talk(ctx: StepContext) -> None:
        for _ in range(5):
            await ctx.chat("x", model="sim:smart", settings={"max_tokens": 2_000})

    async with Harness() as h:
        h.engine.register("f", talk)
        free = await asyncio.wait_for(h.run(CHAT), 10)
        started = [r.event for r in await h.history(free.id) if isinstance(r.event, CallStarted)]
        enough = (free.tally.cost or 0) + max(e.reserved_micro_usd or 0 for e in started)
        run = await asyncio.wait_for(h.run(CHAT, budget_micro_usd=enough), 10)
        assert run.status == "succeeded"


async def test_a_call_begun_after_its_attempt_ended_is_refused() -> None:
    late: list[asyncio.Task[object]] = []
    ended = asyncio.Event()

    async def talk(ctx: StepContext) -> int:
        async def afterwards() -> object:
            await ended.wait()
            return await ctx.chat("still there?", model="sim:smart")

        if ctx.step == "a":
            late.append(asyncio.get_running_loop().create_task(afterwards()))
            return 1
        ended.set()
        results = await asyncio.gather(*late, return_exceptions=True)
        assert isinstance(results[0], ProviderError)
        return 2

    async with Harness() as h:
        h.engine.register("f", talk)
        second = StepDef(id="b", action=Function(name="f"), depends_on=("a",), retry=Retry(max_attempts=1))
        run = await asyncio.wait_for(h.run(workflow(*CHAT.steps, second)), 10)
        assert run.status == "succeeded", run.error
        assert run.tally.calls == 0


async def test_a_log_that_is_not_json_does_not_harm_the_run() -> None:
    async def talk(ctx: StepContext) -> int:
        ctx.log("odd", thing=object(), fine=1)
        return 1

    async with Harness() as h:
        h.engine.register("f", talk)
        run = await asyncio.wait_for(h.run(CHAT), 10)
        assert run.status == "succeeded"
        logs = [r.event for r in await h.store.read_all(0) if isinstance(r.event, LogWritten)]
        assert logs[0].metadata["fine"] == 1
        assert "object object" in logs[0].metadata["thing"]


async def test_steps_after_it_see_what_is_recorded_not_the_object_itself() -> None:
    kept: list[list[int]] = []

    async def give(ctx: StepContext) -> object:
        kept.append([1])
        return {"list": kept[0], 7: (1, 2)}

    async def take(ctx: StepContext) -> object:
        kept[0].append(2)
        return ctx.steps["a"].output

    async with Harness() as h:
        h.engine.register("f", give)
        h.engine.register("g", take)
        run = await h.run(
            workflow(*CHAT.steps, StepDef(id="b", action=Function(name="g"), depends_on=("a",)))
        )
        assert run.nodes["b"].output == {"list": [1], "7": [1, 2]}


async def test_errors_are_recorded_without_secrets() -> None:
    async def fail(ctx: StepContext) -> None:
        raise ValueError("bad key hush-hush")

    async with Harness() as h:
        h.engine._services.scrub = lambda text: text.replace("hush-hush", "[redacted]")
        h.engine.register("f", fail)
        steps = [StepDef(id="a", action=Function(name="f"), retry=Retry(max_attempts=1))]
        run = await h.run(workflow(*steps))
        assert run.error is not None
        assert run.error.message == "ValueError: bad key [redacted]"
        assert not [r for r in await h.store.read_all(0) if "hush" in repr(r.event)]


async def test_waiting_for_a_place_does_not_count_against_the_timeout() -> None:
    async with Harness() as h:
        h.engine._services.governor.hold("sim:smart", 150)
        step = StepDef(
            id="a", action=Prompt(template="x", models=("smart",)), timeout_ms=50, retry=Retry(max_attempts=1)
        )
        run = await asyncio.wait_for(h.run(workflow(step)), 10)
        assert run.status == "succeeded", run.error
