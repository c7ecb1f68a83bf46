"""A crash is an engine that is gone with attempts under way; the next one folds the log and goes on."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from aethermind.domain.errors import DeniedError, InvalidError
from aethermind.domain.workflow import Command, Function, Prompt, StepDef, WorkflowDef
from aethermind.engine.context import StepContext
from aethermind.engine.queries import RunFilter
from tests.engine.harness import Harness, Kept, types, workflow


class Crashing(Harness):
    """Its engine ends as a killed process does: nothing is recorded any more."""

    async def __aexit__(self, *error: object) -> None:
        for live in self.engine.scheduler.live.values():
            live.dropped = True
        await super().__aexit__(*error)


async def crash_in(store: Kept, definition: WorkflowDef, started: asyncio.Event, **functions: Any) -> str:
    async with Crashing(store=store) as h:
        for name, function in functions.items():
            h.engine.register(name, function)
        run_id = await h.start(definition)
        await asyncio.wait_for(started.wait(), 5)
    return run_id


async def test_completed_steps_are_not_run_again() -> None:
    store, started, ran = Kept(), asyncio.Event(), []

    async def first(ctx: StepContext) -> int:
        ran.append("first")
        return 1

    async def second(ctx: StepContext) -> int:
        ran.append("second")
        started.set()
        if len(ran) == 2:
            await asyncio.Event().wait()
        return int(ctx.steps["first"].output) + 1

    definition = workflow(
        StepDef(id="first", action=Function(name="first")),
        StepDef(id="second", action=Function(name="second"), depends_on=("first",)),
    )
    run_id = await crash_in(store, definition, started, first=first, second=second)
    async with Harness(store=store) as h:
        assert [row.status for row in (await h.client.runs(RunFilter())).items] == ["interrupted"]
        h.engine.register("first", first)
        h.engine.register("second", second)
        await h.client.resume(run_id)
        run = await asyncio.wait_for(h.client.wait(run_id), 5)
        assert run.outputs == {"second": 2}
        assert ran == ["first", "second", "second"]
        assert [a.status for a in run.nodes["second"].attempts] == ["lost", "succeeded"]
        await h.verify(run_id)


async def test_a_command_in_flight_is_asked_about_once(tmp_path: Any) -> None:
    store = Kept()
    definition = workflow(
        StepDef(id="c", action=Command(argv=("sh", "-c", "echo run >> effects; touch up; exec sleep 60"))),
        StepDef(id="after", action=Command(argv=("echo", "done")), depends_on=("c",)),
    )
    async with Crashing(store=store, cwd=tmp_path) as h:
        run_id = await h.start(definition)
        await asyncio.wait_for(_appears(tmp_path / "up"), 10)
    async with Harness(store=store, cwd=tmp_path) as h:
        await h.client.resume(run_id)
        run = await asyncio.wait_for(h.client.wait(run_id), 5)
        assert run.status == "parked"
        assert run.nodes["c"].status == "in_doubt"
        assert types(await h.history(run_id))[-2:] == ["AttemptLost", "AskOpened"]
        with pytest.raises(InvalidError, match="can't be 'maybe'"):
            await h.client.answer(run_id, "c", {"choice": "maybe"}, by="ada")
        await h.client.answer(run_id, "c", {"choice": "skip"}, by="ada")
        run = await asyncio.wait_for(h.client.wait(run_id), 5)
        assert run.status == "succeeded"
        assert run.nodes["c"].status == "skipped"
        assert (tmp_path / "effects").read_text() == "run\n"
        await h.verify(run_id)


async def test_a_decision_stands_and_names_who_made_it(tmp_path: Any) -> None:
    store = Kept()
    argv = ("sh", "-c", "touch up; exec sleep 60")
    async with Crashing(store=store, cwd=tmp_path) as h:
        run_id = await h.start(workflow(StepDef(id="c", action=Command(argv=argv))))
        await asyncio.wait_for(_appears(tmp_path / "up"), 10)
    async with Harness(store=store, cwd=tmp_path) as h:
        await h.client.resume(run_id)
        await h.client.wait(run_id)
        await h.client.answer(run_id, "c", {"choice": "fail"}, by="ada")
        await h.client.wait(run_id)
    async with Harness(store=store, cwd=tmp_path) as h:
        await h.client.answer(run_id, "c", {"choice": "fail"}, by="grace")  # the same again is fine
        with pytest.raises(DeniedError, match="decided by ada"):
            await h.client.answer(run_id, "c", {"choice": "retry"}, by="grace")


async def test_on_in_doubt_decides_without_asking(tmp_path: Any) -> None:
    store = Kept()
    script = "echo run >> effects; [ -e up ] || { touch up; exec sleep 60; }"
    definition = workflow(StepDef(id="c", action=Command(argv=("sh", "-c", script)), on_in_doubt="retry"))
    async with Crashing(store=store, cwd=tmp_path) as h:
        run_id = await h.start(definition)
        await asyncio.wait_for(_appears(tmp_path / "up"), 10)
    async with Harness(store=store, cwd=tmp_path) as h:
        await h.client.resume(run_id)
        assert (await asyncio.wait_for(h.client.wait(run_id), 10)).status == "succeeded"
        assert (tmp_path / "effects").read_text() == "run\nrun\n"


async def test_a_model_call_in_flight_is_tried_again_and_marked() -> None:
    store = Kept()
    script = {"steps": {"a": {"reply": "word " * 50, "tokens_per_second": 1}}}
    async with Crashing(store=store, sleep=asyncio.sleep) as h:
        definition = workflow(StepDef(id="a", action=Prompt(template="go", models=("smart",))))
        run_id = await h.start(definition, sim=script)
        async for item in h.engine.feed.follow(after=0, run_id=run_id):
            if getattr(item, "type", "") == "CallStarted":
                break
    async with Harness(store=store) as h:
        await h.client.resume(run_id)
        run = await asyncio.wait_for(h.client.wait(run_id), 5)
        assert run.status == "succeeded"
        lost, done = run.nodes["a"].attempts
        assert (lost.status, lost.billed_twice, done.status) == ("lost", True, "succeeded")
        assert run.tally.at_most == (lost.calls[0].reserved or 0)
        assert run.tally.in_flight == 0


async def test_cancelling_an_interrupted_run_starts_nothing() -> None:
    store, started = Kept(), asyncio.Event()

    async def wait(ctx: StepContext) -> None:
        started.set()
        await asyncio.Event().wait()

    definition = workflow(
        StepDef(id="a", action=Function(name="wait")),
        StepDef(id="b", action=Function(name="wait"), depends_on=("a",)),
    )
    run_id = await crash_in(store, definition, started, wait=wait)
    async with Harness(store=store) as h:
        await h.client.cancel(run_id, by="me")
        run = await h.client.run(run_id)
        assert run.status == "cancelled"
        assert types(await h.history(run_id)).count("AttemptStarted") == 1


async def test_resuming_a_finished_run_leaves_it_as_it_is() -> None:
    async with Harness() as h:
        run = await h.run(workflow(StepDef(id="c", action=Command(argv=("true",)))))
        await h.client.resume(run.id)
        assert (await h.client.run(run.id)).version == run.version


async def _appears(path: Any) -> None:
    while not path.exists():  # noqa: ASYNC110 - another process makes the file, it can't set an Event
        await asyncio.sleep(0.005)
