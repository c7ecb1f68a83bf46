"""Coding agents in the engine: what they do is recorded as it happens, and is not repeated by itself."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from aethermind.domain.events import CallFailed, CallFinished, ToolFinished, ToolStarted
from aethermind.domain.workflow import Prompt, Retry, StepDef
from aethermind.infra.children.local import LocalChildren
from aethermind.infra.config import load_config
from aethermind.infra.providers.models import ConfiguredModels
from tests.engine.harness import Harness, Kept, types, workflow
from tests.engine.test_recovery import Crashing
from tests.servers.agents import (
    StandIn,
    claude_end,
    claude_good,
    claude_init,
    claude_says,
    claude_uses,
    lines,
)

ACTS = lines(claude_init(), claude_says("m1", claude_uses("t1", command="rm sk-ant-abcdefghijklmnopqrstu")))
STEP = StepDef(
    id="mend",
    action=Prompt(template="Mend it.", models=("cli:claude",)),
    retry=Retry(max_attempts=3, backoff_ms=1),
)


@pytest.fixture
async def models(tmp_path: Path) -> AsyncIterator[ConfiguredModels]:
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    config = load_config({"PATH": path}, home=tmp_path)
    found = ConfiguredModels(config)
    found.children = children = LocalChildren(grace=0.2, environment={"PATH": path, "HOME": str(tmp_path)})
    yield found
    await children.close()


async def test_a_failure_before_it_acts_is_tried_again(tmp_path: Path, models: ConfiguredModels) -> None:
    busy = claude_end("API Error: 529 Overloaded", is_error=True, total_cost_usd=0)
    claude = StandIn(tmp_path / "bin", "claude", lines(claude_init(), busy), ("exit", 1))
    async with Harness(models=models, cwd=tmp_path) as h:
        run = await h.run(workflow(STEP), simulated=False)
        assert run.status == "failed"
        assert claude.starts == 3
        failed = [r.event for r in await h.history(run.id) if isinstance(r.event, CallFailed)]
        assert [(event.error.kind, event.cost and event.cost.micro_usd) for event in failed] == [
            ("overloaded", 0)
        ] * 3


async def test_what_had_begun_to_act_is_not_repeated(tmp_path: Path, models: ConfiguredModels) -> None:
    claude = StandIn(tmp_path / "bin", "claude", ACTS, ("kill",))
    async with Harness(models=models, cwd=tmp_path) as h:
        run = await h.run(workflow(STEP), simulated=False)
        assert run.status == "failed"
        assert claude.starts == 1
        history = [r.event for r in await h.history(run.id)]
    (started,) = [event for event in history if isinstance(event, ToolStarted)]
    (ended,) = [event for event in history if isinstance(event, ToolFinished)]
    assert (started.tool, started.effect) == ("Bash", "command")
    assert ended.is_error
    (failed,) = [event for event in history if isinstance(event, CallFailed)]
    assert failed.cost is not None
    assert failed.cost.micro_usd is None


async def test_cancelling_the_run_stops_it(tmp_path: Path, models: ConfiguredModels) -> None:
    claude = StandIn(tmp_path / "bin", "claude", ACTS, ("wait",))
    async with Harness(models=models, cwd=tmp_path) as h:
        run_id = await h.start(workflow(STEP), simulated=False)
        await _acts(h, run_id)
        await h.client.cancel(run_id)
        run = await asyncio.wait_for(h.client.wait(run_id), 20)
        await h.verify(run_id)
    assert run.status == "cancelled"
    assert not Path(f"/proc/{claude.seen['pid']}").exists()


async def test_a_lost_one_is_asked_about(tmp_path: Path, models: ConfiguredModels) -> None:
    claude, store = StandIn(tmp_path / "bin", "claude", ACTS, ("wait",)), Kept()
    async with Crashing(store=store, models=models, cwd=tmp_path) as h:
        run_id = await h.start(workflow(STEP), simulated=False)
        await _acts(h, run_id)
    claude.acts(claude_good())
    async with Harness(store=store, models=models, cwd=tmp_path) as h:
        await h.client.resume(run_id)
        run = await asyncio.wait_for(h.client.wait(run_id), 20)
        node = run.nodes["mend"]
        assert node.status == "in_doubt" or node.question is not None
        assert node.question is not None
        assert node.question.fields["choice"]["enum"] == ["retry", "skip", "fail"]
        assert claude.starts == 1
        await h.client.answer(run_id, "mend", {"choice": "retry"}, by="test")
        run = await asyncio.wait_for(h.client.wait(run_id), 20)
        assert run.outputs == {"mend": "It works."}
        assert claude.starts == 2
        await h.verify(run_id)


async def test_a_step_may_say_that_it_is_run_again(tmp_path: Path, models: ConfiguredModels) -> None:
    from msgspec.structs import replace

    claude, store = StandIn(tmp_path / "bin", "claude", ACTS, ("wait",)), Kept()
    async with Crashing(store=store, models=models, cwd=tmp_path) as h:
        run_id = await h.start(workflow(replace(STEP, on_in_doubt="retry")), simulated=False)
        await _acts(h, run_id)
    claude.acts(claude_good())
    async with Harness(store=store, models=models, cwd=tmp_path) as h:
        await h.client.resume(run_id)
        run = await asyncio.wait_for(h.client.wait(run_id), 20)
        assert run.outputs == {"mend": "It works."}
        (finished,) = [r.event for r in await h.history(run_id) if isinstance(r.event, CallFinished)]
        assert finished.text == "It works."


async def _acts(h: Harness, run_id: str) -> None:
    """Until it uses its tool."""
    async with asyncio.timeout(20):
        while "ToolStarted" not in types(await h.history(run_id)):  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)
