"""The bench's side of a contender: its process, the orders to it, its answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple, Self

from bench.peers import places

ROOT = Path(__file__).resolve().parents[2]


def search_path() -> str:
    """`PYTHONPATH` of a child: this tree, after what the caller has set."""
    before = os.environ.get("PYTHONPATH")
    return os.pathsep.join([*([before] if before else []), str(ROOT)])


def environment(**more: str) -> dict[str, str]:
    """Of a child: this tree on its path, and compiled modules kept, as those of an installed package are. A
    shell that forbids to write them would have every start compile all of it again."""
    environ = {**os.environ, "PYTHONPATH": search_path(), **more}
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    return environ


class Answer(NamedTuple):
    seconds: float
    cpu_s: float
    ended_at: float
    """On the monotonic clock."""
    base_kb: int
    """Resident when everything was imported."""
    rss_kb: int
    peak_kb: int


class Contender:
    """One process that runs workloads on order. It does nothing, and costs nothing, between two orders."""

    def __init__(
        self, name: str, module: str, *, python: str = sys.executable, env: dict[str, str] | None = None
    ) -> None:
        self.name = name
        self.began = time.monotonic()
        self._process = subprocess.Popen(
            [python, "-m", module],
            cwd=ROOT,
            env=environment(**(env or {})),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def order(self, workload: str, *, full: bool) -> Answer:
        """Have it run one workload. Raises `RuntimeError` if its process died (it has said why)."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(f"{workload} {'power' if full else 'process'}\n")
        stdin.flush()
        line = stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} died in {workload}: exit {self._process.wait()}")
        said: dict[str, Any] = json.loads(line)
        return Answer(**said)

    def close(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(timeout=60)


def limit() -> Contender:
    return Contender("limit", "bench.engine.limit")


def ours(*, places_: int = 1_000) -> Contender:
    return Contender("aethermind", "bench.engine.ours", env={"BENCH_PLACES": str(places_)})


def peer(name: str) -> Contender | None:
    """Another project's engine in its own environment; None if that was not installed."""
    python = places.python(name)
    if python is None:
        return None
    return Contender(name, f"bench.peers.{name}.drive", python=str(python))
