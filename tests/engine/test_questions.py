"""`ask` steps: they wait durably, other branches go on, they are decided once, or expire by their policy."""

from __future__ import annotations

import asyncio

import pytest

from aethermind.domain.errors import DeniedError, InvalidError
from aethermind.domain.workflow import Ask, StepDef, Value
from tests.engine.harness import Harness, Kept, types, workflow

FIELDS = {"choice": {"type": "string", "enum": ["yes", "no"]}, "note": {"type": ["string", "null"]}}


def asking(**ask: object) -> StepDef:
    return StepDef(id="ask", action=Ask(message="Publish {{ words }} words?", **ask), references=("words",))  # type: ignore[arg-type]  # fields of Ask


WORDS = StepDef(id="words", action=Value(value=42))
AFTER = StepDef(id="after", action=Value(value="{{ ask.choice }} by {{ ask.by }}"), references=("ask",))
OTHER = StepDef(id="other", action=Value(value=1))


async def test_it_waits_through_a_restart_and_goes_on_with_the_answer() -> None:
    store = Kept()
    async with Harness(store=store) as h:
        run_id = await h.start(workflow(WORDS, asking(fields=FIELDS, show="the text"), AFTER, OTHER))
        run = await asyncio.wait_for(h.client.wait(run_id), 5)
        assert run.status == "waiting_answer"
        assert run.nodes["other"].status == "succeeded"
        question = run.nodes["ask"].question
        assert question is not None
        assert (question.message, question.show) == ("Publish 42 words?", "the text")
    async with Harness(store=store) as h:
        await h.client.resume(run_id)
        assert (await h.client.wait(run_id)).status == "waiting_answer"
        await h.client.answer(run_id, "ask", {"choice": "yes"}, by="ada")
        run = await asyncio.wait_for(h.client.wait(run_id), 5)
        assert run.status == "succeeded"
        assert run.outputs["after"] == "yes by ada"
        assert run.nodes["ask"].output["note"] is None
        await h.verify(run_id)


async def test_it_is_decided_once() -> None:
    async with Harness() as h:
        run_id = await h.start(workflow(WORDS, asking(fields=FIELDS)))
        await h.client.wait(run_id)
        for wrong in (
            {"choice": "maybe"},
            {},
            {"choice": "yes", "colour": "red"},
            {"choice": "yes", "note": 3},
        ):
            with pytest.raises(InvalidError):
                await h.client.answer(run_id, "ask", wrong, by="ada")
        with pytest.raises(InvalidError, match=r"^note: 3 is not of type"):
            await h.client.answer(run_id, "ask", {"choice": "yes", "note": 3}, by="ada")
        both = await asyncio.gather(
            h.client.answer(run_id, "ask", {"choice": "yes"}, by="ada"),
            h.client.answer(run_id, "ask", {"choice": "no"}, by="grace"),
            return_exceptions=True,
        )
        assert both[0] is None
        assert isinstance(both[1], DeniedError)
        assert "decided by ada: choice=yes" in both[1].message
        run = await asyncio.wait_for(h.client.wait(run_id), 5)
        assert run.outputs["ask"]["choice"] == "yes"
        assert types(await h.history(run_id)).count("AskAnswered") == 1


async def test_a_rejected_approval_is_a_failed_step() -> None:
    async with Harness() as h:
        run_id = await h.start(workflow(WORDS, asking(approval=True)))
        await h.client.wait(run_id)
        await h.client.answer(run_id, "ask", {"approved": False}, by="ada")
        run = await asyncio.wait_for(h.client.wait(run_id), 5)
        assert run.status == "failed"
        assert run.error is not None
        assert (run.error.kind, run.error.message) == ("rejected", "rejected by ada")
        await h.verify(run_id)


@pytest.mark.parametrize(
    "policy,step,status",
    [("fail", "failed", "failed"), ("skip", "skipped", "succeeded"), ("default", "succeeded", "succeeded")],
)
async def test_nobody_answers_in_time(policy: str, step: str, status: str) -> None:
    async with Harness() as h:
        fields = {"choice": {"type": "string", "default": "no"}}
        run_id = await h.start(workflow(WORDS, asking(fields=fields, timeout_ms=20, on_timeout=policy)))
        await asyncio.wait_for(h.client.wait(run_id), 5)
        async for item in h.engine.feed.follow(after=0, run_id=run_id):
            if getattr(item, "type", "").startswith(("RunSucceeded", "RunFailed")):
                break
        run = await h.client.run(run_id)
        assert (run.nodes["ask"].status, run.status) == (step, status)
        if policy == "default":
            assert run.nodes["ask"].output["choice"] == "no"
        with pytest.raises(DeniedError, match="expired"):
            await h.client.answer(run_id, "ask", {"choice": "yes"}, by="late")
        await h.verify(run_id)


async def test_silence_is_no_yes_and_no_answer_without_a_default() -> None:
    async with Harness() as h:
        for fields, missing in (({}, "approved"), ({"n": {"type": "integer"}}, "n")):
            step = asking(fields=fields, approval=not fields, timeout_ms=20, on_timeout="default")
            run_id = await h.start(workflow(WORDS, step, AFTER))
            async for item in h.engine.feed.follow(after=0, run_id=run_id):
                if getattr(item, "type", "").startswith(("RunSucceeded", "RunFailed")):
                    break
            run = await h.client.run(run_id)
            assert (run.status, run.nodes["ask"].output) == ("failed", None)
            assert run.error is not None
            assert run.error.message == f"nobody answered in time, and {missing} has no default"
            await h.verify(run_id)


async def test_cancelling_a_run_that_waits() -> None:
    async with Harness() as h:
        run_id = await h.start(workflow(WORDS, asking(), AFTER))
        await h.client.wait(run_id)
        await h.client.cancel(run_id)
        run = await asyncio.wait_for(h.client.wait(run_id), 5)
        assert run.status == "cancelled"
        await h.verify(run_id)
