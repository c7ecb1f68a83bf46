"""Several agents and workflows at once, by priority, on one runtime."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from aethermind.domain.workflow import WorkflowDef
from aethermind.engine.results import RunResult
from aethermind.engine.runtime import FlowLike, Runtime, WorkflowLike

Json = Any


class Orchestrator:
    """Coordinates runs; limits and priorities are the runtime's, so several orchestrators may share one."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    async def execute_task(
        self, agent: str, inputs: Json = None, *, priority: int = 0, sim: bool = False
    ) -> RunResult:
        """Run one agent; among what waits for a free slot a higher `priority` goes first."""
        return await self.runtime.execute_agent(agent, inputs, priority=priority, sim=sim)

    async def execute_workflow(
        self,
        workflow: WorkflowLike,
        inputs: Mapping[str, Json] | None = None,
        *,
        priority: int | None = None,
        sim: bool = False,
    ) -> RunResult:
        """Run a workflow (registered name, sample, file or `Workflow`)."""
        return await self.runtime.execute_workflow(workflow, inputs, priority=priority, sim=sim)

    async def execute_parallel(
        self, tasks: Sequence[tuple[str, Json]], *, priority: int = 0, sim: bool = False
    ) -> list[RunResult]:
        """Run these (agent, inputs) at once, each a run of its own; results in the order given."""
        return await asyncio.gather(
            *(self.execute_task(agent, inputs, priority=priority, sim=sim) for agent, inputs in tasks)
        )


class WorkflowEngine:
    """The registry of workflows by name, and their execution."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    async def register_workflow(self, workflow: FlowLike | WorkflowDef | Mapping[str, Any]) -> WorkflowDef:
        """See `AgentRuntime.register_workflow`. Raises `InvalidError`."""
        return await self.runtime.register_workflow(workflow)

    def get_workflow(self, name: str) -> WorkflowDef:
        """Raises `NotFoundError`."""
        return self.runtime.get_workflow(name)

    async def execute(self, name: str, inputs: Mapping[str, Json] | None = None) -> RunResult:
        return await self.runtime.execute_workflow(name, inputs)
