"""What a run takes from a terminal's environment, once it is driven where that terminal never was."""

from __future__ import annotations

import pytest

from aethermind.domain.run import Run
from aethermind.domain.workflow import Command, Prompt, StepDef, WorkflowDef
from aethermind.engine.lacking import taken_by
from tests.engine.harness import Harness, Kept, types, workflow

PRINT = Command(argv=("sh", "-c", "printf %s $TOKEN"), env={"TOKEN": "$TOKEN"})
FIRST = StepDef(id="first", action=Command(argv=("true",)))
BOTH = workflow(
    FIRST,
    StepDef(id="a", action=PRINT, depends_on=("first",)),
    StepDef(id="b", action=PRINT, depends_on=("first",)),
    outputs={"a": "{{ a }}", "b": "{{ b }}"},
)
ALONE = workflow(StepDef(id="a", action=PRINT), outputs={"a": "{{ a }}"})


@pytest.fixture
async def left() -> tuple[Kept, str]:
    """A store with a run that was paused before its commands began, and whose engine has ended."""
    return await paused(BOTH)


async def paused(definition: WorkflowDef) -> tuple[Kept, str]:
    store = Kept()
    async with Harness(store=store) as h:
        run_id = await h.start(definition, env={"TOKEN": "of-the-first"})
        await h.client.pause(run_id, by="ana")
        await h.client.wait(run_id)
    return store, run_id


async def test_a_run_that_is_taken_up_elsewhere_asks_for_what_it_lacks(left: tuple[Kept, str]) -> None:
    store, run_id = left
    async with Harness(store=store) as h:
        await h.client.resume(run_id, by="serve")
        run = await h.client.wait(run_id)
        assert run.status == "paused"
        assert run.pause is not None
        assert run.pause.by == "engine"
        assert "takes $TOKEN from the environment" in run.pause.reason
        assert {path: run.nodes[path].status for path in "ab"} == dict.fromkeys("ab", "waiting_budget")
        assert run.guarded == 0, "it does not repeat itself"
        pauses = [r for r in await h.history(run_id) if r.type == "RunPaused"]
        assert len(pauses) == 2, "ana's, and one for both steps"
        # Still nothing: it is asked for again.
        await h.client.resume(run_id, by="ana", env={"OTHER": "x"})
        assert (await h.client.wait(run_id)).status == "paused"
        await h.client.resume(run_id, by="ana", env={"TOKEN": "of-ana"})
        run = await h.client.wait(run_id)
        assert (run.status, run.outputs) == ("succeeded", {"a": "of-ana", "b": "of-ana"})
        await h.verify(run_id)
        assert types(await h.history(run_id)).count("AttemptFailed") == 0
        acts = [(row.act, row.who) for row in (await h.client.audit()).items]
        assert [act for act, _ in acts].count("pause") == 1, "the engine's own is no act of a person"


async def test_what_is_there_is_not_asked_for(left: tuple[Kept, str]) -> None:
    store, run_id = left
    async with Harness(store=store) as h:
        await h.client.resume(run_id, env={"TOKEN": "of-the-second"})
        run = await h.client.wait(run_id)
        assert run.outputs == {"a": "of-the-second", "b": "of-the-second"}


async def test_in_the_terminal_that_starts_it_a_variable_that_is_not_there_fails_the_step() -> None:
    async with Harness() as h:
        run = await h.run(ALONE)
        assert run.status == "failed"
        error = run.nodes["a"].attempts[0].error
        assert error is not None
        assert error.message == "the environment has no TOKEN"


async def test_nobody_changes_anothers_keys_by_going_on_with_his_run() -> None:
    async with Harness() as h:
        run_id = await h.start(BOTH, env={"TOKEN": "of-ana"})
        await h.client.pause(run_id)
        await h.client.resume(run_id, by="ben", env={"TOKEN": "of-ben"})
        run = await h.client.wait(run_id)
        assert run.outputs == {"a": "of-ana", "b": "of-ana"}


async def test_a_retry_from_another_terminal_asks_too() -> None:
    store = Kept()
    async with Harness(store=store) as h:
        run = await h.run(ALONE)
        assert run.status == "failed"
    async with Harness(store=store) as h:
        await h.client.retry(run.id, by="ana")
        assert (await h.client.wait(run.id)).status == "paused"
        await h.client.resume(run.id, by="ana", env={"TOKEN": "x"})
        again: Run = await h.client.wait(run.id)
        assert (again.status, again.outputs) == ("succeeded", {"a": "x"})


async def test_an_agents_server_is_not_started_without_its_key() -> None:
    server = {"mcp": {"command": ["no-such-server"], "env": {"KEY": "$TOKEN", "PLAIN": "x"}}}
    agent = StepDef(
        id="p", action=Prompt(template="hi", models=("sim:fast",), tools=(server,)), depends_on=("first",)
    )
    store, run_id = await paused(workflow(FIRST, agent))
    async with Harness(store=store) as h:
        await h.client.resume(run_id)
        run = await h.client.wait(run_id)
        assert (run.status, run.nodes["p"].status) == ("paused", "waiting_budget")


def test_what_tools_take() -> None:
    tools = (
        "files",
        {"shell": {"approve": "ask"}},
        {"mcp": {"command": ["x"], "env": {"A": "$ONE", "B": "two"}}},
        {"mcp": {"url": "https://h", "headers": {"Authorization": "$THREE"}}},
        {"mcp": None},
    )
    assert taken_by(tools) == ["ONE", "THREE"]
