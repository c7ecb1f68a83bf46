"""A disk without room, a lock that somebody else holds: nothing paid is lost, and it goes on by itself."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sqlite3
from pathlib import Path

import pytest

from aethermind.domain.errors import StoreError
from aethermind.engine.queries import Partial
from aethermind.engine.trouble import Trouble
from aethermind.infra.stores import database, distress, writer
from aethermind.infra.stores.ballast import Ballast
from aethermind.infra.stores.sqlite import SqliteStore, open_store
from tests.disk.connection import connection
from tests.disk.test_faults import answers, batch, check, opened
from tests.disk.vfs import Disk
from tests.infra.stores.histories import call, created, on, started, succeeded

ROOM = 1 << 20


class OnDisk(Ballast):
    """A ballast that lies on the faulty disk: its room is the disk's."""

    def __init__(self, disk: Disk, path: Path) -> None:
        super().__init__(path, size=ROOM, free=lambda _: ROOM * 10 if disk.room is None else disk.room)
        self._disk = disk

    def spend(self) -> bool:
        had = super().spend()
        if had and self._disk.room is not None:
            self._disk.room += ROOM
        return had


class Watch:
    """What the engine is told."""

    def __init__(self, store: SqliteStore) -> None:
        self.told: asyncio.Queue[Trouble | None] = asyncio.Queue()
        store.watch(self.told.put_nowait)

    async def next(self) -> Trouble | None:
        return await asyncio.wait_for(self.told.get(), 20)


async def ballasted(disk: Disk, path: Path) -> SqliteStore:
    store = SqliteStore(path, connection=connection(disk, path), ballast=OnDisk(disk, path))
    await store.start()
    return store


async def test_the_ballast_records_what_is_in_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distress, "LOOK_S", 0.01)
    disk, path = Disk(), tmp_path / "x.db"
    store = await ballasted(disk, path)
    file = tmp_path / "x.db.ballast"
    assert (file.stat().st_size, file.stat().st_mode & 0o777) == (ROOM, 0o600)
    assert file.stat().st_blocks * 512 >= ROOM, "really allocated"
    watch = Watch(store)
    told = await answers(*batch(store, "before"))
    disk.room = 10_000
    told += await answers(*batch(store, *(f"r{n}" for n in range(20))))
    trouble = await watch.next()
    assert trouble is not None
    assert (trouble.kind, trouble.holds) == ("full", True)
    assert f"the disk that holds {path} is full" in trouble.message
    assert not file.exists()
    told += await answers(store.append(on("r1", succeeded()), {"run/r1": 2}))
    assert all(isinstance(t, list) for t in told)
    assert watch.told.empty(), "said once"
    # Room again: nobody has to append for it to be noticed.
    disk.room = None
    assert await watch.next() is None
    assert file.stat().st_size == ROOM
    await store.close()
    await check(path, told)


async def test_without_ballast_the_batch_is_refused_whole_and_it_heals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distress, "LOOK_S", 0.0)
    disk, path = Disk(), tmp_path / "x.db"
    monkeypatch.setattr(distress, "free_bytes", lambda _: 0 if disk.room is not None else 1 << 30)
    store = await opened(disk, path)
    watch = Watch(store)
    told = await answers(*batch(store, "before"))
    disk.room = 10_000
    refused = await answers(*batch(store, *(f"r{n}" for n in range(20))))
    assert all(isinstance(r, StoreError) and "the disk is full" in r.message for r in refused)
    assert (await watch.next()) is not None
    disk.room = None
    told += await answers(*batch(store, "r1"))
    assert await watch.next() is None
    await store.close()
    await check(path, told)


async def test_a_ballast_that_is_not_enough(tmp_path: Path) -> None:
    disk, path = Disk(), tmp_path / "x.db"
    store = await ballasted(disk, path)
    told = await answers(*batch(store, "before"))
    disk.room = 10_000
    big = "x" * 400_000
    seen = []
    for n in range(8):
        seen += await answers(store.append(on(f"r{n}", created(), succeeded(output=big)), {f"run/r{n}": 0}))
    assert isinstance(seen[0], list)
    assert isinstance(seen[-1], StoreError)
    told += [s for s in seen if isinstance(s, list)]
    disk.heal()
    await store.close()
    await check(path, told)


async def test_display_texts_do_not_spend_it(tmp_path: Path) -> None:
    disk, path = Disk(), tmp_path / "x.db"
    store = await ballasted(disk, path)
    await store.append(on("r", created(), started(), call()), {"run/r": 0})
    disk.room = 0
    text = Partial(run_id="r", step="a", attempt=1, call=1, text="x" * 100_000, reasoning="")
    with pytest.raises(StoreError, match="the disk is full"):
        await store.save_partials([text])
    assert (tmp_path / "x.db.ballast").exists()
    disk.heal()
    await store.close()


