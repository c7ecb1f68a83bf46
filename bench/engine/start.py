"""Start: from a new process to its first durable step; and the whole `aethermind run` of one no-op step."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.engine import contender
from bench.engine.contender import Contender
from bench.engine.goals import Line, median
from bench.engine.plan import Plan
from bench.peers import places

FILES = {
    "run": "name: noop\nsteps:\n  - id: one\n    run: ['true']\n",
    "value": "name: noop\nsteps:\n  - id: one\n    value: done\n",
}


def lines(plan: Plan) -> list[Line]:
    rounds = max(3, plan.rounds)
    makers: dict[str, Callable[[], Contender | None]] = {
        "limit": contender.limit,
        "aethermind": contender.ours,
    }
    for name in places.PEERS if plan.peers else ():
        makers[name] = lambda name=name: contender.peer(name)  # type: ignore[misc]  # bound as a default
    times: dict[str, list[float]] = {name: [] for name in makers}
    commands: dict[str, list[float]] = {name: [] for name in FILES}
    for n in range(rounds + 1):  # the first fills the disk's cache
        for name, make in makers.items():
            seconds = first_step(make)
            if n and seconds is not None:
                times[name].append(seconds)
        for name, text in FILES.items():
            seconds = command(text)
            if n:
                commands[name].append(seconds)
    made = [
        Line(part="start", what=f"first durable step, {name}", measured=median(each), unit="s")
        for name, each in times.items()
        if each
    ]
    ratio = median(times["aethermind"]) / median(times["limit"])
    made.append(
        Line(part="start", what="first durable step, times the limit's", measured=ratio, unit="×", goal=2.0)
    )
    for name, each in commands.items():
        what = f"`aethermind run`, one step of kind {name}"
        made.append(Line(part="start", what=what, measured=median(each), unit="s", goal=0.6))
    return made


def first_step(make: Callable[[], Contender | None]) -> float | None:
    """Seconds from starting the process until its first step is durable; None if it is not installed."""
    one = make()
    if one is None:
        return None
    with one:
        return one.order("first", full=False).ended_at - one.began


def command(text: str) -> float:
    """Seconds of a whole `aethermind run FILE`, from an empty data directory."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "noop.yaml").write_text(text)
        environ = contender.environment(AETHERMIND_HOME=str(directory / "home"))
        argv = [sys.executable, "-m", "aethermind", "run", "noop.yaml", "--trust", "-q"]
        began = time.perf_counter()
        subprocess.run(argv, cwd=directory, env=environ, check=True, capture_output=True)
        return time.perf_counter() - began
