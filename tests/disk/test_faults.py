"""Group commits on a disk that fails: each append is answered by what is really recorded."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest

from aethermind.domain.errors import StoreError
from aethermind.domain.events import Recorded
from aethermind.infra.stores import writer
from aethermind.infra.stores.sqlite import SqliteStore, open_store
from tests.disk.connection import connection
from tests.disk.vfs import Disk, Op, Sync, Write, syncs, writes
from tests.infra.stores.histories import created, log, on, started, succeeded


async def opened(disk: Disk, path: Path) -> SqliteStore:
    store = SqliteStore(path, connection=connection(disk, path))
    await store.start()
    return store


async def answers(*appends: Awaitable[list[Recorded]]) -> list[Any]:
    return await asyncio.wait_for(asyncio.gather(*appends, return_exceptions=True), 20)


async def check(path: Path, told: list[list[Recorded]]) -> None:
    """What an ordinary store finds: what was answered, and nothing that was refused."""
    store = await open_store(path)
    assert isinstance(store, SqliteStore)
    assert await store.read_all(0, limit=10_000) == [r for append in told for r in append]
    hashes = await store.projection_hashes()
    await store.rebuild()
    assert await store.projection_hashes() == hashes
    assert await store._task(lambda db: db.execute("PRAGMA integrity_check").fetchone()) == ("ok",)
    await store.close()


def batch(store: SqliteStore, *names: str) -> list[Awaitable[list[Recorded]]]:
    """Appends that the writer takes at once: nothing is awaited between them."""
    return [store.append(on(name, created(), started(), log("hi")), {f"run/{name}": 0}) for name in names]


@pytest.mark.parametrize("after", [0, 1, 3, 9])
async def test_a_frame_that_cannot_be_written(tmp_path: Path, after: int) -> None:
    disk, path = Disk(), tmp_path / "x.db"
    store = await opened(disk, path)
    told = await answers(*batch(store, "before"))
    failing = disk.fail(writes("-wal"), after=after)
    refused = await answers(*batch(store, "a", "b", "c"))
    assert failing.done == 1
    assert all(isinstance(r, StoreError) and "disk I/O error" in r.message for r in refused)
    assert len({id(r) for r in refused}) == 3, "each has a traceback of its own"
    told += await answers(*batch(store, "a", "b", "c"))
    assert [r.seq for append in told for r in append] == list(range(1, 13))
    await store.close()
    await check(path, told)


async def test_a_sync_of_the_log_that_fails_once(tmp_path: Path) -> None:
    disk, path = Disk(), tmp_path / "x.db"
    store = await opened(disk, path)
    told = await answers(*batch(store, "before"))
    failing = disk.fail(syncs("-wal"))
    refused = await answers(*batch(store, "a", "b"))
    assert failing.done == 1
    assert all(isinstance(r, StoreError) for r in refused)
    told += await answers(*batch(store, "b", "c"))
    await store.close()
    await check(path, told)


class Late:
    """The sync of a commit fails, and the checkpoint at closing, too: the log is left, with the commit."""

    def __init__(self) -> None:
        self.left = 2

    def __call__(self, op: Op) -> BaseException | None:
        import apsw

        if self.left and isinstance(op, Sync) and op.file.endswith("-wal"):
            self.left -= 1
            return apsw.IOError("no")
        return None


async def test_what_was_recorded_in_spite_of_the_error_is_answered_so(tmp_path: Path) -> None:
    disk, path = Disk(), tmp_path / "x.db"
    store = await opened(disk, path)
    told = await answers(*batch(store, "before"))
    disk.fault = late = Late()
    before = len(disk.journal)
    found = await answers(*batch(store, "a", "b"))
    assert late.left == 0
    assert [[r.version for r in append] for append in found] == [[1, 2, 0], [1, 2, 0]]
    since = disk.journal[before:]
    moved = next(n for n, op in enumerate(since) if isinstance(op, Write) and op.file == "x.db")
    assert any(isinstance(op, Sync) and op.file == "x.db" for op in since[moved:]), "it is on the disk"
    told += found
    told += await answers(store.append(on("a", succeeded()), {"run/a": 2}))
    await store.close()
    await check(path, told)


async def test_what_cannot_be_hardened_is_not_promised(tmp_path: Path) -> None:
    disk, path = Disk(), tmp_path / "x.db"
    store = await opened(disk, path)
    told = await answers(*batch(store, "before"))
    disk.fail(lambda op: isinstance(op, Sync), times=-1)
    refused = await answers(*batch(store, "a"))
    assert isinstance(refused[0], StoreError)
    assert "whether this was recorded shows when it can be read again" in refused[0].message
    disk.heal()
    # Nobody may believe either; the next append finds out.
    again = (await answers(store.append(on("b", created()), {"run/b": 0})))[0]
    assert isinstance(again, list)
    await store.close()
    store = await opened(Disk(), path)
    there = await store.read_all(0)
    assert [r for r in there if r.stream != "run/a"] == [*told[0], *again]
    assert len([r for r in there if r.stream == "run/a"]) in {0, 3}
    await store.close()


@pytest.mark.parametrize("what", ["write", "sync"])
async def test_a_checkpoint_that_fails_loses_nothing(
    tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "WAL_BOUND", 30_000)
    disk, path = Disk(), tmp_path / "x.db"
    store = await opened(disk, path)
    failing = disk.fail((writes if what == "write" else syncs)("x.db"), times=3)
    told: list[list[Recorded]] = []
    for n in range(20):
        told += await answers(store.append(on("r", created() if n == 0 else started("a", n)), {"run/r": n}))
    assert failing.done == 3, "checkpoints were tried, and tried again"
    assert all(isinstance(t, list) for t in told)
    since = len(disk.journal)
    told += await answers(store.append(on("r", succeeded()), {"run/r": 20}))
    await store.close()
    assert any(isinstance(op, Sync) and op.file == "x.db" for op in disk.journal[since:])
    await check(path, told)


async def test_a_database_that_cannot_be_opened_again_fails_all_until_it_can(tmp_path: Path) -> None:
    disk, path = Disk(), tmp_path / "x.db"
    dial, closed = connection(disk, path), False

    def connect() -> sqlite3.Connection:
        if closed:
            raise StoreError("the disk is gone")
        return dial()

    store = SqliteStore(path, connection=connect)
    await store.start()
    told = await answers(*batch(store, "before"))
    failing = disk.fail(syncs("-wal"))
    closed = True
    refused = await answers(*batch(store, "a", "b"))
    assert failing.done == 1
    assert all("whether this was recorded shows" in r.message for r in refused)
    refused = await answers(*batch(store, "c"))
    assert [r.message for r in refused] == ["the disk is gone"]
    closed = False
    told += await answers(*batch(store, "a", "b", "c"))
    await store.close()
    await check(path, told)


@pytest.mark.parametrize("place", ["-wal", "x.db"])
async def test_errors_anywhere_at_any_time(tmp_path: Path, place: str, rng: Any) -> None:
    """Whatever fails when: an acknowledged append is there, a refused one can be made again."""
    disk, path = Disk(), tmp_path / "x.db"
    store = await opened(disk, path)
    told: list[list[Recorded]] = []
    failed = 0
    for n in range(60):
        fits = rng.choice([writes, syncs])(place)
        if rng.random() < 0.5:
            disk.fail(fits, after=rng.randrange(6), times=rng.randrange(1, 3))
        found = await answers(*batch(store, f"a{n}", f"b{n}"))
        disk.heal()
        for name, answer in zip((f"a{n}", f"b{n}"), found, strict=True):
            if isinstance(answer, StoreError):
                failed += 1
                there = await store.read_stream(f"run/{name}")
                assert len(there) in {0, 2}
                if there:
                    told.append(
                        [r for r in await store.read_all(0, limit=10_000) if r.stream == f"run/{name}"]
                    )
            else:
                told.append(answer)
    await store.close()
    store = await opened(Disk(), path)
    seqs = {r.seq for r in await store.read_all(0, limit=10_000)}
    assert {r.seq for append in told for r in append} <= seqs
    assert place == "x.db" or failed
    await store.close()
