"""Memory: of a run that waits (for an answer, or in a step that sleeps), and the peak of W2.

python -m bench.engine.memory ask|sleep RUNS rss|traced     one measurement, told as JSON
"""

from __future__ import annotations

import asyncio
import gc
import sys
import tempfile
import tracemalloc
from pathlib import Path
from typing import Any

from bench.engine import contender
from bench.engine.child import ask, tell
from bench.engine.goals import Line, median
from bench.engine.plan import Plan
from bench.engine.serve import memory

IDLE_GOAL_KB = 15.0
PEAK_GOAL_MB = 20.0


def lines(plan: Plan) -> list[Line]:
    made = []
    for kind, how in (("ask", "waits for an answer"), ("sleep", "sleeps in its one step")):
        resident = ask("bench.engine.memory", kind, plan.idle_runs, "rss")
        traced = ask("bench.engine.memory", kind, plan.idle_runs, "traced")
        note = f"{traced['kb']:.1f} KB of Python objects, {plan.idle_runs} runs"
        what = f"idle run that {how}"
        made.append(
            Line(part="memory", what=what, measured=resident["kb"], unit="KB", goal=IDLE_GOAL_KB, note=note)
        )
    peaks, opened = [], []
    for _ in range(max(1, plan.rounds // 2)):
        with contender.ours() as one:
            before = one.order("first", full=True)
            answer = one.order("W2", full=True)
            peaks.append((answer.peak_kb - answer.base_kb) / 1024)
            opened.append((answer.peak_kb - before.peak_kb) / 1024)
    note = f"{median(opened):.1f} MB above an engine that has run one step"
    made.append(
        Line(
            part="memory",
            what="W2, peak above import",
            measured=median(peaks),
            unit="MB",
            goal=PEAK_GOAL_MB,
            note=note,
        )
    )
    return made


async def idle(kind: str, runs: int, *, traced: bool) -> dict[str, Any]:
    """KB of each of so many runs that wait. A few run before: what is made once is not theirs."""
    from aethermind import AgentRuntime, StepContext
    from aethermind.domain.workflow import Ask, Function, StepDef, WorkflowDef
    from bench.engine.ours import request

    asleep = 0
    full: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    wanted = 0

    async def sleep(ctx: StepContext) -> None:
        nonlocal asleep
        asleep += 1
        if asleep == wanted:
            full.set_result(None)
        await asyncio.sleep(3_600)

    action = Ask(message="Go on?") if kind == "ask" else Function(name="sleep")
    flow = WorkflowDef(name="idle", steps=(StepDef(id="wait", action=action),))
    with tempfile.TemporaryDirectory() as directory:
        async with AgentRuntime(
            Path(directory) / "idle.db", max_concurrent_executions=runs * 2, durability="process"
        ) as runtime:
            engine = runtime.engine
            engine.register("sleep", sleep)

            async def begin(count: int) -> None:
                nonlocal full, wanted
                full = asyncio.get_running_loop().create_future()
                wanted = asleep + count
                runs = await asyncio.gather(*(engine.start(request(flow)) for _ in range(count)))
                if kind == "ask":
                    await asyncio.gather(*map(engine.scheduler.settled, runs))
                else:
                    await full

            await begin(50)
            gc.collect()
            if traced:
                tracemalloc.start(1)
            before = tracemalloc.get_traced_memory()[0] / 1024 if traced else memory()["rss_kb"]
            await begin(runs)
            gc.collect()
            after = tracemalloc.get_traced_memory()[0] / 1024 if traced else memory()["rss_kb"]
            if traced:
                tracemalloc.stop()
            live = len(engine.scheduler.live)
    return {"kb": (after - before) / runs, "live": live}


if __name__ == "__main__":
    tell(asyncio.run(idle(sys.argv[1], int(sys.argv[2]), traced=sys.argv[3] == "traced")))
