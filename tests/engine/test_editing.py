"""Going on with an edited definition, and forks of runs."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from aethermind.domain.errors import InvalidError, NotFoundError
from aethermind.domain.workflow import Function, Prompt, StepDef, Value, WorkflowDef
from aethermind.engine.context import StepContext
from tests.engine.harness import Harness, types, workflow


class Counting:
    """Counts how often each step ran."""

    def __init__(self) -> None:
        self.ran: list[str] = []

    async def __call__(self, ctx: StepContext) -> str:
        self.ran.append(ctx.step)
        return ctx.step

    async def broken(self, ctx: StepContext) -> str:
        self.ran.append(ctx.step)
        raise ValueError("mend me")


def step(id_: str, *needs: str, name: str = "ok") -> StepDef:
    return StepDef(id=id_, action=Function(name=name), depends_on=needs)


async def opened(h: Harness) -> Counting:
    counting = Counting()
    h.engine.register("ok", counting)
    h.engine.register("broken", counting.broken)
    return counting


async def settled(h: Harness, run_id: str) -> Any:
    run = await asyncio.wait_for(h.client.wait(run_id), 5)
    await h.verify(run_id)
    return run


async def test_only_what_changed_and_what_is_downstream_runs() -> None:
    async with Harness() as h:
        counting = await opened(h)
        old = workflow(step("a"), step("b", "a", name="broken"), step("c", "b"), step("d", "a"))
        run = await h.run(old)
        assert run.status == "failed"
        new = workflow(step("a"), step("b", "a"), step("c", "b"), step("d", "a"), step("e", "c"))
        assert await h.client.edited(run.id, new) == ("a", "d")
        counting.ran.clear()
        await h.client.resume_edited(run.id, new, by="me")
        run = await settled(h, run.id)
        assert run.status == "succeeded"
        assert set(counting.ran) - {"d"} == {"b", "c", "e"}
        assert len(run.nodes["b"].attempts) == 2
        assert types(await h.history(run.id)).count("DefinitionAdopted") == 1


async def test_what_follows_a_step_that_is_mended_runs_with_it() -> None:
    async with Harness() as h:
        counting = await opened(h)
        broken = True

        async def sometimes(ctx: StepContext) -> str:
            if broken:
                raise ValueError("not yet")
            return "good"

        h.engine.register("sometimes", sometimes)

        def definition(last: int) -> WorkflowDef:
            return workflow(
                StepDef(id="a", action=Function(name="sometimes"), on_error="skip_dependents"),
                StepDef(id="b", action=Value(value="{{ a }}!"), references=("a",)),
                StepDef(id="c", action=Function(name="sometimes"), on_error="continue"),
                StepDef(id="d", action=Function(name="ok"), references=("c",)),
                StepDef(id="e", action=Value(value=last)),
            )

        run = await h.run(definition(1))
        assert (run.nodes["b"].status, counting.ran) == ("skipped", ["d"])
        broken = False
        await h.client.resume_edited(run.id, definition(2))
        run = await settled(h, run.id)
        assert run.outputs == {"b": "good!", "d": "d", "e": 2}
        assert counting.ran == ["d", "d"]


async def test_what_an_edited_definition_brings_is_recorded() -> None:
    async with Harness() as h:
        await opened(h)
        run = await h.run(workflow(step("bad", name="broken")))
        asked = StepDef(id="bad", action=Prompt(template="Hi", models=("smart",)))
        await h.client.resume_edited(
            run.id, workflow(asked), source_hash="new", env_names=("TOKEN",), env={"TOKEN": "t"}
        )
        run = await settled(h, run.id)
        assert run.status == "succeeded"
        call = run.nodes["bad"].attempts[-1].calls[0]
        assert run.models["smart"] == (f"{call.provider}:{call.model}",)
        assert (run.source_hash, run.env_names) == ("new", ("TOKEN",))


async def test_an_edited_run_may_drop_steps() -> None:
    async with Harness() as h:
        await opened(h)
        run = await h.run(workflow(step("a"), step("bad", "a", name="broken")))
        await h.client.resume_edited(run.id, workflow(step("a")))
        run = await settled(h, run.id)
        assert (run.status, list(run.nodes)) == ("succeeded", ["a"])


async def test_a_fork_runs_only_what_is_downstream() -> None:
    async with Harness() as h:
        counting = await opened(h)
        definition = workflow(
            step("a"),
            step("b", "a"),
            StepDef(id="c", action=Value(value="{{ b }} {{ inputs.k }}"), references=("b",)),
        )
        run = await h.run(definition, {"k": 1})
        counting.ran.clear()
        fork = await settled(h, await h.client.fork(run.id, "b", inputs={"k": 2}))
        assert counting.ran == ["b"]
        assert fork.outputs == {"c": "b 2"}
        assert fork.created.forked_from == run.id
        assert fork.nodes["a"].attempts == []
        fork = await settled(h, await h.client.fork(run.id, "b", outputs={"b": "given"}))
        assert counting.ran == ["b"]
        assert fork.outputs == {"c": "given 1"}
        assert (await h.client.run(run.id)).outputs == {"c": "b 1"}


async def test_wrong_forks_are_told() -> None:
    async with Harness() as h:
        await opened(h)
        run = await h.run(workflow(step("a"), step("b", "a")))
        with pytest.raises(NotFoundError, match="no step 'x'"):
            await h.client.fork(run.id, "x")
        with pytest.raises(InvalidError, match="downstream"):
            await h.client.fork(run.id, "a", outputs={"b": 1})


async def test_a_live_run_cannot_be_edited() -> None:
    gate = asyncio.Event()

    async def wait(ctx: StepContext) -> None:
        await gate.wait()

    async with Harness() as h:
        h.engine.register("wait", wait)
        definition: WorkflowDef = workflow(step("a", name="wait"))
        run_id = await h.start(definition)
        with pytest.raises(InvalidError, match="being driven"):
            await h.client.resume_edited(run_id, definition)
        gate.set()
        await settled(h, run_id)
