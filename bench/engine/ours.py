"""W1–W4 on this engine: the same DAGs as `limit`, through the public SDK, every guarantee on.

python -m bench.engine.ours           answers orders on stdin, see `bench.engine.contender`
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from typing import Any

from aethermind import AgentRuntime, StepContext
from aethermind.domain.events import Submitter
from aethermind.domain.workflow import Function, Retry, StepDef, WorkflowDef
from aethermind.engine.client import RunRequest
from bench.engine.limit import ANSWER, SLEEP_S, WORKLOADS, Dag
from bench.engine.serve import Watch, serve

PLACES = int(os.environ.get("BENCH_PLACES", "1000"))
"""Attempts at once: more than any workload has ready, so that nothing queues, as with the others."""


async def noop(ctx: StepContext) -> Any:
    return ANSWER


async def sleepy(ctx: StepContext) -> Any:
    await asyncio.sleep(SLEEP_S)
    return ANSWER


def definition(name: str, dag: Dag) -> WorkflowDef:
    """The DAG with what an SDK step has: four attempts and a timeout."""
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


def request(flow: WorkflowDef) -> RunRequest:
    """A run of it as the SDK would ask for it, for the parts that wait for something else than its end."""
    submitter = Submitter(user="bench", cwd=tempfile.gettempdir(), interpreter=sys.executable, origin="sdk")
    return RunRequest(definition=flow, inputs={}, submitter=submitter)


async def run(workload: str, db_path: str, full: bool) -> Watch:
    """One workload on a fresh database."""
    dag, runs, sleep = WORKLOADS[workload]
    flow = definition(workload, dag)
    durability = "power" if full else "process"
    async with AgentRuntime(
        db_path, max_concurrent_executions=PLACES, durability=durability, default_retries=3
    ) as runtime:
        runtime.engine.register("bench", sleepy if sleep else noop)
        with Watch() as watch:
            results = await asyncio.gather(*(runtime.execute_workflow(flow) for _ in range(runs)))
    wrong = [r.status for r in results if not r.succeeded]
    if wrong:
        raise RuntimeError(f"{len(wrong)} of {runs} runs did not succeed: {wrong[:3]}")
    return watch


if __name__ == "__main__":
    serve(run)
