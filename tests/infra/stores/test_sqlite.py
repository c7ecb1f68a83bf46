"""What only the SQLite store can get wrong: the file, the writer, crashes."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from aethermind.domain.errors import ConflictError, InvalidError, StoreError
from aethermind.engine.queries import LogFilter, RunFilter
from aethermind.infra.stores import writer
from aethermind.infra.stores.database import Durability, connect
from aethermind.infra.stores.sqlite import SqliteStore, open_store
from tests.infra.stores.histories import call, created, log, on, started, succeeded


async def reopened(store: SqliteStore) -> SqliteStore:
    await store.close()
    again = await open_store(store.path, durability=store.durability)
    assert isinstance(again, SqliteStore)
    return again


async def opened(path: Path, durability: Durability = "process") -> SqliteStore:
    store = await open_store(path, durability=durability)
    assert isinstance(store, SqliteStore)
    return store


# --- what lasts --------------------------------------------------------------------------------


async def test_everything_is_there_after_reopening(tmp_path: Path) -> None:
    store = await opened(tmp_path / "x.db")
    done = await store.append(on("r", created(), started(agent="w"), call(), log("hi")), {"run/r": 0})
    hashes = await store.projection_hashes()
    store = await reopened(store)
    assert await store.read_all(0) == done
    assert await store.projection_hashes() == hashes
    assert await store.last_seq() == 4
    with pytest.raises(ConflictError):
        await store.append(on("r", created()), {"run/r": 0})
    (last,) = await store.append(on("r", succeeded()), {"run/r": 3})
    assert (last.seq, last.version) == (5, 4)
    assert (await store.calls("r")).items[0].status == "lost"
    await store.close()


async def test_a_seq_is_never_given_twice(tmp_path: Path) -> None:
    store = await opened(tmp_path / "x.db")
    await store.append(on("r", created(), log("1"), log("2")), {})
    await store.close()
    db = sqlite3.connect(tmp_path / "x.db")
    db.execute("DELETE FROM logs WHERE seq = 3")
    db.execute("DELETE FROM events")
    db.commit()
    db.close()
    store = await opened(tmp_path / "x.db")
    assert await store.last_seq() == 3
    assert (await store.append(on("s", created()), {}))[0].seq == 4
    await store.close()


async def test_the_files_are_the_users_alone(tmp_path: Path) -> None:
    store = await opened(tmp_path / "x.db")
    await store.append(on("r", created()), {})
    assert {f.name: f.stat().st_mode & 0o777 for f in tmp_path.iterdir()} == {
        "x.db": 0o600,
        "x.db-wal": 0o600,
        "x.db-shm": 0o600,
    }
    await store.close()
    assert [f.name for f in tmp_path.iterdir()] == ["x.db"]


@pytest.mark.parametrize("durability, synchronous", [("power", 2), ("process", 1)])
def test_pragmas_of_the_writer(tmp_path: Path, durability: Durability, synchronous: int) -> None:
    db = connect(tmp_path / "x.db", durability)
    wanted = {
        "journal_mode": "wal",
        "synchronous": synchronous,
        "foreign_keys": 1,
        "trusted_schema": 0,
        "wal_autocheckpoint": 0,
        "mmap_size": 0,
    }
    assert {name: db.execute(f"PRAGMA {name}").fetchone()[0] for name in wanted} == wanted
    db.close()


async def test_readers_can_only_read(tmp_path: Path) -> None:
    store = await opened(tmp_path / "x.db")
    with pytest.raises(InvalidError, match="read-only"):
        await store._reader.rows("DELETE FROM meta RETURNING key")
    await store.close()


KILLED = """
import asyncio, sys
from aethermind.infra.stores.sqlite import open_store
from tests.infra.stores.histories import created, started, succeeded, on

async def chain(store, run):
    version = len(await store.append(on(run, created()), {f"run/{run}": 0}))
    while True:
        n = (version + 1) // 2
        done = await store.append(on(run, started("a", n), succeeded("a", n)), {f"run/{run}": version})
        version += 2
        print(done[-1].stream, done[-1].version, done[-1].seq, flush=True)

async def main():
    store = await open_store(sys.argv[1], durability=sys.argv[2])
    await asyncio.gather(*(chain(store, f"r{n}") for n in range(8)))