def test_no_ballast_where_room_is_short(tmp_path: Path) -> None:
    free = 0
    ballast = Ballast(tmp_path / "x.db", size=ROOM, free=lambda _: free)
    assert not ballast.make()
    assert list(tmp_path.iterdir()) == []
    assert not ballast.spend()
    free = 100 * ROOM
    assert ballast.make()
    assert ballast.make()
    assert ballast.spend()
    assert list(tmp_path.iterdir()) == []


def test_a_ballast_of_holes_is_made_anew(tmp_path: Path) -> None:
    ballast = Ballast(tmp_path / "x.db", size=ROOM)
    with ballast.path.open("wb") as file:
        file.truncate(ROOM)
    assert ballast.make()
    assert ballast.path.stat().st_blocks * 512 >= ROOM


# --- others ------------------------------------------------------------------------------------


async def test_a_foreign_lock_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_MS", 20)
    monkeypatch.setattr(writer, "PAUSE_S", 0.01)
    path = tmp_path / "x.db"
    store = await open_store(path)
    assert isinstance(store, SqliteStore)
    watch = Watch(store)
    told = await answers(*batch(store, "before"))
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        waiting = batch(store, "a", "b")
        trouble = await watch.next()
        assert trouble is not None
        assert trouble.kind == "locked"
        assert f"{path} is locked by another program" in trouble.message
        assert [r.stream for r in await store.read_all(0)] == ["run/before"] * 3, "looking works meanwhile"
        other.execute("ROLLBACK")
        told += await answers(*waiting)
    assert await watch.next() is None
    assert all(isinstance(t, list) for t in told)
    await store.close()
    await check(path, told)


async def test_closing_does_not_wait_for_a_foreign_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_MS", 20)
    path = tmp_path / "x.db"
    store = await open_store(path)
    assert isinstance(store, SqliteStore)
    watch = Watch(store)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        waiting = batch(store, "a")
        assert await watch.next() is not None
        await asyncio.wait_for(store.close(), 20)
        (refused,) = await answers(*waiting)
        assert isinstance(refused, StoreError)
        assert "locked by another program" in refused.message


async def test_a_foreign_reader_is_noticed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "WAL_BOUND", 200_000)
    monkeypatch.setattr(writer, "IDLE_S", 0.01)
    path = tmp_path / "x.db"
    store = await open_store(path)
    assert isinstance(store, SqliteStore)
    watch = Watch(store)
    told = await answers(*batch(store, "before"))
    big = "x" * 50_000
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM events").fetchone()
        for n in range(40):
            told += await answers(
                store.append(on(f"r{n}", created(), succeeded(output=big)), {f"run/r{n}": 0})
            )
        trouble = await watch.next()
        assert trouble is not None
        assert (trouble.kind, trouble.holds) == ("reader", False)
        assert "x.db-wal grows" in trouble.message
        assert watch.told.empty(), "warned once"
        other.execute("ROLLBACK")
        told += await answers(store.append(on("r", created()), {"run/r": 0}))
        assert await watch.next() is None
    grown = (tmp_path / "x.db-wal").stat().st_size
    for n in range(40):
        told += await answers(store.append(on(f"s{n}", created(), succeeded(output=big)), {f"run/s{n}": 0}))
    assert (tmp_path / "x.db-wal").stat().st_size <= grown, "it is used again from its start"
    await store.close()
    await check(path, told)


async def test_room_that_comes_and_goes(
    tmp_path: Path, rng: random.Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the log has room and the database file, into which it is moved, has not."""
    monkeypatch.setattr(writer, "WAL_BOUND", 60_000)
    monkeypatch.setattr(distress, "LOOK_S", 0.0)
    disk, path = Disk(), tmp_path / "x.db"
    store = await ballasted(disk, path)
    told, refused = [], 0
    for n in range(60):
        disk.room = rng.choice([None, 0, 5_000, 50_000])
        names = [f"r{n}-{k}" for k in range(rng.randrange(1, 4))]
        output = "x" * rng.choice([10, 5_000, 30_000])
        appends = [store.append(on(x, created(), succeeded(output=output)), {f"run/{x}": 0}) for x in names]
        for answer in await answers(*appends):
            if isinstance(answer, list):
                told.append(answer)
            else:
                refused += 1
                assert isinstance(answer, StoreError)
                assert "the disk is full" in answer.message
    disk.heal()
    told += await answers(*batch(store, "after"))
    await store.close()
    assert refused
    await check(path, told)
