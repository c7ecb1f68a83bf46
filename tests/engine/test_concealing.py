"""Secrets that were loaded: out of the state and the log alike, and somebody is told."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from aethermind.domain.events import CallFinished, CallStarted, LogWritten, StateChanged
from aethermind.domain.ids import agent_stream
from aethermind.domain.workflow import Function, Prompt, Retry, StepDef, Value
from aethermind.engine.context import StepContext
from aethermind.infra import secrets
from aethermind.infra.redaction import veil
from tests.engine.harness import Harness, workflow

SECRET = "tk-4711-deploy-me"


@pytest.fixture(autouse=True)
def registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "_registry", secrets._Registry())


class Veiled(Harness):
    def __init__(self, **how: Any) -> None:
        super().__init__(veil=veil(), **how)


async def recorded(h: Harness) -> str:
    return "\n".join(repr(item) for item in await h.store.read_all(0))


async def test_what_a_step_gives_is_the_same_now_and_in_a_replay() -> None:
    seen: list[Any] = []

    async def give(ctx: StepContext) -> Mapping[str, Any]:
        await ctx.state.set("last", f"kept {SECRET}")
        return {"key": SECRET, "n": 1}

    async def take(ctx: StepContext) -> Any:
        seen.append([ctx.steps["a"].output, ctx.inputs, await ctx.state.get("last")])
        return None

    steps = [
        StepDef(id="a", action=Function(name="give")),
        StepDef(id="b", action=Function(name="take"), depends_on=("a",)),
        StepDef(id="c", action=Value(value="{{ a.key }}"), references=("a",)),
    ]
    async with Veiled() as h:
        h.engine.register("give", give)
        h.engine.register("take", take)
        run = await asyncio.wait_for(
            h.run(workflow(*steps), {"note": f"<{SECRET}>"}, env={"DEPLOY_TOKEN": SECRET}), 10
        )
        assert run.status == "succeeded", run.error
        assert seen == [[{"key": "[redacted]", "n": 1}, {"note": "<[redacted]>"}, "kept [redacted]"]]
        assert run.nodes["c"].output == "[redacted]"
        assert SECRET not in await recorded(h)
        logs = [r.event for r in await h.store.read_all(0) if isinstance(r.event, LogWritten)]
        assert [(log.step, log.level) for log in logs if "secret" in log.message] == [
            (None, "warning"),
            ("a", "warning"),
        ]
        kept = await h.store.read_stream(agent_stream("test"))
        assert [r.event.values for r in kept if isinstance(r.event, StateChanged)] == [
            {"last": "kept [redacted]"}
        ]


async def test_what_a_model_is_asked_and_says() -> None:
    step = StepDef(
        id="a",
        action=Prompt(
            template=f"say {SECRET}", models=("smart",), settings={"sim": {"reply": f"it is {SECRET}"}}
        ),
        retry=Retry(max_attempts=1),
    )
    async with Veiled() as h:
        run = await asyncio.wait_for(h.run(workflow(step), env={"DEPLOY_TOKEN": SECRET}), 10)
        assert run.nodes["a"].output == "it is [redacted]"
        events = [item.event for item in await h.history(run.id)]
        (started,) = [event for event in events if isinstance(event, CallStarted)]
        assert started.request["messages"][0]["content"] == "say [redacted]"
        (finished,) = [event for event in events if isinstance(event, CallFinished)]
        assert finished.text == "it is [redacted]"
        assert SECRET not in await recorded(h)


async def test_what_only_looks_like_a_secret_stays() -> None:
    alike = "sk-abcdefghijklmnopqrstuvwx"
    async with Veiled() as h:
        run = await h.run(workflow(StepDef(id="a", action=Value(value=alike))))
        assert run.nodes["a"].output == alike
