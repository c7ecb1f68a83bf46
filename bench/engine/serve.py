"""A contender's side of the bench: a process that measures one workload for each order on its stdin.

An order is a line `WORKLOAD power|process`, the answer a line of JSON: `seconds`, `cpu_s` (of all threads),
`ended_at`, and from `/proc` (0 where there is none) `base_kb` when all was imported, `rss_kb`, `peak_kb`.
Standard library only, and little of it: what this imports is part of every contender's start.
"""

from __future__ import annotations

import asyncio
import gc
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from typing import Any, Self


class Watch:
    """Wall and CPU time (all threads) of a `with` block, in seconds."""

    seconds = 0.0
    cpu_s = 0.0
    ended_at = 0.0
    """On the monotonic clock, which all processes share."""

    def __enter__(self) -> Self:
        self.seconds, self.cpu_s = -time.perf_counter(), -time.process_time()
        return self

    def __exit__(self, *error: object) -> None:
        self.seconds += time.perf_counter()
        self.cpu_s += time.process_time()
        self.ended_at = time.monotonic()


Run = Callable[[str, str, bool], Coroutine[Any, Any, Watch]]
"""Workload, path of a database (or directory) that does not exist yet, power-safe → times."""


def memory() -> dict[str, int]:
    """`rss_kb` now and `peak_kb` since the process began."""
    found = {"rss_kb": 0, "peak_kb": 0}
    try:
        with open("/proc/self/status") as file:  # noqa: PTH123 - pathlib would be part of every start
            for line in file:
                if line.startswith("VmRSS:"):
                    found["rss_kb"] = int(line.split()[1])
                elif line.startswith("VmHWM:"):
                    found["peak_kb"] = int(line.split()[1])
    except OSError:
        pass
    return found


def serve(run: Run) -> None:
    """Answer orders until stdin ends."""
    base = memory()
    for line in sys.stdin:
        workload, durability = line.split()
        gc.collect()
        directory = tempfile.mkdtemp(prefix="bench-")
        try:
            watch = asyncio.run(run(workload, f"{directory}/bench.db", durability == "power"))
        finally:
            shutil.rmtree(directory, ignore_errors=True)
        times = {"seconds": watch.seconds, "cpu_s": watch.cpu_s, "ended_at": watch.ended_at}
        said = {**times, "base_kb": base["rss_kb"], **memory()}
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()
