"""What a long run takes in the screen's memory, and how soon a huge tree folds.

python -m bench.tui.held logs LINES · trace ROWS       one measurement, told as JSON
"""

from __future__ import annotations

import gc
import sys
import time
import tracemalloc

from bench.engine.child import ask, tell
from bench.engine.goals import Line, median
from bench.engine.serve import memory
from bench.tui.plan import Plan

MEMORY_GOAL_MB = 20.0
TOGGLE_GOAL_MS = 10.0


def lines(plan: Plan) -> list[Line]:
    logs = ask("bench.tui.held", "logs", plan.ring_lines)
    trace = ask("bench.tui.held", "trace", plan.trace_rows)
    return [
        Line(
            part="held",
            what=f"{plan.ring_lines:,} log lines",
            measured=logs["mb"],
            unit="MB",
            goal=MEMORY_GOAL_MB,
            note=f"{logs['us']:.1f} µs to take in a line, {logs['page_ms']:.1f} ms for a page of old ones",
        ),
        Line(
            part="held",
            what=f"{plan.trace_rows:,} rows of the trace, beside the run itself",
            measured=trace["mb"],
            unit="MB",
            goal=MEMORY_GOAL_MB,
        ),
        Line(
            part="held",
            what=f"folding or unfolding {plan.trace_rows:,} rows, and drawing a page",
            measured=trace["ms"],
            unit="ms",
            goal=TOGGLE_GOAL_MS,
            note=f"one more of them begins: {trace['one_ms']:.1f} ms",
        ),
    ]


def logs(count: int) -> None:
    from aethermind.tui.glyphs import UNICODE
    from aethermind.tui.rows import logs as rows
    from aethermind.tui.rows.logs import LogLine, LogRing, LogView
    from bench.tui.load import SAID

    ring = LogRing()
    gc.collect()
    before = memory()["rss_kb"]
    began = time.perf_counter()
    for n in range(count):
        level = rows.LEVELS[0 if n % 10 == 0 else 3 if n % 100 == 99 else 1]
        message = f"wave {n}: {SAID[n * 7 % len(SAID)]}"
        ring.append(LogLine(1_760_000_000_000 + n * 3, level, f"agent-{n % 12}", f"work[{n % 400}]", message))
    took = time.perf_counter() - began
    gc.collect()
    held = memory()["rss_kb"] - before
    view = LogView(ring)
    pages = []
    for place in range(20):
        first = place * (count // 21)
        began = time.perf_counter()
        for row in range(first, first + 40):
            rows.cells(view.line(row), 118, UNICODE)
        pages.append((time.perf_counter() - began) * 1_000)
    tell({"mb": held / 1_024, "us": took / count * 1e6, "page_ms": median(pages)})


def trace(count: int) -> None:
    from aethermind.tui.glyphs import UNICODE
    from aethermind.tui.rows import draw, gantt
    from aethermind.tui.rows.trace import TraceRows
    from tests.tui.histories import wide

    script = wide(count - 2)
    run = script.run
    gc.collect()
    tracemalloc.start(1)
    rows = TraceRows(run)
    rows.set_all(True)
    held = tracemalloc.get_traced_memory()[0] / 1_024
    tracemalloc.stop()
    now = script.start + 100_000
    fan_out = next(n for n, row in enumerate(rows.rows) if getattr(row, "mode", "") == "fan_out")
    scene = draw.Scene(
        rows=rows,
        columns=draw.Columns.of(88),
        scale=gantt.scale(run.created_at, now, live=True),
        now=now,
        glyphs=UNICODE,
        critical=frozenset(),
        streaming=lambda path: 0,
        call_streaming=lambda path, attempt, call: 0,
    )
    times = []
    for _ in range(20):
        began = time.perf_counter()
        rows.toggle(fan_out)
        for row in rows.rows[:40]:
            draw.cells(row, scene)
        times.append((time.perf_counter() - began) * 1_000)
    path = f"each[{count // 2}]"
    script.begin(60_000, path)
    began = time.perf_counter()
    rows.apply([path])
    one = (time.perf_counter() - began) * 1_000
    tell({"mb": held / 1_024, "ms": max(sorted(times)[:-1]), "one_ms": one, "rows": len(rows.rows)})


if __name__ == "__main__":
    {"logs": logs, "trace": trace}[sys.argv[1]](int(sys.argv[2]))
