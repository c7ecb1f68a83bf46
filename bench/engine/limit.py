"""The bare limit: what any engine could reach that makes each result durable, on this machine.

A DAG loop with indegree counters and one thread that commits in groups to SQLite (WAL), and nothing
else: no events, no retries, no projections, nothing of the product imported. Steps are no-op async
functions that return about 200 bytes of JSON; a step counts when its result is on disk.

    W1  one run, 1,000 steps in a chain
    W2  one run, 1 → 1,000 in parallel → 1
    W3  200 runs at once of a → (b, c) → d → e
    W4  W3 with 50 ms of sleep in each step (four levels: ideal 0.2 s)

What it does is what no engine can leave out, and each of it is done for every step: the step is an async
function, given the results of what it waits for; its result is encoded and is one row, found again by run and
step; a future of its own says that exactly this row is on disk, and nothing that depends on it starts before.
What it leaves out is what engines differ in; here, in µs of CPU per step of W3 (this: 20): a task per step 6
more, a task with a timeout 15, a row for the intent as well 4, waking the loop for each result instead of
each batch 6. Figures of other machines don't compare: where a limit like this took 32 µs, LangGraph and
agent-framework took 1.9 and 2.0 times the CPU that they take here.

    python -m bench.engine.limit          answers orders on stdin, see `bench.engine.contender`
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from queue import Empty, SimpleQueue
from typing import Any

from bench.engine.serve import Watch, serve

Dag = Mapping[str, Sequence[str]]
"""Step → the steps that it waits for."""

DIAMOND: Dag = {"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c"), "e": ("d",)}
ANSWER = {"text": "x" * 170, "score": 7, "ok": True}
SLEEP_S = 0.05
BATCH = 4096


def chain(length: int) -> Dag:
    return {f"s{n}": (f"s{n - 1}",) if n else () for n in range(length)}


def fan(width: int) -> Dag:
    middle = {f"m{n}": ("first",) for n in range(width)}
    return {"first": (), **middle, "last": tuple(middle)}


WORKLOADS: Mapping[str, tuple[Dag, int, float]] = {
    "first": ({"a": ()}, 1, 0.0),
    "W1": (chain(1_000), 1, 0.0),
    "W2": (fan(1_000), 1, 0.0),
    "W3": (DIAMOND, 200, 0.0),
    "W4": (DIAMOND, 200, SLEEP_S),
}
"""Name → the DAG of one run, how many runs at once, how long each step sleeps (s). `first` is one step."""

STEPS: Mapping[str, int] = {name: len(dag) * runs for name, (dag, runs, _) in WORKLOADS.items()}

Row = tuple[str, str, bytes]


class Writer:
    """One thread, one connection: takes what waits, commits it at once, wakes the loop once."""

    INSERT = "INSERT INTO results (run, step, data) VALUES (?, ?, ?)"

    def __init__(self, path: str, *, full: bool) -> None:
        self._path = path
        self._full = full
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[tuple[Row, asyncio.Future[None]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="limit-writer", daemon=True)
        self._thread.start()

    def put(self, row: Row) -> asyncio.Future[None]:
        future: asyncio.Future[None] = self._loop.create_future()
        self._queue.put((row, future))
        return future

    async def close(self) -> None:
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def _work(self) -> None:
        db = sqlite3.connect(self._path, isolation_level=None)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute(f"PRAGMA synchronous = {'FULL' if self._full else 'NORMAL'}")
        db.execute("PRAGMA wal_autocheckpoint = 0")
        db.execute(
            "CREATE TABLE results"
            " (seq INTEGER PRIMARY KEY, run TEXT, step TEXT, data BLOB, UNIQUE (run, step))"
        )
        queue = self._queue
        open_ = True
        while open_ and (first := queue.get()) is not None:
            rows, futures = [first[0]], [first[1]]
            while len(rows) < BATCH:
                try:
                    entry = queue.get_nowait()
                except Empty:
                    break
                if entry is None:
                    open_ = False
                    break
                rows.append(entry[0])
                futures.append(entry[1])
            if len(rows) == 1:
                db.execute(self.INSERT, rows[0])
            else:
                db.execute("BEGIN IMMEDIATE")
                db.executemany(self.INSERT, rows)
                db.execute("COMMIT")
            self._loop.call_soon_threadsafe(_resolve, futures)
        db.close()


def _resolve(futures: list[asyncio.Future[None]]) -> None:
    for future in futures:
        if not future.done():
            future.set_result(None)


Step = Callable[[Mapping[str, Any]], Awaitable[Any]]
"""An async function of the results that it waits for."""


async def noop(given: Mapping[str, Any]) -> Any:
    return ANSWER


async def sleepy(given: Mapping[str, Any]) -> Any:
    await asyncio.sleep(SLEEP_S)
    return ANSWER


async def drive(run_id: str, dag: Dag, step: Step, writer: Writer) -> None:
    """One run. The first successor that becomes ready goes on in the same task."""
    waiting = {name: len(needs) for name, needs in dag.items()}
    following: dict[str, list[str]] = {name: [] for name in dag}
    for name, needs in dag.items():
        for need in needs:
            following[need].append(name)
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    results: dict[str, Any] = {}
    tasks: set[asyncio.Task[None]] = set()

    async def go(name: str | None) -> None:
        while name is not None:
            result = await step({need: results[need] for need in dag[name]})
            await writer.put((run_id, name, json.dumps(result).encode()))
            results[name] = result
            if len(results) == len(dag):
                done.set_result(None)
            current, name = name, None
            for other in following[current]:
                waiting[other] -= 1
                if not waiting[other]:
                    if name is None:
                        name = other
                    else:
                        start(other)

    def start(name: str) -> None:
        task = asyncio.create_task(go(name))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    for name in [n for n, count in waiting.items() if not count]:
        start(name)
    await done


async def run(workload: str, db_path: str, full: bool) -> Watch:
    """From submitting the runs to the last durable result. `db_path` must not exist yet.

    `full`: survive a power loss (synchronous=FULL), else only a crash of the process (NORMAL).
    """
    dag, runs, sleep = WORKLOADS[workload]
    step = sleepy if sleep else noop
    writer = Writer(db_path, full=full)
    await writer.put(("warm-up", "", b"{}"))
    with Watch() as watch:
        await asyncio.gather(*(drive(f"r{n}", dag, step, writer) for n in range(runs)))
    await writer.close()
    count = sqlite3.connect(db_path).execute("SELECT count(*) FROM results").fetchone()[0]
    if count != STEPS[workload] + 1:
        raise RuntimeError(f"{count - 1} results on disk, not {STEPS[workload]}")
    return watch


if __name__ == "__main__":
    serve(run)
