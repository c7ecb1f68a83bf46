"""The SDK as a user writes it: agents with logic, declarative agents, orchestrator, events, registry."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from aethermind import (
    AgentEvent,
    AgentRuntime,
    InMemoryStore,
    InvalidError,
    Orchestrator,
    SimulatedProvider,
    StepContext,
    StepFailure,
    WorkflowEngine,
)
from aethermind.domain.errors import NotFoundError
from aethermind.engine.queries import CostFilter, LogFilter, RunFilter


async def instantly(_seconds: float) -> None:
    return None


@pytest.fixture
async def runtime() -> AsyncIterator[AgentRuntime]:
    async with AgentRuntime(store=InMemoryStore(), default_retries=3) as opened:
        opened.register_provider("sim", SimulatedProvider(sleep=instantly))
        yield opened


async def score(ctx: StepContext) -> dict[str, Any]:
    ctx.log("scoring", words=len(ctx.inputs["text"].split()))
    return {"score": len(ctx.inputs["text"])}


async def test_an_agent_with_logic(runtime: AgentRuntime) -> None:
    runtime.create_agent(name="scorer", logic=score)
    result = await runtime.execute_agent("scorer", {"text": "four"})
    assert result.status == "succeeded"
    assert result.output == {"score": 4}
    logs = await runtime.client.logs(LogFilter(run_id=result.run_id))
    assert [(row.message, row.agent, row.metadata) for row in logs.items] == [
        ("scoring", "scorer", {"words": 1})
    ]


async def test_a_declarative_agent_is_prompted(runtime: AgentRuntime) -> None:
    runtime.create_agent(name="writer", model="smart", instructions="Write one line.")
    result = await runtime.execute_agent("writer", "About tides", sim=True)
    assert result.succeeded
    assert result.text
    assert result.simulated
    assert result.usage.output_tokens > 0
    history = await runtime.engine.store.read_stream(f"run/{result.run_id}")
    request = next(r.event.request for r in history if r.type == "CallStarted")  # type: ignore[union-attr]  # by its type
    assert request["system"] == "Write one line."
    assert request["messages"] == [{"role": "user", "content": "About tides"}]


async def test_chat_records_a_run(runtime: AgentRuntime) -> None:
    runtime.create_agent(name="writer", model="smart")
    messages = [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hello!"},
        {"role": "user", "content": "And now?"},
    ]
    reply = await runtime.chat("writer", messages, sim=True)
    assert reply.text
    rows = await runtime.client.runs(RunFilter())
    assert [row.id for row in rows.items] == [reply.run_id]


async def test_lifecycle_events_come_in_order_and_before_the_result(runtime: AgentRuntime) -> None:
    heard: list[tuple[str, str, int]] = []
    tries = 0

    async def flaky(ctx: StepContext) -> int:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise RuntimeError("first try")
        return 7

    agent = runtime.create_agent(name="flaky", logic=flaky, retries=1)
    for name in ("agent:started", "agent:status", "agent:completed", "agent:failed"):
        agent.on(name, lambda told: heard.append((told.name, told.status, told.attempt)))
    runtime.engine.scheduler._chance.jitter = lambda: 0.0  # type: ignore[method-assign]  # no waiting
    result = await runtime.execute_agent("flaky", {})
    assert result.output == 7
    assert heard == [
        ("agent:started", "running", 1),
        ("agent:status", "running", 1),
        ("agent:status", "retrying", 1),
        ("agent:started", "running", 2),
        ("agent:status", "running", 2),
        ("agent:completed", "idle", 2),
        ("agent:status", "idle", 2),
    ]
    status = agent.get_status()
    assert (status.status, status.completed, status.failed) == ("idle", 1, 1)


async def test_a_failing_agent_tells_and_its_result_can_be_checked(runtime: AgentRuntime) -> None:
    async def broken(ctx: StepContext) -> None:
        raise ValueError("no")

    failures: list[AgentEvent] = []

    async def note(told: AgentEvent) -> None:
        failures.append(told)

    agent = runtime.create_agent(name="broken", logic=broken, retries=0)
    agent.on("agent:failed", note)
    result = await runtime.execute_agent("broken", {})
    assert result.status == "failed"
    assert [told.error for told in failures] == ["ValueError: no"]
    with pytest.raises(StepFailure, match="ValueError: no"):
        result.check()


async def test_default_retries_mean_one_attempt_more(runtime: AgentRuntime) -> None:
    calls = 0

    async def broken(ctx: StepContext) -> None:
        nonlocal calls
        calls += 1
        raise ValueError("no")

    runtime.engine.scheduler._chance.jitter = lambda: 0.0  # type: ignore[method-assign]  # no waiting
    runtime.create_agent(name="broken", logic=broken)
    await runtime.execute_agent("broken", {})
    assert calls == 4


async def test_orchestrator_runs_tasks_in_parallel_in_order(runtime: AgentRuntime) -> None:
    both = asyncio.Barrier(2)

    async def meet(ctx: StepContext) -> int:
        await asyncio.wait_for(both.wait(), 5)
        value: int = ctx.inputs["n"]
        return value

    runtime.create_agent(name="meet", logic=meet)
    orchestrator = Orchestrator(runtime)
    results = await orchestrator.execute_parallel([("meet", {"n": 1}), ("meet", {"n": 2})])
    assert [r.output for r in results] == [1, 2]
    runtime.create_agent(name="scorer", logic=score)
    task = await orchestrator.execute_task("scorer", {"text": "abc"}, priority=5)
    assert task.output == {"score": 3}


async def test_a_workflow_of_registered_agents(runtime: AgentRuntime) -> None:
    async def first(ctx: StepContext) -> str:
        return str(ctx.inputs["topic"])

    async def second(ctx: StepContext) -> str:
        return f"{ctx.steps['research'].output}!"

    runtime.create_agent(name="researcher", logic=first)
    runtime.create_agent(name="writer", logic=second)
    engine = WorkflowEngine(runtime)
    await engine.register_workflow(
        {
            "name": "research-workflow",
            "steps": [
                {"id": "research", "agent": "researcher"},
                {"id": "write", "agent": "writer", "dependsOn": ["research"]},
            ],
        }
    )
    assert engine.get_workflow("research-workflow").steps[1].depends_on == ("research",)
    result = await engine.execute("research-workflow", {"topic": "tides"})
    assert result.outputs == {"write": "tides!"}
    rows = await runtime.client.workflows()
    assert [row.name for row in rows] == ["research-workflow"]
    with pytest.raises(NotFoundError):
        engine.get_workflow("nope")


async def test_ctx_chat_counts_for_the_agent(runtime: AgentRuntime) -> None:
    async def ask(ctx: StepContext) -> str:
        answer: str = await ctx.chat("Say hi", model="fast")
        return answer

    runtime.create_agent(name="asker", logic=ask)
    result = await runtime.execute_agent("asker", {}, sim=True)
    assert result.succeeded
    costs = await runtime.client.costs(CostFilter(by="agent", simulated=True))
    found = [(row.key, row.calls, row.cost_micro_usd) for row in costs]
    assert found == [("asker", 1, result.cost_micro_usd)]


async def test_wrong_use_is_told(runtime: AgentRuntime) -> None:
    with pytest.raises(NotFoundError, match="no agent 'nobody'"):
        await runtime.execute_agent("nobody", {})
    with pytest.raises(InvalidError, match="no name"):
        runtime.create_agent(name="")
    agent = runtime.create_agent(name="scorer", logic=score)
    with pytest.raises(InvalidError, match="agent:strated"):
        agent.on("agent:strated", print)  # type: ignore[arg-type]  # that is the point


async def test_a_held_attempt_leaves_its_agent_idle(runtime: AgentRuntime) -> None:
    agent = runtime.create_agent(name="writer", model="smart")
    definition = agent.workflow()
    held = await runtime.execute_workflow(definition, {"prompt": "x"}, sim=True, budget_usd=0.000001)
    assert held.status == "waiting_budget"
    status = agent.get_status()
    assert (status.status, status.running) == ("idle", 0)


async def test_handlers_hear_in_a_runtime_that_is_opened_again() -> None:
    class Kept(InMemoryStore):
        async def close(self) -> None:
            return None

    runtime, heard = AgentRuntime(store=Kept()), list[AgentEvent]()
    runtime.create_agent(name="scorer", logic=score).on("agent:completed", heard.append)
    for count in (1, 2):
        async with runtime:
            await runtime.execute_agent("scorer", {"text": "four"})
        assert len(heard) == count


async def test_what_is_no_workflow_is_refused(runtime: AgentRuntime) -> None:
    wrong: Any = 3
    with pytest.raises(InvalidError, match="a workflow is a name, a file or a Workflow, not int"):
        await runtime.execute_workflow(wrong, sim=True)
