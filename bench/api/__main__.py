"""The API measured: how fast it answers while a run goes on, and what a thousand watchers cost the run.

    python -m bench.api [--watchers 1000] [--seconds 20] [--requests 300] [--rounds 3] [--json]

The engine, the requests and the watchers are processes of their own. Goals: each kind of GET is answered
within 20 ms at the 95th percentile, and 1,000 WebSockets on one run of 20 events/s, in batches of 250 ms,
lengthen it by no more than 10 %. Each watcher must have got every event. Exit code 1 if it was otherwise.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

GOAL_MS = 20.0
GOAL_SLOWER = 1.10
RATE = 20
BATCH_MS = 250
PAST = 100
"""Runs that are over, for the lists to hold something."""


class Engine:
    """The process of `bench.api.engine`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._in: IO[str] = process.stdin
        self._out: IO[str] = process.stdout
        said = self.said()
        self.port: int = said["port"]
        self.token: str = said["token"]

    def said(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._out.readline())
        return found

    def begin(self, beats: int, pause_ms: float) -> str:
        self._in.write(f"run {beats} {pause_ms}\n")
        self._in.flush()
        run_id: str = self.said()["id"]
        return run_id


@contextmanager
def engine() -> Iterator[Engine]:
    with tempfile.TemporaryDirectory(prefix="ae") as home:
        config = f"{home}/config.toml"
        with open(config, "w", encoding="utf-8") as file:  # noqa: PTH123 - one line
            file.write("[server]\nrate_limit = 0\n")
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.api.engine", home],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"AETHERMIND_CONFIG": config},
        )
        try:
            yield Engine(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(timeout=60)


def latencies(on: Engine, requests: int) -> dict[str, list[float]]:
    """Milliseconds of each kind of GET, over one connection, while a run records 100 events/s."""
    for _ in range(PAST):
        on.begin(1, 0)
        on.said()
    run_id = on.begin(int(requests * 7 * 0.02 * 100) + 500, 10)
    paths = {
        "health": "/api/health",
        "engine": "/api/engine",
        "runs": "/api/runs?limit=50",
        "run": f"/api/runs/{run_id}",
        "events": f"/api/runs/{run_id}/events?limit=200",
        "logs": f"/api/logs?run_id={run_id}&limit=200",
        "costs": "/api/costs?by=model&simulated=true",
    }
    line = http.client.HTTPConnection("127.0.0.1", on.port, timeout=30)
    headers = {"Authorization": f"Bearer {on.token}"}
    found: dict[str, list[float]] = {name: [] for name in paths}
    for _ in range(requests):
        for name, path in paths.items():
            began = time.perf_counter()
            line.request("GET", path, headers=headers)
            answer = line.getresponse()
            body = answer.read()
            found[name].append((time.perf_counter() - began) * 1000)
            if answer.status != 200:
                raise RuntimeError(f"{path}: {answer.status} {body[:200]!r}")
    line.request("POST", f"/api/runs/{run_id}/cancel", headers=headers)
    line.getresponse().read()
    line.close()
    on.said()
    return found


def watched(on: Engine, watchers: int, seconds: float) -> tuple[float, dict[str, Any] | None]:
    """How long a run took, and what its watchers saw."""
    beats = int(seconds * RATE)
    if not watchers:
        on.begin(beats, 1000 / RATE)
        return on.said()["took_s"], None
    crowd = subprocess.Popen(
        [sys.executable, "-m", "bench.api.crowd", str(on.port), on.token, str(watchers), str(beats)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert crowd.stdout is not None
    assert crowd.stdin is not None
    crowd.stdout.readline()  # all are connected
    on.begin(beats, 1000 / RATE)
    took: float = on.said()["took_s"]
    seen: dict[str, Any] = json.loads(crowd.stdout.readline())
    crowd.stdin.close()
    crowd.wait(timeout=60)
    return took, seen


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.api", description=__doc__.split("\n", maxsplit=1)[0]
    )
    parser.add_argument("--watchers", type=int, default=1_000)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--requests", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with engine() as on:
        times = latencies(on, given.requests)
        alone: list[float] = []
        crowded: list[float] = []
        seen: list[dict[str, Any]] = []
        for _ in range(given.rounds):  # in turn, so that they share the machine's noise
            alone.append(watched(on, 0, given.seconds)[0])
            took, told = watched(on, given.watchers, given.seconds)
            crowded.append(took)
            seen.append(told or {})
    slower = statistics.median(crowded) / statistics.median(alone)
    p95 = {name: _at(values, 0.95) for name, values in times.items()}
    complete = all(told["complete"] == given.watchers for told in seen)
    found = {
        "get_ms": {n: {"p50": round(_at(v, 0.5), 2), "p95": round(p95[n], 2)} for n, v in times.items()},
        "watchers": given.watchers,
        "alone_s": [round(value, 3) for value in alone],
        "watched_s": [round(value, 3) for value in crowded],
        "slower": round(slower, 4),
        "seen": seen,
    }
    if given.json:
        print(json.dumps(found))
    else:
        for name, values in times.items():
            half, most = _at(values, 0.5), p95[name]
            print(f"GET {name:<8} p50 {half:6.2f} ms   p95 {most:6.2f} ms   (goal {GOAL_MS:.0f})")
        words = f"{given.watchers} watchers of {RATE} events/s, batches of {BATCH_MS} ms"
        print(f"{words}: the run took {slower:.3f} times as long (goal {GOAL_SLOWER})")
        told = seen[-1]
        print(f"every event at {told['complete']} of them; delay p95 {told['delay_ms_p95']} ms")
    return 0 if slower <= GOAL_SLOWER and max(p95.values()) < GOAL_MS and complete else 1


def _at(values: list[float], share: float) -> float:
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


if __name__ == "__main__":
    sys.exit(main())
