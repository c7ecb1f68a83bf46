"""The terminal UI measured through a pty, against its goals. One table.

    python -m bench.tui [--only PART …] [--quick] [--rounds N] [--json]

The real engine and the real screen run in a process of their own, on a pty of 120×40 that a thread reads; a
key counts as shown when the line that it changes has come. Figures need a machine with nothing else to do:
the load is told with them.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace

from bench.engine.__main__ import machine
from bench.engine.goals import Line, figure
from bench.tui import flood, held, hostile, large, start
from bench.tui.plan import QUICK, Plan

PARTS: dict[str, Callable[[Plan], list[Line]]] = {
    "start": start.lines,
    "keys": flood.keys,
    "bytes": flood.traffic,
    "stall": flood.stall,
    "slowdown": flood.slowdown,
    "slow-line": flood.slow_line,
    "held": held.lines,
    "large": large.lines,
    "hostile": hostile.lines,
}


def measure(plan: Plan, only: list[str]) -> list[Line]:
    """A part that fails says so in a line of its own, and the others go on."""
    made: list[Line] = []
    for name, part in PARTS.items():
        if name not in only:
            continue
        began = time.monotonic()
        print(f"— {name}", file=sys.stderr)
        try:
            made += part(plan)
        except Exception as error:  # noqa: BLE001 - what else was measured is worth as much without it
            made.append(Line(part=name, what="failed", measured=1, goal=0, note=f"{error!r}"[:400]))
        print(f"  {time.monotonic() - began:.0f} s", file=sys.stderr)
    return made


def markdown(lines: list[Line]) -> str:
    rows = ["| | measured | goal | | |", "|---|---|---|---|---|"]
    for line in lines:
        goal = "" if line.goal is None else f"≤ {figure(line.goal, line.unit)}"
        rows.append(
            f"| {line.what} | {figure(line.measured, line.unit)} | {goal} | {line.verdict} | {line.note} |"
        )
    return "\n".join(rows)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.tui", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS), metavar="PART")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--quick", action="store_true", help="small sizes: it shows that all of it works")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    plan = QUICK if given.quick else Plan()
    if given.rounds:
        plan = replace(plan, rounds=given.rounds)
    described = machine()
    lines = measure(plan, given.only)
    judged = [line for line in lines if line.met is not None]
    if given.json:
        print(json.dumps({**described, "quick": given.quick, "lines": [line.as_json() for line in lines]}))
    else:
        print(" · ".join(f"{key} {value}" for key, value in described.items()))
        print(markdown(lines))
        print(f"\n{sum(line.met is True for line in judged)} of {len(judged)} goals met")
    return 1 if any("failed" in line.what for line in lines) else 0


if __name__ == "__main__":
    sys.exit(main())
