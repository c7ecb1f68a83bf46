"""How large the write-ahead log becomes under steady writing while it is read all the time.

    python -m bench.wal [--seconds 600] [--rate 1000] [--readers 4] [--json]

Appends come at `rate` a second, each with a kilobyte of output; readers page through the log, the runs, the
records and the costs without a pause. In the last third a foreign process keeps one old state open for a
third of that time. Reported: the largest WAL before, with and after the foreign reader, the longest time a
read took, and what was told about it. Exit code 1 if the WAL passed 64 MB without a foreign reader, or was
not used again from its start after it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

from aethermind.domain.events import AnyEvent
from aethermind.engine.queries import CostFilter, LogFilter, RunFilter
from aethermind.engine.trouble import Trouble
from aethermind.infra.stores.sqlite import SqliteStore
from tests.infra.stores.histories import created, log, on, started, succeeded

BOUND = 64 << 20
HOLD = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("BEGIN")
db.execute("SELECT count(*) FROM events").fetchone()
sys.stdin.read()
"""
A_RUN = 200
"""Steps after which a new run begins."""


class Load:
    def __init__(self, store: SqliteStore, rate: int) -> None:
        self.store = store
        self.rate = rate
        self.appended = 0
        self.longest_read_s = 0.0
        self.over = False

    async def write(self) -> None:
        """On time even if a commit was late: then more of them come at once."""
        began, version, run = time.monotonic(), 0, 0
        waiting: set[asyncio.Future[Any]] = set()
        while not self.over:
            while self.appended < (time.monotonic() - began) * self.rate:
                if self.appended % A_RUN == 0:
                    run, version = run + 1, 0
                n = self.appended % A_RUN + 1
                facts: list[AnyEvent] = [started("a", n), succeeded("a", n, "x" * 1_000), log(f"step {n}")]
                drafts = on(f"r{run}", created(), *facts) if n == 1 else on(f"r{run}", *facts)
                append = asyncio.ensure_future(self.store.append(drafts, {f"run/r{run}": version}))
                version += len(drafts) - 1
                waiting.add(append)
                append.add_done_callback(waiting.discard)
                self.appended += 1
            await asyncio.sleep(0.005)
        await asyncio.gather(*waiting)

    async def read(self) -> None:
        store = self.store
        while not self.over:
            after = max(await store.last_seq() - 5_000, 0)
            await self._timed(store.read_all(after, limit=1_000))
            await self._timed(store.runs(RunFilter(), limit=200))
            await self._timed(store.logs(LogFilter(), limit=2_000))
            await self._timed(store.costs(CostFilter()))

    async def _timed(self, query: Awaitable[object]) -> None:
        began = time.monotonic()
        await query
        self.longest_read_s = max(self.longest_read_s, time.monotonic() - began)


async def largest(wal: Path, seconds: float) -> int:
    end, found = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        with contextlib.suppress(FileNotFoundError):
            found = max(found, wal.stat().st_size)
        await asyncio.sleep(0.05)
    return found


async def measure(seconds: float, rate: int, readers: int, directory: Path) -> dict[str, Any]:
    path = directory / "x.db"
    store = SqliteStore(path)
    await store.start()
    told: list[str] = []

    def hear(trouble: Trouble | None) -> None:
        told.append("over" if trouble is None else trouble.message)

    store.watch(hear)
    wal = path.with_name("x.db-wal")
    load = Load(store, rate)
    work = [asyncio.create_task(load.write())] + [asyncio.create_task(load.read()) for _ in range(readers)]
    before = await largest(wal, seconds * 2 / 3)
    foreign = await asyncio.create_subprocess_exec(sys.executable, "-c", HOLD, path, stdin=subprocess.PIPE)
    during = await largest(wal, seconds / 9)
    await foreign.communicate(b"")
    after = await largest(wal, seconds * 2 / 9)
    load.over = True
    await asyncio.gather(*work)
    await store.close()
    return {
        "seconds": seconds,
        "appends": load.appended,
        "largest WAL, MB": round(before / (1 << 20), 1),
        "with a foreign reader, MB": round(during / (1 << 20), 1),
        "after it, MB": round(after / (1 << 20), 1),
        "longest read, s": round(load.longest_read_s, 3),
        "told": told,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--rate", type=int, default=1_000)
    parser.add_argument("--readers", type=int, default=4)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        row = asyncio.run(measure(given.seconds, given.rate, given.readers, Path(directory)))
    print(json.dumps(row) if given.json else "\n".join(f"{name:28} {value}" for name, value in row.items()))
    grown = max(row["largest WAL, MB"], row["with a foreign reader, MB"])
    if row["largest WAL, MB"] * (1 << 20) > BOUND or row["after it, MB"] > grown + BOUND / (1 << 20):
        sys.exit(1)


if __name__ == "__main__":
    main()