asyncio.run(main())
"""


@pytest.mark.parametrize("durability, acknowledged", [("power", 60), ("process", 400), ("process", 9)])
def test_kill_9_loses_nothing_that_was_acknowledged(
    tmp_path: Path, durability: Durability, acknowledged: int
) -> None:
    path = tmp_path / "x.db"
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(path), durability],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[3],
        text=True,
    )
    assert child.stdout is not None
    lines = [child.stdout.readline() for _ in range(acknowledged)]
    child.send_signal(signal.SIGKILL)
    lines += child.stdout.read().splitlines(keepends=True)
    child.stdout.close()
    assert child.wait() == -signal.SIGKILL
    heard = [line.split() for line in lines if line.endswith("\n")]

    asyncio.run(check_what_is_left(path, durability, heard))


async def check_what_is_left(path: Path, durability: Durability, heard: list[list[str]]) -> None:
    # Another process looks first, without the right to write: it must not disturb anything.
    looking = await open_store(path, read_only=True)
    seen = await looking.last_seq()
    await looking.close()
    store = await opened(path, durability)
    assert await store.last_seq() == seen >= max(int(seq) for _, _, seq in heard)
    recorded = await store.read_all(0, limit=100_000)
    assert [r.seq for r in recorded] == list(range(1, seen + 1))
    there = {(r.stream, str(r.version), str(r.seq)) for r in recorded}
    assert there >= {(stream, version, seq) for stream, version, seq in heard}
    for n in range(8):
        versions = [r.version for r in await store.read_stream(f"run/r{n}")]
        assert versions == list(range(1, len(versions) + 1))
        assert len(versions) % 2 == 1 or not versions, "half an append"
    hashes = await store.projection_hashes()
    await store.rebuild()
    assert await store.projection_hashes() == hashes
    await store.close()


# --- the writer --------------------------------------------------------------------------------


class Faulty:
    """A real connection that fails, or counts, on demand."""

    def __init__(self, db: sqlite3.Connection, hook: Callable[[str], None]) -> None:
        self.db = db
        self.hook = hook

    def execute(self, sql: str, parameters: Any = ()) -> sqlite3.Cursor:
        self.hook(sql)
        return self.db.execute(sql, parameters)

    def cursor(self) -> Faulty:
        return self

    def __getattr__(self, name: str) -> Any:
        return getattr(self.db, name)


async def faulty(path: Path, hook: Callable[[str], None]) -> SqliteStore:
    def connection() -> sqlite3.Connection:
        return cast("sqlite3.Connection", Faulty(connect(path, "process"), hook))

    store = SqliteStore(path, connection=connection)
    await store.start()
    return store


async def test_appends_share_commits(tmp_path: Path) -> None:
    commits: list[str] = []
    store = await faulty(tmp_path / "x.db", lambda sql: commits.append(sql) if sql == "COMMIT" else None)
    await asyncio.gather(
        *(store.append(on(f"r{n}", created(), started()), {f"run/r{n}": 0}) for n in range(500))
    )
    assert len((await store.runs(RunFilter(), limit=1000)).items) == 500
    assert 1 <= len(commits) <= 100
    await store.close()


async def test_one_bad_append_fails_alone(tmp_path: Path) -> None:
    store = await opened(tmp_path / "x.db")
    await store.append(on("r", created()), {})
    results = await asyncio.gather(
        *(store.append(on(f"a{n}", created(), started()), {f"run/a{n}": 0}) for n in range(3)),
        store.append([*on("bad", created()), *on("r", started()), *on("bad", started(), at=2**70)], {}),
        *(store.append(on("r", started("a", n)), {}) for n in range(1, 4)),
        store.append(on("r", started()), {"run/r": 0}),
        *(store.append(on("r", log(str(n)), at=2**70 if n == 1 else 5), {}) for n in range(3)),
        return_exceptions=True,
    )
    wrong = {n: result for n, result in enumerate(results) if isinstance(result, BaseException)}
    assert {n: type(error) for n, error in wrong.items()} == {3: StoreError, 7: ConflictError, 9: StoreError}
    assert [r.version for r in await store.read_stream("run/r")] == [1, 2, 3, 4]
    assert await store.read_stream("run/bad") == []
    assert [row.message for row in (await store.logs(LogFilter())).items] == ["0", "2"]
    recorded = await store.read_all(0)
    assert [r.seq for r in recorded] == list(range(1, len(recorded) + 1)), "no seq was lost on the way"
    hashes = await store.projection_hashes()
    await store.rebuild()
    assert await store.projection_hashes() == hashes
    await store.close()


async def test_a_commit_that_fails_fails_all_and_is_not_believed(tmp_path: Path) -> None:
    state = {"fail": False, "statements": 0}

    def hook(sql: str) -> None:
        state["statements"] += 1
        if sql == "COMMIT" and state["fail"]:
            state["fail"] = False
            raise sqlite3.OperationalError("disk I/O error")

    store = await faulty(tmp_path / "x.db", hook)
    await store.append(on("r", created()), {"run/r": 0})
    state["fail"] = True
    with pytest.raises(StoreError, match="disk I/O error"):
        await store.append(on("r", started(), succeeded()), {"run/r": 1})
    assert not state["fail"]
    assert [r.type for r in await store.read_all(0)] == ["RunCreated"]
    done = await store.append(on("r", started("b")), {"run/r": 1})
    assert [(r.seq, r.version) for r in done] == [(2, 2)]
    hashes = await store.projection_hashes()
    await store.rebuild()
    assert await store.projection_hashes() == hashes
    await store.close()


async def test_a_full_disk_says_so_and_comes_back(tmp_path: Path) -> None:
    full = False

    def hook(sql: str) -> None:
        if full and sql.startswith("INSERT INTO events"):
            raise sqlite3.OperationalError("database or disk is full")

    store = await faulty(tmp_path / "x.db", hook)
    await store.append(on("r", created()), {"run/r": 0})
    full = True
    results = await asyncio.gather(
        *(store.append(on(f"s{n}", created()), {f"run/s{n}": 0}) for n in range(3)), return_exceptions=True
    )
    assert all(isinstance(r, StoreError) and "the disk is full" in r.message for r in results)
    full = False
    assert (await store.append(on("s1", created()), {"run/s1": 0}))[0].seq == 2
    await store.close()


async def test_appends_from_several_event_loops(tmp_path: Path) -> None:
    store = await opened(tmp_path / "x.db")
    seqs: list[int] = []

    async def many(prefix: str) -> None:
        for n in range(30):
            seqs.extend(r.seq for r in await store.append(on(f"{prefix}{n}", created(), started()), {}))

    threads = [threading.Thread(target=lambda p=p: asyncio.run(many(p))) for p in "abc"]
    for thread in threads:
        thread.start()
    await many("d")
    for thread in threads:
        await asyncio.to_thread(thread.join)
    assert sorted(seqs) == list(range(1, 241))
    await store.close()


async def test_a_cancelled_caller_does_not_undo_its_append(tmp_path: Path) -> None:
    store = await opened(tmp_path / "x.db")
    task = asyncio.ensure_future(store.append(on("r", created()), {"run/r": 0}))
    await asyncio.sleep(0)
    task.cancel()
    await store.append(on("s", created()), {"run/s": 0})
    assert task.cancelled()
    assert [run.id for run in (await store.runs(RunFilter())).items] == ["s", "r"]
    await store.close()


async def test_the_wal_stays_small_and_is_used_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "WAL_BOUND", 200_000)
    store = await opened(tmp_path / "x.db")
    await store.append(on("r", created()), {})
    for n in range(1, 401):
        await store.append(on("r", started("a", n), succeeded("a", n, "x" * 5_000)), {})
    assert (tmp_path / "x.db").stat().st_size > 2_000_000
    assert (tmp_path / "x.db-wal").stat().st_size < 1_000_000
    assert len(await store.read_stream("run/r")) == 801
    await store.close()


async def test_when_idle_the_wal_goes_into_the_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "IDLE_S", 0.01)
    done = threading.Event()

    def hook(sql: str) -> None:
        if "wal_checkpoint" in sql:
            done.set()

    store = await faulty(tmp_path / "x.db", hook)
    await store.append(on("r", created(), succeeded(output="x" * 100_000)), {})
    done.clear()
    assert await asyncio.to_thread(done.wait, 10)
    await store.append(on("r", started()), {})
    assert (tmp_path / "x.db").stat().st_size > 100_000
    await store.close()


async def test_a_projector_of_another_version_rebuilds(tmp_path: Path) -> None:
    store = await opened(tmp_path / "x.db")
    await store.append(on("r", created(), started()), {})
    hashes = await store.projection_hashes()
    await store.close()
    db = sqlite3.connect(tmp_path / "x.db")
    db.execute("UPDATE meta SET value = 0 WHERE key = 'projection'")
    db.execute("UPDATE runs SET status = 'parked'")
    db.commit()
    db.close()
    store = await opened(tmp_path / "x.db")
    assert await store.projection_hashes() == hashes
    await store.close()


async def test_an_event_of_a_newer_version_is_named(tmp_path: Path) -> None:
    store = await opened(tmp_path / "x.db")
    await store.append(on("r", created()), {})
    await store.close()
    db = sqlite3.connect(tmp_path / "x.db")
    db.execute("UPDATE events SET v = 99")
    db.commit()
    db.close()
    store = await opened(tmp_path / "x.db")
    with pytest.raises(
        StoreError, match="event 1 of run/r can't be read: RunCreated v99 was written by a newer"
    ):
        await store.read_stream("run/r")
    await store.close()
