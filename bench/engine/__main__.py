"""One table: the bare limit and this engine, the same work, in one run, in turn.

    python -m bench.engine [W1 …] [--repeat N] [--json] [--durability power|process|both]

Figures are medians of N rounds in which limit and engine alternate; the share is of the medians, "best" of
the shortest times, which say more where others use the machine too. Absolute times say more about the machine
than about the program.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import statistics
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from bench.engine import limit, ours

GOALS = {("W1", False): 0.60, ("W2", False): 0.40, ("W3", False): 0.40, ("W1", True): 0.70}
"""Workload, power-safe → share of the limit to be reached at least."""
W4_IDEAL_S = 0.2
Contestant = Callable[[str, str, bool], Coroutine[Any, Any, float]]


def measure(contestant: Contestant, workload: str, *, full: bool) -> float:
    with tempfile.TemporaryDirectory() as directory:
        return asyncio.run(contestant(workload, str(Path(directory) / "bench.db"), full))


def compare(workload: str, *, full: bool, repeat: int) -> dict[str, Any]:
    bare: list[float] = []
    own: list[float] = []
    for _ in range(repeat):
        bare.append(measure(limit.run, workload, full=full))
        own.append(measure(ours.run, workload, full=full))
    steps = limit.STEPS[workload]
    bare_s, own_s = statistics.median(bare), statistics.median(own)
    return {
        "workload": workload,
        "durability": "power" if full else "process",
        "steps": steps,
        "limit_s": round(bare_s, 4),
        "engine_s": round(own_s, 4),
        "limit_steps_per_s": round(steps / bare_s),
        "engine_steps_per_s": round(steps / own_s),
        "share_of_limit": round(bare_s / own_s, 3),
        "best_share_of_limit": round(min(bare) / min(own), 3),
        "goal": GOALS.get((workload, full)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("workloads", nargs="*", default=list(limit.WORKLOADS), metavar="W1 …")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--durability", choices=("power", "process", "both"), default="both")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    modes = {"power": (True,), "process": (False,), "both": (False, True)}[given.durability]
    measure(ours.run, "W3", full=False)  # imports and caches, not counted
    rows = [compare(w, full=full, repeat=given.repeat) for full in modes for w in given.workloads]
    if given.json:
        print(json.dumps({"python": platform.python_version(), "machine": platform.machine(), "rows": rows}))
        return
    print(f"{'':4} {'durability':10} {'limit/s':>9} {'engine/s':>9} {'share':>7} {'best':>5}  goal")
    for row in rows:
        if row["workload"] == "W4":
            ratio = row["engine_s"] / W4_IDEAL_S
            extra = f"{row['engine_s']:.3f} s, {ratio:.2f}× ideal (limit {row['limit_s']:.3f} s)"
        else:
            goal = row["goal"]
            met = "met" if goal and row["share_of_limit"] >= goal else "missed"
            extra = f"≥ {goal:.0%} {met}" if goal else ""
        print(
            f"{row['workload']:4} {row['durability']:10} {row['limit_steps_per_s']:>9,} "
            f"{row['engine_steps_per_s']:>9,} {row['share_of_limit']:>7.0%} "
            f"{row['best_share_of_limit']:>5.0%}  {extra}"
        )


if __name__ == "__main__":
    main()
