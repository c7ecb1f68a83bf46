"""A run that goes round in circles is warned of, then paused; what is repeated for a reason is not."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

from aethermind.domain.errors import ErrorInfo
from aethermind.domain.events import CallStarted, LogWritten, Recorded, RunPaused
from aethermind.domain.run import Run
from aethermind.domain.workflow import Function, Group, Prompt, Repeat, Retry, StepDef, Value
from aethermind.engine.governor import Governor
from aethermind.engine.guard import Limits
from aethermind.engine.lane import LaneLimits
from tests.engine.harness import Harness, Kept, StepClock, workflow
from tests.engine.paid import Paid, PaidModels, Tariff


def guarded(provider: Paid | None = None, **limits: int) -> Harness:
    clock = StepClock()
    return Harness(
        models=PaidModels(provider or Paid()),
        prices=Tariff(),
        limits=Limits(**limits),
        clock=clock,
        governor=Governor(clock, limits=lambda _model: LaneLimits(failures=0)),
    )


def ask(step: str = "a", text: str = "the same", **fields: Any) -> StepDef:
    action = Prompt(template=text, models=("paid:m",), settings={"max_tokens": 100})
    return StepDef(id=step, action=action, **fields)


def loop(rounds: int, text: str = "the same", **repeat: Any) -> StepDef:
    """A repeat of one prompt."""
    return ask(text=text, repeat=Repeat(until=None, max=rounds, **repeat))


async def run_it(h: Harness, *steps: StepDef) -> Run:
    run_id = await h.start(workflow(*steps), simulated=False)
    return await rest(h, run_id)


async def rest(h: Harness, run_id: str) -> Run:
    run = await asyncio.wait_for(h.client.wait(run_id), 10)
    await h.verify(run_id)
    return run


async def told(h: Harness, run_id: str) -> list[str]:
    """What the guard logged."""
    events = [r.event for r in await h.store.read_all(0, stream=f"run/{run_id}", limit=10_000)]
    return [e.message for e in events if isinstance(e, LogWritten) and e.metadata.get("guard")]


def pauses(history: list[Recorded]) -> list[RunPaused]:
    return [r.event for r in history if isinstance(r.event, RunPaused)]


# --- the same call -----------------------------------------------------------------------------


async def test_the_same_call_again_and_again_pauses_the_run() -> None:
    provider = Paid()
    async with guarded(provider, same_rounds=0) as h:
        run = await run_it(h, loop(40))
        assert run.status == "paused"
        assert len(provider.asked) == 7, "the eighth was not made"
        (pause,) = pauses(await h.history(run.id))
        assert (pause.by, pause.reason) == ("guard", "a#8 made the same model call 8 times")
        assert run.nodes["a#8"].status == "waiting_budget"
        assert run.nodes["a#8"].reason == "held back by the guard"
        assert await told(h, run.id) == [
            "the same model call for the 4th time",
            f"paused by the guard: {pause.reason}; aethermind resume {run.id} goes on",
        ]
        await h.client.resume(run.id)
        run = await rest(h, run.id)
        assert run.status == "paused"
        assert len(provider.asked) == 7 + 15, "after a pause it may do twice as much"
        await h.client.resume(run.id)
        run = await rest(h, run.id)
        assert run.status == "succeeded"
        assert len(provider.asked) == 40


async def test_a_person_may_let_it_go_on_in_a_later_process_too() -> None:
    store, provider = Kept(), Paid()
    first, second = guarded(provider, same_rounds=0), guarded(provider, same_rounds=0)
    first.store = second.store = store
    async with first as h:
        run_id = (await run_it(h, loop(20))).id
    async with second as h:
        assert (await h.client.run(run_id)).status == "paused"
        await h.client.resume(run_id)
        assert (await rest(h, run_id)).status == "succeeded"
    assert len(provider.asked) == 20


async def test_it_goes_on_with_an_edited_file_too() -> None:
    store, provider = Kept(), Paid()
    first, second = guarded(provider, same_rounds=0), guarded(provider, same_rounds=0)
    first.store = second.store = store
    async with first as h:
        run_id = (await run_it(h, ask("before", "before"), loop(20))).id
    async with second as h:
        edited = workflow(ask("before", "before, edited"), loop(20))
        await h.client.resume_edited(run_id, edited, by="ada")
        run = await rest(h, run_id)
        assert run.status == "succeeded"
        assert run.nodes["a#8"].status == "succeeded"


async def test_a_function_that_asks_the_same_for_ever_is_stopped() -> None:
    async def for_ever(ctx: Any) -> None:
        for _ in range(1_000):
            await ctx.chat("again", model="paid:m")

    provider = Paid()
    async with guarded(provider) as h:
        h.engine.register("for_ever", for_ever)
        run = await run_it(h, StepDef(id="f", action=Function(name="for_ever")), ask("other", "once"))
        assert run.status == "paused"
        assert provider.asked.count("again") == 7
        assert run.nodes["other"].status == "succeeded", "other branches ended meanwhile"


async def test_calls_that_failed_do_not_count() -> None:
    errors = itertools.repeat(ErrorInfo(kind="server", message="500", retryable=True), 12)
    provider = Paid(breaks=lambda _text: next(errors, None), speaks=False)
    async with guarded(provider) as h:
        run = await run_it(h, ask(retry=Retry(max_attempts=20, backoff_ms=1, max_backoff_ms=1)))
        assert run.status == "succeeded"
        assert len(provider.asked) == 13
        assert await told(h, run.id) == []


async def test_attempts_that_failed_do_not_count() -> None:
    """Their calls succeeded; the step did not, and says itself how often it is tried."""
    tries = itertools.count(1)

    async def flaky(ctx: Any) -> str:
        await ctx.chat("again", model="paid:m")
        if next(tries) < 12:
            raise ValueError("not yet")
        return "done"

    async with guarded() as h:
        h.engine.register("flaky", flaky)
        retry = Retry(max_attempts=20, backoff_ms=1, max_backoff_ms=1)
        run = await run_it(h, StepDef(id="f", action=Function(name="flaky"), retry=retry))
        assert run.status == "succeeded"
        assert await told(h, run.id) == []


async def test_items_of_a_fan_out_that_ask_the_same_are_only_warned_of() -> None:
    async with guarded() as h:
        run = await run_it(h, ask(for_each=list(range(30))))
        assert run.status == "succeeded"
        assert await told(h, run.id) == ["4 steps made the same model call"]


async def test_a_loop_that_waits_for_something_outside_is_none_of_its_business() -> None:
    async with guarded() as h:
        run = await run_it(h, loop(12, every_ms=1))
        assert run.status == "succeeded"
        assert pauses(await h.history(run.id)) == []


async def test_all_of_it_can_be_switched_off() -> None:
    async with guarded(repeated_calls=0, same_rounds=0, attempt_calls=0) as h:
        run = await run_it(h, loop(30))
        assert run.status == "succeeded"
        assert await told(h, run.id) == []


# --- spend without progress --------------------------------------------------------------------


async def test_many_calls_in_one_attempt_pause_the_run() -> None:
    async def busy(ctx: Any) -> int:
        for n in range(ctx.inputs["calls"]):
            await ctx.chat(f"question {n}", model="paid:m")
        return 1

    async with guarded() as h:
        h.engine.register("busy", busy)
        flow = workflow(StepDef(id="f", action=Function(name="busy")))
        run = await rest(h, await h.start(flow, {"calls": 50}, simulated=False))
        assert run.status == "succeeded"
        assert await told(h, run.id) == ["25 model calls in this attempt, and it goes on"]
        run = await rest(h, await h.start(flow, {"calls": 51}, simulated=False))
        assert run.status == "paused"
        assert run.pause is not None
        assert run.pause.reason == "f made 50 model calls in one attempt"
        await h.client.resume(run.id)
        assert (await rest(h, run.id)).status == "succeeded"


async def test_calls_side_by_side_are_no_circle() -> None:
    async def wide(ctx: Any) -> int:
        await asyncio.gather(*(ctx.chat(f"part {n}", model=f"paid:m{n % 4}") for n in range(60)))
        return 1

    async with guarded() as h:
        h.engine.register("wide", wide)
        run = await run_it(h, StepDef(id="f", action=Function(name="wide")))
        assert run.status == "succeeded"


async def test_rounds_that_give_the_same_pause_the_run() -> None:
    """Each asks something else, and nothing comes of it."""
    async with guarded() as h:
        run = await run_it(h, loop(40, "round {{ iteration }}"))
        assert run.status == "paused"
        assert run.pause is not None
        assert run.pause.reason == "8 rounds of a in a row gave the same"
        assert (await told(h, run.id))[0] == "4 rounds in a row gave the same"
        assert len([r for r in await h.history(run.id) if isinstance(r.event, CallStarted)]) == 8
        await h.client.resume(run.id)
        run = await rest(h, run.id)
        assert run.status == "paused"
        assert len(run.nodes["a"].children) == 16
        await h.client.resume(run.id)
        assert len((await rest(h, run.id)).nodes["a"].children) == 32


async def test_rounds_without_a_call_spend_nothing() -> None:
    async with guarded() as h:
        counting = StepDef(id="v", action=Value(value=1), repeat=Repeat(until=None, max=30))
        assert (await run_it(h, counting)).status == "succeeded"


async def test_rounds_of_a_group_that_come_to_something_else_each_time_go_on() -> None:
    async with guarded() as h:
        inner = (ask("text", "round {{ iteration }}"), StepDef(id="n", action=value("{{ iteration }}")))
        group = StepDef(id="g", action=Group(steps=inner), repeat=Repeat(until=None, max=20))
        assert (await run_it(h, group)).status == "succeeded"


def value(template: str) -> Any:
    return Value(value=template)


async def test_what_is_under_the_pause_of_a_person_is_held_back_without_another() -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    async def for_ever(ctx: Any) -> None:
        for _ in range(20):
            begun.set()
            await go.wait()
            await ctx.chat("again", model="paid:m")

    async with guarded() as h:
        h.engine.register("for_ever", for_ever)
        run_id = await h.start(workflow(StepDef(id="f", action=Function(name="for_ever"))), simulated=False)
        await asyncio.wait_for(begun.wait(), 5)
        await h.client.pause(run_id, by="ada")
        go.set()
        run = await rest(h, run_id)
        assert run.status == "paused"
        assert [pause.by for pause in pauses(await h.history(run_id))] == ["ada"]
        assert run.nodes["f"].status == "waiting_budget"
        await h.client.resume(run_id)
        run = await rest(h, run_id)
        assert [pause.by for pause in pauses(await h.history(run_id))] == ["ada", "guard"]
