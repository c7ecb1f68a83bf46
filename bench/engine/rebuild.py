"""`db rebuild`: equal hashes of every projection before and after, and how long it takes."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

from aethermind.infra.stores.upkeep import Upkeep
from bench.engine import past
from bench.engine.goals import Line
from bench.engine.plan import Plan


def lines(plan: Plan) -> list[Line]:
    file = past.cached(plan.rebuild_runs, 0)
    with tempfile.TemporaryDirectory() as directory:
        copy = shutil.copyfile(file, Path(directory) / "past.db")
        began = time.perf_counter()
        tables = Upkeep(copy).rebuild()
        took = time.perf_counter() - began
    changed = [table.table for table in tables if table.changed]
    note = f"changed: {', '.join(changed)}" if changed else f"equal hashes of {len(tables)} projections"
    what = f"`db rebuild` of {plan.rebuild_runs:,} runs"
    return [
        Line(
            part="rebuild",
            what="projections that a rebuild changes",
            measured=len(changed),
            goal=0,
            note=note,
        ),
        Line(part="rebuild", what=what, measured=took, unit="s"),
    ]
