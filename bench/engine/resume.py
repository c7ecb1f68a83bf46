"""Resume: a run of 10,000 steps that was killed half done, and 100 runs at once.

    python -m bench.engine.resume make FILE RUNS LENGTH      chains run to their half, then a kill -9
    python -m bench.engine.resume go FILE RUNS LENGTH        resume all of them, told as JSON

Measured is what a user waits for: from opening the database until each run's next step is at work (imports,
which `start` measures, are done). How long the other half then takes is said beside it.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.engine.child import ask, tell
from bench.engine.contender import ROOT, search_path
from bench.engine.goals import Line, median
from bench.engine.plan import Plan

CHAINS = 10
"""Of one run: as many steps are at work at a time."""


def lines(plan: Plan) -> list[Line]:
    many = plan.many_runs
    return [
        _measure(plan, f"one run of {plan.resume_steps:,} steps", 1, plan.resume_steps, goal=2.0),
        _measure(plan, f"{many} runs of 100 steps", many, 100, goal=5.0),
    ]


def _measure(plan: Plan, what: str, runs: int, length: int, *, goal: float) -> Line:
    with tempfile.TemporaryDirectory() as name:
        made = Path(name) / "made"
        made.mkdir()
        argv = [
            sys.executable,
            "-m",
            "bench.engine.resume",
            "make",
            str(made / "a.db"),
            str(runs),
            str(length),
        ]
        environ = {**os.environ, "PYTHONPATH": search_path()}
        done = subprocess.run(argv, cwd=ROOT, env=environ, check=False)
        if done.returncode != -signal.SIGKILL:
            raise RuntimeError(f"exit {done.returncode} instead of being killed")
        answers = []
        for n in range(min(3, plan.rounds)):
            copy = Path(name) / str(n)
            shutil.copytree(made, copy)
            answers.append(ask("bench.engine.resume", "go", copy / "a.db", runs, length))
    rest = median([a["rest_s"] for a in answers])
    return Line(
        part="resume",
        what=what,
        measured=median([a["at_work_s"] for a in answers]),
        unit="s",
        goal=goal,
        note=f"the other half then takes {rest:.2f} s",
    )


def _flow(length: int) -> Any:
    from bench.engine.limit import chain
    from bench.engine.ours import definition

    chains = CHAINS if length > 1_000 else 1
    dag: dict[str, tuple[str, ...]] = {}
    for c in range(chains):
        for step, needs in chain(length // chains).items():
            dag[f"c{c}{step}"] = tuple(f"c{c}{need}" for need in needs)
    return definition("resume", dag), chains


async def make(file: str, runs: int, length: int) -> None:
    from aethermind import AgentRuntime, StepContext
    from bench.engine.limit import ANSWER
    from bench.engine.ours import request

    flow, chains = _flow(length)
    half = length // chains // 2
    waiting = 0
    full = asyncio.get_running_loop().create_future()

    async def step(ctx: StepContext) -> Any:
        nonlocal waiting
        if int(ctx.step.rpartition("s")[2]) < half:
            return ANSWER
        waiting += 1
        if waiting == chains * runs:
            full.set_result(None)
        await asyncio.sleep(3_600)
        return None

    async with AgentRuntime(file, max_concurrent_executions=chains * runs, durability="process") as runtime:
        runtime.engine.register("bench", step)
        for _ in range(runs):
            await runtime.engine.start(request(flow))
        await full
        os.kill(os.getpid(), signal.SIGKILL)


async def go(file: str, runs: int, length: int) -> None:
    from aethermind import AgentRuntime, StepContext
    from bench.engine.limit import ANSWER

    _, chains = _flow(length)
    with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as db:
        ids = [row[0] for row in db.execute("SELECT id FROM runs ORDER BY seq")]
    again: set[tuple[str, str]] = set()
    ran = 0
    began = time.perf_counter()
    at_work: float | None = None

    async def step(ctx: StepContext) -> Any:
        nonlocal at_work, ran
        ran += 1
        again.add((ctx.run_id, ctx.step.partition("s")[0]))
        if at_work is None and len(again) == chains * runs:
            at_work = time.perf_counter() - began
        return ANSWER

    async with AgentRuntime(file, max_concurrent_executions=chains * runs, durability="process") as runtime:
        runtime.engine.register("bench", step)
        results = await asyncio.gather(*map(runtime.resume, ids))
    took = time.perf_counter() - began
    if at_work is None or not all(r.succeeded for r in results) or len(results) != runs:
        raise RuntimeError(f"{[r.status for r in results][:3]}")
    half = runs * (length - chains * (length // chains // 2))
    if ran != half:
        raise RuntimeError(f"{ran} steps were run, not {half}")
    tell({"at_work_s": at_work, "rest_s": took - at_work})


if __name__ == "__main__":
    verb = make if sys.argv[1] == "make" else go
    asyncio.run(verb(sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
