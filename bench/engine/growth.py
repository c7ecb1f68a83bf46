"""Growth: what a step costs in a run of 100,000 steps, and beside 100,000 past runs, against small ones.

    python -m bench.engine.growth shape chain|wide STEPS TIMES      runs of so many steps, told as JSON
    python -m bench.engine.growth past FILE|- ROUNDS                W3, beside the runs in FILE

Wall and CPU time per step are compared; the worse ratio counts.
"""

from __future__ import annotations

import asyncio
import gc
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.engine.child import ask, tell
from bench.engine.goals import Line, median
from bench.engine.plan import Plan

SMALL = 1_000
GOAL = 1.2


def lines(plan: Plan) -> list[Line]:
    rounds = min(3, plan.rounds)
    made = []
    for shape in ("wide", "chain"):
        small, large = [], []
        for _ in range(rounds if shape == "wide" else 1):
            small.append(ask("bench.engine.growth", "shape", shape, SMALL, 20))
            large.append(ask("bench.engine.growth", "shape", shape, plan.wide, 1))
        made.append(_line(f"a step in one {shape} run of {plan.wide:,} against {SMALL:,}", small, large))
    from bench.engine import past

    file = past.cached(plan.past_runs, 0)
    none, many = [], []
    with tempfile.TemporaryDirectory() as directory:
        copy = shutil.copyfile(file, Path(directory) / "past.db")
        for _ in range(rounds):
            none.append(ask("bench.engine.growth", "past", "-", 5))
            many.append(ask("bench.engine.growth", "past", copy, 5))
    made.append(_line(f"a step of W3 beside {plan.past_runs:,} past runs", none, many))
    return made


def _line(what: str, small: Sequence[dict[str, Any]], large: Sequence[dict[str, Any]]) -> Line:
    ratios = {
        key: median([a[key] for a in large]) / median([a[key] for a in small])
        for key in ("wall_us", "cpu_us")
    }
    texts = []
    for key in ratios:
        before, after = (median([a[key] for a in answers]) for answers in (small, large))
        texts.append(f"{key.removesuffix('_us')} {before:.0f} → {after:.0f} µs")
    return Line(
        part="growth", what=what, measured=max(ratios.values()), unit="×", goal=GOAL, note=", ".join(texts)
    )


async def shape(kind: str, steps: int, times: int) -> None:
    """So many runs, one after the other; per step of all but the first (if there is more than one)."""
    from aethermind import AgentRuntime
    from bench.engine.limit import chain, fan
    from bench.engine.ours import definition, noop
    from bench.engine.serve import Watch

    flow = definition(kind, fan(steps - 2) if kind == "wide" else chain(steps))
    walls, cpus = [], []
    with tempfile.TemporaryDirectory() as directory:
        async with AgentRuntime(
            Path(directory) / "growth.db", max_concurrent_executions=1_000, durability="process"
        ) as runtime:
            runtime.engine.register("bench", noop)
            for _ in range(times):
                gc.collect()
                with Watch() as watch:
                    result = await runtime.execute_workflow(flow)
                if not result.succeeded:
                    raise RuntimeError(result.status)
                del result
                walls.append(watch.seconds / steps * 1e6)
                cpus.append(watch.cpu_s / steps * 1e6)
    tell({"wall_us": median(walls), "cpu_us": median(cpus)})


async def past_runs(file: str, rounds: int) -> None:
    from aethermind import AgentRuntime
    from bench.engine.limit import DIAMOND
    from bench.engine.ours import definition, noop
    from bench.engine.serve import Watch

    flow = definition("W3", DIAMOND)
    walls, cpus = [], []
    with tempfile.TemporaryDirectory() as directory:
        database = file if file != "-" else f"{directory}/none.db"
        async with AgentRuntime(database, max_concurrent_executions=1_000, durability="process") as runtime:
            runtime.engine.register("bench", noop)
            for n in range(rounds + 1):
                gc.collect()
                with Watch() as watch:
                    results = await asyncio.gather(*(runtime.execute_workflow(flow) for _ in range(200)))
                if not all(r.succeeded for r in results):
                    raise RuntimeError("a run did not succeed")
                if n:
                    walls.append(watch.seconds / 1_000 * 1e6)
                    cpus.append(watch.cpu_s / 1_000 * 1e6)
    tell({"wall_us": median(walls), "cpu_us": median(cpus)})


if __name__ == "__main__":
    if sys.argv[1] == "shape":
        asyncio.run(shape(sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
    else:
        asyncio.run(past_runs(sys.argv[2], int(sys.argv[3])))
