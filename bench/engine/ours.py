"""W1–W4 on this engine: the same DAGs as `limit`, through the public SDK, every guarantee on."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from aethermind import AgentRuntime, StepContext
from aethermind.domain.workflow import Function, Retry, StepDef, WorkflowDef
from bench.engine.limit import ANSWER, SLEEP_S, WORKLOADS, Dag


async def noop(ctx: StepContext) -> Any:
    return ANSWER


async def sleepy(ctx: StepContext) -> Any:
    await asyncio.sleep(SLEEP_S)
    return ANSWER


def definition(name: str, dag: Dag) -> WorkflowDef:
    steps = tuple(
        StepDef(
            id=step,
            action=Function(name="bench"),
            depends_on=tuple(needs),
            retry=Retry(max_attempts=4),
            timeout_ms=600_000,
        )
        for step, needs in dag.items()
    )
    return WorkflowDef(name=name, steps=steps)


async def run(workload: str, db_path: str, full: bool) -> float:
    """Seconds for one workload on a fresh database."""
    dag, runs, sleep = WORKLOADS[workload]
    flow = definition(workload, dag)
    durability = "power" if full else "process"
    concurrency = 200 if sleep else 1_000
    async with AgentRuntime(
        db_path, max_concurrent_executions=concurrency, durability=durability, default_retries=3
    ) as runtime:
        runtime.engine.register("bench", sleepy if sleep else noop)
        began = time.perf_counter()
        results = await asyncio.gather(*(runtime.execute_workflow(flow) for _ in range(runs)))
        took = time.perf_counter() - began
    wrong = [r.status for r in results if not r.succeeded]
    if wrong:
        raise RuntimeError(f"{len(wrong)} of {runs} runs did not succeed: {wrong[:3]}")
    return took
