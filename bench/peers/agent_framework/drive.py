"""W1–W4 on Microsoft's agent-framework, as fast as it honestly goes with each step kept.

Chosen, after reading the installed code:
- `FileCheckpointStorage`: one JSON file at the end of each superstep. It is written in a worker thread and
  never synced to the disk: a crash of the process is survived, a loss of power is not. There is no setting
  for that, so this peer has no power-safe figures.
- Executors send their answer on to the next ones: a checkpoint holds the answers in flight and none before.
- A chain is one executor that sends to itself. With an executor for each of 1,000 steps, all their states
  were copied at each superstep: 35 s and more for W1.
- A workflow object runs once at a time, so that each run has its own; they are built before the clock
  starts. `max_iterations` is raised above the length of the chain.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from agent_framework import (  # type: ignore[import-not-found]  # only in the peer's environment
    Executor,
    FileCheckpointStorage,
    WorkflowBuilder,
    WorkflowContext,
    handler,
)

from bench.engine.limit import ANSWER, WORKLOADS, Dag
from bench.engine.serve import Watch, serve

Json = dict[str, Any]
sleep_s = 0.0


async def answer() -> Json:
    if sleep_s:
        await asyncio.sleep(sleep_s)
    return ANSWER


class Step(Executor):  # type: ignore[misc]  # the same
    @handler  # type: ignore[untyped-decorator]  # the same
    async def run(self, given: dict, ctx: WorkflowContext[dict]) -> None:  # type: ignore[type-arg]  # read at run time
        await ctx.send_message(await answer())


class Join(Executor):  # type: ignore[misc]  # the same
    """After several: takes the list of their answers."""

    @handler  # type: ignore[untyped-decorator]  # the same
    async def run(self, given: list[dict], ctx: WorkflowContext[dict]) -> None:  # type: ignore[type-arg]  # the same
        await ctx.send_message(await answer())


class Last(Executor):  # type: ignore[misc]  # the same
    @handler  # type: ignore[untyped-decorator]  # the same
    async def run(self, given: dict, ctx: WorkflowContext[None, dict]) -> None:  # type: ignore[type-arg]  # the same
        await ctx.yield_output(await answer())


class LastJoin(Executor):  # type: ignore[misc]  # the same
    @handler  # type: ignore[untyped-decorator]  # the same
    async def run(self, given: list[dict], ctx: WorkflowContext[None, dict]) -> None:  # type: ignore[type-arg]  # the same
        await ctx.yield_output(await answer())


class Loop(Executor):  # type: ignore[misc]  # the same
    """A chain: each answer goes to itself, until all steps are done."""

    def __init__(self, steps: int) -> None:
        super().__init__(id="loop")
        self.left = steps

    @handler  # type: ignore[untyped-decorator]  # the same
    async def run(self, given: dict, ctx: WorkflowContext[dict, dict]) -> None:  # type: ignore[type-arg]  # the same
        self.left -= 1
        if self.left:
            await ctx.send_message(await answer())
        else:
            await ctx.yield_output(await answer())


def loop(steps: int, storage: Any) -> Any:
    made = Loop(steps)
    builder = WorkflowBuilder(
        start_executor=made, max_iterations=steps + 10, checkpoint_storage=storage, output_from=[made]
    )
    return builder.add_edge(made, made).build()


def workflow(dag: Dag, storage: Any) -> Any:
    followers: dict[str, list[str]] = {name: [] for name in dag}
    for name, needs in dag.items():
        for need in needs:
            followers[need].append(name)
    made: dict[str, Any] = {}
    for name, needs in dag.items():
        joins = len(needs) > 1
        kind = (LastJoin if joins else Last) if not followers[name] else (Join if joins else Step)
        made[name] = kind(id=name)
    builder = WorkflowBuilder(
        start_executor=made[next(iter(dag))],
        max_iterations=len(dag) + 10,
        checkpoint_storage=storage,
    )
    for name, needs in dag.items():
        if len(needs) > 1:
            builder.add_fan_in_edges([made[need] for need in needs], made[name])
    for name, after in followers.items():
        single = [made[other] for other in after if len(dag[other]) == 1]
        if len(single) > 1:
            builder.add_fan_out_edges(made[name], single)
        elif single:
            builder.add_edge(made[name], single[0])
    return builder.build()


async def run(workload: str, db_path: str, full: bool) -> Watch:
    global sleep_s
    if full:
        raise ValueError("file checkpoints are not power-safe")
    dag, runs, sleep_s = WORKLOADS[workload]
    directory = Path(db_path)
    directory.mkdir()
    flows = []
    for n in range(runs):
        storage = FileCheckpointStorage(directory / f"r{n}")
        chained = workload == "W1"
        flows.append(loop(len(dag), storage) if chained else workflow(dag, storage))
    with Watch() as watch:
        results = await asyncio.gather(*(flow.run({"start": True}) for flow in flows))
    if any(not result.get_outputs() for result in results):
        raise RuntimeError("a run gave no output")
    if len(list(directory.glob("*/*.json"))) < runs * 2:
        raise RuntimeError("there are no checkpoints")
    return watch


if __name__ == "__main__":
    serve(run)
