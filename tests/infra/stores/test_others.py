"""Beside others: a writer that another one followed, a hand in the file, readers of one's own."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from aethermind.domain import events as e
from aethermind.domain.errors import ConflictError
from aethermind.engine.queries import CostFilter, LogFilter, RunFilter
from aethermind.infra.stores.database import epoch_of
from aethermind.infra.stores.sqlite import SqliteStore, open_store
from tests.infra.stores.histories import call, created, log, on, started, succeeded, system


async def opened(path: Path) -> SqliteStore:
    store = await open_store(path, durability="process")
    assert isinstance(store, SqliteStore)
    return store


async def test_a_writer_that_another_one_followed_never_writes_again(tmp_path: Path) -> None:
    """There is a lease against it; if it happens all the same (the stopped engine of another machine goes
    on), nothing is overwritten."""
    mine = await opened(tmp_path / "x.db")
    await mine.append(on("r", created()), {"run/r": 0})
    other = await opened(tmp_path / "x.db")
    for append in (
        mine.append(on("r", started()), {"run/r": 1}),  # it would even fit
        mine.append(system(e.TrustRevoked(path="/p")), {}),
        mine.rebuild(),
    ):
        with pytest.raises(ConflictError, match=r"another engine owns .*x\.db now"):
            await append
    assert [(r.seq, r.version) for r in await other.append(on("r", started()), {"run/r": 1})] == [(2, 2)]
    with pytest.raises(ConflictError, match="another engine owns"):
        await mine.append(system(e.TrustRevoked(path="/p")), {})
    assert [r.seq for r in await mine.read_all(0)] == [1, 2]
    await mine.close()
    assert [(r.seq, r.version) for r in await other.append(on("r", succeeded()), {"run/r": 2})] == [(3, 3)]
    await other.close()


async def test_each_opening_raises_the_epoch(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    for n in (1, 2, 3):
        store = await opened(path)
        assert await store._task(epoch_of) == n
        await store.close()
    looking = await open_store(path, read_only=True)
    await looking.close()
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert epoch_of(db) == 3


async def test_what_another_program_changes_is_seen(tmp_path: Path) -> None:
    """A hand in the file beside a living engine: no seq and no version is given twice."""
    store = await opened(tmp_path / "x.db")
    await store.append(on("r", created()), {"run/r": 0})
    db = sqlite3.connect(tmp_path / "x.db")
    db.execute("INSERT INTO events VALUES (2, 1, 2, 5, 'RunPaused', 1, '{}')")
    db.commit()
    db.close()
    with pytest.raises(ConflictError, match="version 2, not 1"):
        await store.append(on("r", started()), {"run/r": 1})
    assert [(r.seq, r.version) for r in await store.append(on("r", started()), {"run/r": 2})] == [(3, 3)]
    await store.close()


async def test_own_readers_leave_nothing_open(tmp_path: Path) -> None:
    """Else nothing could be put away while somebody looks."""
    store = await opened(tmp_path / "x.db")
    for n in range(50):
        await store.append(on(f"r{n}", created(), started(agent="w"), call(), log("hi")), {})
    cursor = None
    for _ in range(3):
        cursor = (await store.runs(RunFilter(), limit=5, cursor=cursor)).next
        await store.logs(LogFilter(), limit=5)
        await store.read_all(0, limit=7)
        await store.read_stream("run/r1")
        await store.costs(CostFilter())
    assert await store._task(lambda db: db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()) == (0, 0, 0)
    await store.close()
