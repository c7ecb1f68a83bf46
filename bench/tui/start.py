"""What a start costs: CPU seconds until the first paint, and of `--version`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.engine import past
from bench.engine.contender import ROOT, environment
from bench.engine.goals import Line, median
from bench.tui.plan import Plan
from bench.tui.tty import Tty, python

VERSION_GOAL_MS, PAINT_GOAL_MS = 100.0, 500.0


def lines(plan: Plan) -> list[Line]:
    versions = [version() for _ in range(plan.rounds * 2)]
    paints = [paint(plan.past_runs) for _ in range(plan.rounds)]
    ms = [median([one[n] for one in paints]) * 1_000 for n in range(4)]
    note = (
        f"{ms[1]:.0f} ms after the start; the newest of {plan.past_runs:,} runs shown at {ms[2]:.0f} ms CPU, "
        f"{ms[3]:.0f} ms"
    )
    return [
        Line(
            part="start",
            what="aethermind --version, CPU",
            measured=median(versions) * 1_000,
            unit="ms",
            goal=VERSION_GOAL_MS,
        ),
        Line(part="start", what="first paint, CPU", measured=ms[0], unit="ms", goal=PAINT_GOAL_MS, note=note),
    ]


def version() -> float:
    """CPU seconds."""
    process = subprocess.Popen(
        [sys.executable, "-m", "aethermind", "--version"],
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.DEVNULL,
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"--version: exit {process.returncode}")
    return used.ru_utime + used.ru_stime


def paint(runs: int) -> tuple[float, float, float, float]:
    """CPU and wall seconds until the first paint, and until the newest run is on the screen."""
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        shutil.copyfile(past.cached(runs, 0), home / "aethermind.db")
        (home / "config.toml").write_text("")
        with Tty(
            python("aethermind"),
            AETHERMIND_HOME=directory,
            AETHERMIND_CONFIG=str(home / "config.toml"),
            SSH_CONNECTION="",
        ) as tty:
            first = tty.until(lambda seen: b"AETHER" in seen)
            cpu = tty.cpu_s()
            newest = past.run_id(runs - 1)[:10].encode()
            whole = tty.until(lambda seen: newest in seen or newest[:8] in seen)
            return cpu, first - tty.began, tty.cpu_s(), whole - tty.began
