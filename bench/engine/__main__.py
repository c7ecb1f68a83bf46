"""This engine measured: against the bare limit and other engines, and against its own goals. One table.

    python -m bench.engine [--only W3 …] [--rounds N] [--quick] [--json] [--no-peers]

Every part measures all its contenders in turn, round by round, each in a process of its own, so that they
share the machine's noise; figures are medians. Ratios say something about the program, absolute times mostly
about the machine. The peers need `python -m bench.peers install` once; who is absent is left out. Databases
with a large past are made at the first run (some minutes and gigabytes, under .bench) and kept.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import sqlite3
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from bench.engine import goals, growth, lag, listing, memory, plan, rebuild, resume, start, steps
from bench.engine.goals import Line
from bench.engine.plan import Plan

PARTS: dict[str, Callable[[Plan], list[Line]]] = {
    "start": start.lines,
    "memory": memory.lines,
    "lag": lag.lines,
    "resume": resume.lines,
    "growth": growth.lines,
    "listing": listing.lines,
    "rebuild": rebuild.lines,
}
NAMES = (*steps.WORKLOADS, *PARTS)


def measure(wanted: Plan, only: Sequence[str]) -> list[Line]:
    """All lines of these parts. A part that fails says so in a line of its own, and the others go on."""
    made: list[Line] = []
    todo: list[tuple[str, Callable[[], list[Line]]]] = []
    if workloads := [name for name in steps.WORKLOADS if name in only]:
        todo.append(("W1–W4", lambda: steps.lines(wanted, workloads)))
    todo += [(name, lambda part=part: part(wanted)) for name, part in PARTS.items() if name in only]  # type: ignore[misc]  # bound as a default
    for name, part in todo:
        began = time.monotonic()
        print(f"— {name}", file=sys.stderr)
        try:
            made += part()
        except Exception as error:  # noqa: BLE001 - what else was measured is worth as much without it
            made.append(Line(part=name, what="failed", measured=1, goal=0, note=f"{error!r}"[:300]))
        print(f"  {time.monotonic() - began:.0f} s", file=sys.stderr)
    return made


def machine() -> dict[str, object]:
    return {
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "load": [round(n, 2) for n in os.getloadavg()],
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.engine",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--only", nargs="+", choices=NAMES, default=NAMES, metavar="PART", help=" ".join(NAMES)
    )
    parser.add_argument("--rounds", type=int, help="default 5, quick 1")
    parser.add_argument("--quick", action="store_true", help="small sizes: under three minutes")
    parser.add_argument("--no-peers", action="store_true", help="without the other engines")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    wanted = plan.quick(given.rounds or 1) if given.quick else Plan(rounds=given.rounds or 5)
    wanted = replace(wanted, peers=not given.no_peers)
    described = machine()
    lines = measure(wanted, given.only)
    judged = [line for line in lines if line.met is not None]
    met = sum(line.met is True for line in judged)
    if given.json:
        print(json.dumps({**described, "quick": given.quick, "lines": [line.as_json() for line in lines]}))
    else:
        print(" · ".join(f"{key} {value}" for key, value in described.items()))
        print(goals.table(lines))
        print(f"{met} of {len(judged)} goals met")
    return 1 if any(line.what == "failed" for line in lines) else 0


if __name__ == "__main__":
    sys.exit(main())
