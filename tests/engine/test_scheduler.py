"""The scheduler end to end on an in-memory store."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from aethermind.domain.errors import InvalidError, NotFoundError
from aethermind.domain.workflow import (
    AgentDef,
    Fail,
    Function,
    Group,
    Prompt,
    Repeat,
    Retry,
    StepDef,
    Value,
)
from aethermind.engine.context import StepContext
from tests.engine.harness import Harness, types, workflow


def function(id_: str, **fields: Any) -> StepDef:
    return StepDef(id=id_, action=Function(name=id_, agent=fields.pop("agent", None)), **fields)


async def test_values_flow_through_templates() -> None:
    async with Harness() as h:
        run = await h.run(
            workflow(
                StepDef(id="a", action=Value(value={"n": 2})),
                StepDef(id="b", action=Value(value="{{ a.n + inputs.k }}"), references=("a",)),
                outputs={"sum": "{{ b }}"},
            ),
            {"k": 40},
        )
        assert run.status == "succeeded"
        assert run.outputs == {"sum": 42}


async def test_steps_overlap_and_wait_for_what_they_need() -> None:
    both = asyncio.Barrier(2)
    order: list[str] = []

    async def meet(ctx: StepContext) -> str:
        await asyncio.wait_for(both.wait(), 5)
        order.append(ctx.step)
        return ctx.step

    async def last(ctx: StepContext) -> list[Any]:
        order.append("last")
        return [ctx.steps["a"].output, ctx.steps["b"].output]

    async with Harness() as h:
        h.engine.register("a", meet)
        h.engine.register("b", meet)
        h.engine.register("c", last)
        run = await h.run(workflow(function("a"), function("b"), function("c", depends_on=("a", "b"))))
        assert run.outputs == {"c": ["a", "b"]}
        assert order[-1] == "last"


async def test_fan_out_group_and_repeat() -> None:
    async with Harness() as h:
        run = await h.run(
            workflow(
                StepDef(id="sq", action=Value(value="{{ item * item }}"), for_each=[1, 2, 3], max_parallel=2),
                StepDef(
                    id="polish",
                    action=Group(
                        steps=(
                            StepDef(
                                id="n",
                                action=Value(value="{{ (previous.n if previous else sq[0]) + 1 }}"),
                            ),
                            StepDef(id="ok", action=Value(value="{{ n >= 4 }}"), references=("n",)),
                        )
                    ),
                    repeat=Repeat(until="{{ ok }}", max=10),
                    references=("sq",),
                ),
                outputs={"sq": "{{ sq }}", "n": "{{ polish.n }}"},
            )
        )
        assert run.outputs == {"sq": [1, 4, 9], "n": 4}
        assert "polish#3/n" in run.nodes


async def test_retry_then_success_is_one_step_with_two_attempts() -> None:
    tries = 0

    async def flaky(ctx: StepContext) -> int:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise RuntimeError("not yet")
        return ctx.attempt

    async with Harness() as h:
        h.engine.register("a", flaky)
        run = await h.run(workflow(function("a", retry=Retry(max_attempts=3, backoff_ms=1))))
        assert run.outputs == {"a": 3}
        assert [a.status for a in run.nodes["a"].attempts] == ["failed", "failed", "succeeded"]
        logs = await h.store.read_all(0)
        assert any("retry in" in getattr(r.event, "message", "") for r in logs)


async def test_failure_fails_the_run_and_starts_nothing_new() -> None:
    async with Harness() as h:
        run = await h.run(
            workflow(
                StepDef(id="bad", action=Fail(reason="no {{ inputs.x }}")),
                StepDef(id="after", action=Value(value=1), depends_on=("bad",)),
                StepDef(id="clean", action=Value(value="{{ run.status }}"), always=True),
            ),
            {"x": "luck"},
        )
        assert run.status == "failed"
        assert run.error is not None
        assert run.error.message == "no luck"
        assert run.nodes["after"].status == "pending"
        assert run.nodes["clean"].output == "failed"


async def test_timeout_cancels_the_work() -> None:
    stopped = asyncio.Event()

    async def slow(ctx: StepContext) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    async with Harness() as h:
        h.engine.register("a", slow)
        run = await h.run(workflow(function("a", timeout_ms=20)))
        assert run.status == "failed"
        assert run.nodes["a"].error is not None
        assert run.nodes["a"].error.kind == "timeout"
        assert stopped.is_set()


async def test_cancel_stops_running_work_and_ends_the_run() -> None:
    started = asyncio.Event()

    async def slow(ctx: StepContext) -> None:
        started.set()
        await asyncio.Event().wait()

    async with Harness() as h:
        h.engine.register("a", slow)
        after = StepDef(id="b", action=Value(value=1), depends_on=("a",))
        run_id = await h.start(workflow(function("a"), after))
        await asyncio.wait_for(started.wait(), 5)
        await h.client.cancel(run_id, by="me")
        run = await asyncio.wait_for(h.client.wait(run_id), 5)
        assert run.status == "cancelled"
        assert {n.status for n in run.nodes.values()} == {"cancelled"}
        with pytest.raises(InvalidError, match="already cancelled"):
            await h.client.cancel(run_id)


async def test_limits_of_engine_and_agent_hold() -> None:
    now = peak = critics = critic_peak = 0

    async def work(ctx: StepContext) -> None:
        nonlocal now, peak
        now += 1
        peak = max(peak, now)
        await asyncio.sleep(0)
        now -= 1

    async def judge(ctx: StepContext) -> None:
        nonlocal critics, critic_peak
        critics += 1
        critic_peak = max(critic_peak, critics)
        await work(ctx)
        critics -= 1

    async with Harness(max_concurrent=3) as h:
        h.engine.register("w", work)
        h.engine.register("j", judge)
        run = await h.run(
            workflow(
                StepDef(id="w", action=Function(name="w"), for_each=list(range(20))),
                StepDef(id="j", action=Function(name="j", agent="critic"), for_each=list(range(6))),
                agents={"critic": AgentDef(name="critic", max_concurrent=1)},
            )
        )
        assert run.status == "succeeded"
        assert peak == 3
        assert critic_peak == 1


async def test_a_higher_priority_goes_first_when_slots_are_short() -> None:
    order: list[str] = []
    gate = asyncio.Event()

    async def work(ctx: StepContext) -> None:
        order.append(ctx.inputs["name"])
        await gate.wait()

    async with Harness(max_concurrent=1) as h:
        h.engine.register("a", work)
        ids = [await h.start(workflow(function("a")), {"name": "first"})]
        for name, priority in (("low", 0), ("high", 5), ("middle", 2)):
            ids.append(await h.start(workflow(function("a")), {"name": name}, priority=priority))
        gate.set()
        for run_id in ids:
            await asyncio.wait_for(h.client.wait(run_id), 5)
        assert order == ["first", "high", "middle", "low"]


async def test_pause_and_resume() -> None:
    gate = asyncio.Event()

    async def work(ctx: StepContext) -> int:
        await gate.wait()
        return 1

    async with Harness() as h:
        h.engine.register("a", work)
        h.engine.register("b", work)
        run_id = await h.start(workflow(function("a"), function("b", depends_on=("a",))))
        await h.client.pause(run_id)
        gate.set()
        run = await asyncio.wait_for(h.client.wait(run_id), 5)
        assert run.status == "paused"
        assert run.nodes["b"].status == "ready"
        await h.client.resume(run_id)
        assert (await asyncio.wait_for(h.client.wait(run_id), 5)).status == "succeeded"


async def test_a_failed_run_is_retried_from_its_failed_steps() -> None:
    calls = {"a": 0, "b": 0}

    async def fine(ctx: StepContext) -> int:
        calls["a"] += 1
        return 1

    async def once(ctx: StepContext) -> int:
        calls["b"] += 1
        if calls["b"] == 1:
            raise ValueError("boom")
        return 2

    async with Harness() as h:
        h.engine.register("a", fine)
        h.engine.register("b", once)
        run = await h.run(workflow(function("a"), function("b", depends_on=("a",))))
        assert run.status == "failed"
        assert run.nodes["b"].error is not None
        assert run.nodes["b"].error.message == "ValueError: boom"
        await h.client.retry(run.id, by="me")
        run = await asyncio.wait_for(h.client.wait(run.id), 5)
        assert run.status == "succeeded"
        assert run.generation == 2
        assert calls == {"a": 1, "b": 2}
        await h.verify(run.id)


async def test_a_simulated_call_is_journaled_and_billed() -> None:
    async with Harness() as h:
        run = await h.run(
            workflow(
                StepDef(
                    id="a",
                    action=Prompt(template="Say hi to {{ inputs.who }}", models=("smart",)),
                    retry=Retry(max_attempts=2, backoff_ms=1),
                ),
                outputs={"text": "{{ a }}"},
            ),
            {"who": "Ada"},
            sim={"steps": {"a": {"reply": "Hi Ada!", "errors": [429]}}},
        )
        assert run.status == "succeeded"
        assert run.outputs == {"text": "Hi Ada!"}
        history = await h.history(run.id)
        assert types(history) == [
            "RunCreated",
            "AttemptStarted",
            "CallStarted",
            "CallFailed",
            "AttemptFailed",
            "AttemptStarted",
            "CallStarted",
            "CallFinished",
            "AttemptSucceeded",
            "RunSucceeded",
        ]
        assert run.created.simulated
        assert run.tally.usage.output_tokens > 0
        assert run.tally.cost == run.nodes["a"].tally.cost  # type: ignore[union-attr]  # it made calls


async def test_unknown_runs_and_inputs_are_told() -> None:
    async with Harness() as h:
        with pytest.raises(NotFoundError):
            await h.client.run("r_nope")
        with pytest.raises(NotFoundError):
            await h.client.find_run("last")


async def test_who_waits_gets_what_a_fold_of_the_log_gives() -> None:
    """Without reading the log again: the numbers, too, that say how far it was folded."""

    async def talk(ctx: StepContext) -> list[int]:
        ctx.log("said")
        return [1, 2]

    async with Harness() as h:
        h.engine.register("talk", talk)
        for last in (Value(value="{{ talk }}"), Fail(reason="no")):
            run_id = await h.start(
                workflow(function("talk"), StepDef(id="last", action=last, references=("talk",)))
            )
            waited, folded = await h.client.wait(run_id), await h.client.run(run_id)
            assert waited.seq == folded.seq > 0
            assert waited.version == folded.version
            assert (waited.status, waited.finished_at) == (folded.status, folded.finished_at)
            assert waited.outputs == folded.outputs
            assert {path: node.output for path, node in waited.nodes.items()} == {
                path: node.output for path, node in folded.nodes.items()
            }
