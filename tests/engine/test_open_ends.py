"""What is still open when a run ends, is taken up again, or is acted on from two sides at once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from aethermind.domain.errors import InvalidError
from aethermind.domain.events import CallStarted, CancelRequested, Draft, Recorded
from aethermind.domain.workflow import Ask, Budget, Fail, Function, Group, Prompt, StepDef, Value
from aethermind.engine.context import StepContext
from tests.engine.harness import Harness, Kept, workflow

ASK = StepDef(id="ask", action=Ask(message="go on?", approval=True))
FAILS = StepDef(id="fails", action=Fail(reason="no"))


async def test_a_question_of_a_run_that_failed_takes_no_answer() -> None:
    async with Harness() as h:
        run = await h.run(workflow(ASK, FAILS))
        assert (run.status, run.nodes["ask"].status) == ("failed", "waiting_answer")
        with pytest.raises(InvalidError, match="already failed"):
            await h.client.answer(run.id, "ask", {"approved": True}, by="ann")


async def test_a_retry_asks_anew_what_nobody_answered() -> None:
    async with Harness() as h:
        run = await h.run(workflow(ASK, FAILS))
        await h.client.retry(run.id, steps=["ask"])
        await h.client.wait(run.id)
        await h.verify(run.id)
        run = await h.client.run(run.id)
        assert [a.status for a in run.nodes["ask"].attempts] == ["cancelled", "running"]


async def test_an_edit_asks_anew_what_it_changed() -> None:
    store = Kept()
    async with Harness(store=store) as h:
        run_id = (await h.run(workflow(ASK))).id
    edited = StepDef(id="ask", action=Ask(message="really?", approval=True))
    async with Harness(store=store) as h:
        await h.client.resume_edited(run_id, workflow(edited))
        run = await h.client.wait(run_id)
        await h.verify(run_id)
        question = run.nodes["ask"].question
        assert question is not None
        assert question.message == "really?"
        assert [a.status for a in run.nodes["ask"].attempts] == ["cancelled", "running"]


async def test_cancelling_an_item_that_waits_for_its_turn_gives_no_turn_to_another() -> None:
    go = asyncio.Event()
    begun = asyncio.Event()

    async def work(ctx: StepContext) -> Any:
        begun.set()
        await go.wait()
        return ctx.index

    async with Harness() as h:
        h.engine.register("work", work)
        step = StepDef(id="each", action=Function(name="work"), for_each=[1, 2, 3], max_parallel=1)
        run_id = await h.start(workflow(step))
        await asyncio.wait_for(begun.wait(), 5)
        await h.client.cancel(run_id, step="each[2]")
        run = await h.client.run(run_id)
        assert [run.nodes[f"each[{i}]"].status for i in range(3)] == ["running", "pending", "cancelled"]
        go.set()
        run = await h.client.wait(run_id)
        assert run.nodes["each[1]"].status == "succeeded"
        await h.verify(run_id)


class SlowToWrite(Kept):
    """An append takes some rounds of the loop, as that of a disk does."""

    async def append(self, drafts: Sequence[Draft], expected: Mapping[str, int]) -> list[Recorded]:
        for _ in range(20):
            await asyncio.sleep(0)
        return await super().append(drafts, expected)


async def test_an_answer_and_a_resume_at_the_same_time_both_count() -> None:
    store = SlowToWrite()
    after = StepDef(id="after", action=Value(value="done"), depends_on=("ask",))
    async with Harness(store=store) as h:
        run_id = (await h.run(workflow(ASK, after))).id
    async with Harness(store=store) as h:
        await asyncio.gather(
            h.client.answer(run_id, "ask", {"approved": True}, by="ann"), h.client.resume(run_id)
        )
        run = await asyncio.wait_for(h.client.wait(run_id), 5)
        assert run.status == "succeeded"
        await h.verify(run_id)


async def test_no_call_starts_after_the_run_was_cancelled() -> None:
    async with Harness(store=SlowToWrite()) as h:
        begun = asyncio.Event()

        async def talk(ctx: StepContext) -> Any:
            begun.set()
            return await ctx.chat("hello")

        h.engine.register("talk", talk)
        run_id = await h.start(workflow(StepDef(id="talk", action=Function(name="talk"))))
        await asyncio.wait_for(begun.wait(), 5)
        # The cancellation stands in the mailbox before the call's intent.
        live = h.engine.scheduler.live[run_id]
        live.busy = True
        cancelled = asyncio.ensure_future(h.client.cancel(run_id))
        while len(live.inbox) < 2:  # noqa: ASYNC110 - a mailbox tells nobody what is in it
            await asyncio.sleep(0)
        live.inbox.reverse()
        live.busy = False
        live.wake()
        await cancelled
        run = await h.client.wait(run_id)
        assert run.status == "cancelled"
        events = [recorded.event for recorded in await h.history(run_id)]
        at = next(i for i, event in enumerate(events) if isinstance(event, CancelRequested))
        assert not any(isinstance(event, CallStarted) for event in events[at:])


async def test_questions_that_expire_at_the_same_time_all_do() -> None:
    """Also when the first of them fails what the second is in."""
    ask = Ask(message="go on?", approval=True, timeout_ms=20)
    group = Group(steps=(StepDef(id="one", action=ask), StepDef(id="two", action=ask)))
    async with Harness() as h:
        run_id = await h.start(workflow(StepDef(id="both", action=group, on_error="continue")))
        while (run := await asyncio.wait_for(h.client.wait(run_id), 5)).finished is None:
            live = h.engine.scheduler.live[run_id]
            turned = asyncio.get_running_loop().create_future()
            live.settled.append(turned)
            await asyncio.wait_for(turned, 5)
        await h.verify(run_id)
        assert [run.nodes[f"both/{name}"].status for name in ("one", "two")] == ["failed", "failed"]


async def test_a_held_step_of_a_failed_run_goes_on_when_the_run_does() -> None:
    """Though the money came when nothing could start."""
    prompt = Prompt(template="hello", models=("sim:fast",))
    held = StepDef(id="held", action=prompt)
    async with Harness() as h:
        run = await h.run(workflow(held, FAILS, budget=Budget(micro_usd=1)))
        while run.finished is None:
            run = await h.client.wait(run.id)
        assert (run.status, run.nodes["held"].status) == ("failed", "waiting_budget")
        await h.client.raise_budget(run.id, 10_000_000)
        edited = StepDef(id="fails", action=Value(value=1))
        await h.client.resume_edited(run.id, workflow(held, edited, budget=Budget(micro_usd=1)))
        run = await asyncio.wait_for(h.client.wait(run.id), 5)
        await h.verify(run.id)
        assert run.status == "succeeded"


async def test_two_edits_at_the_same_time_are_one_after_the_other() -> None:
    store = Kept()
    steps = [StepDef(id=name, action=Value(value=name)) for name in ("a", "b", "c")]
    async with Harness(store=store) as h:
        run_id = (await h.run(workflow(*steps))).id
        await asyncio.gather(
            h.client.resume_edited(run_id, workflow(*steps[:2])),
            h.client.resume_edited(run_id, workflow(*steps)),
            return_exceptions=True,
        )
        run = await asyncio.wait_for(h.client.wait(run_id), 5)
        await h.verify(run_id)
        assert run.status == "succeeded"


async def test_an_edit_asks_again_what_was_asked_about_a_step_that_is_mended() -> None:
    """The question saw nothing of the step that failed, and will see its output."""
    store = Kept()
    fail = StepDef(id="first", action=Fail(reason="no"), on_error="continue")
    ask = StepDef(id="ask", action=Ask(message="go on with {{ first }}?"), references=("first",))
    async with Harness(store=store) as h:
        run_id = (await h.run(workflow(fail, ask, StepDef(id="other", action=Value(value=1))))).id
    async with Harness(store=store) as h:
        await h.client.resume_edited(run_id, workflow(fail, ask, StepDef(id="other", action=Value(value=2))))
        run = await asyncio.wait_for(h.client.wait(run_id), 5)
        await h.verify(run_id)
        assert [a.status for a in run.nodes["ask"].attempts] == ["cancelled", "running"]
