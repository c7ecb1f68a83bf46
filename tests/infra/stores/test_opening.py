"""Opening: every bad place and every foreign file gives one clear line."""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from aethermind.domain.errors import AethermindError, InvalidError, StoreError
from aethermind.engine.queries import RunFilter
from aethermind.infra.stores import database, place
from aethermind.infra.stores.memory import InMemoryStore
from aethermind.infra.stores.sqlite import open_store
from tests.infra.stores.histories import created, on


async def refusal(path: Path, *, read_only: bool = False) -> AethermindError:
    with pytest.raises(AethermindError) as caught:
        await open_store(path, read_only=read_only)
    assert "\n" not in caught.value.line()
    return caught.value


async def test_memory(tmp_path: Path) -> None:
    assert isinstance(await open_store(":memory:"), InMemoryStore)


async def test_a_directory(tmp_path: Path) -> None:
    error = await refusal(tmp_path)
    assert isinstance(error, InvalidError)
    assert error.message == f"{tmp_path} is a directory, not a database"


async def test_no_such_directory(tmp_path: Path) -> None:
    error = await refusal(tmp_path / "no" / "x.db")
    assert isinstance(error, InvalidError)
    assert "is not a directory" in error.message
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize("content", [b"hello", b"name: flow\nsteps: []\n" * 100, bytes(range(256)) * 20])
async def test_not_a_database(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.db"
    path.write_bytes(content)
    for read_only in (False, True):
        error = await refusal(path, read_only=read_only)
        assert isinstance(error, InvalidError)
        assert error.message == f"{path} is not an SQLite database"
    assert path.read_bytes() == content
    assert [f.name for f in tmp_path.iterdir()] == ["x.db"]


async def test_an_empty_file_is_a_new_database(tmp_path: Path) -> None:
    (tmp_path / "x.db").touch()
    store = await open_store(tmp_path / "x.db")
    assert await store.last_seq() == 0
    await store.close()


@pytest.mark.parametrize(
    "script", ["CREATE TABLE t (x)", "PRAGMA application_id = 7", "PRAGMA user_version = 1"]
)
async def test_the_database_of_another_program(tmp_path: Path, script: str) -> None:
    path = tmp_path / "x.db"
    db = sqlite3.connect(path)
    db.executescript(script)
    db.close()
    before = path.read_bytes()
    error = await refusal(path)
    assert isinstance(error, InvalidError)
    assert error.message == f"{path} is the database of another program"
    assert path.read_bytes() == before


async def test_a_database_of_a_newer_version(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    await (await open_store(path)).close()
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 999")
    db.close()
    for read_only in (False, True):
        error = await refusal(path, read_only=read_only)
        assert isinstance(error, StoreError)
        assert "was written by a newer aethermind (schema 999; this one knows" in error.message


async def test_a_damaged_database(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    store = await open_store(path)
    await store.append(on("r", created()), {})
    await store.close()
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    error = await refusal(path)
    assert isinstance(error, StoreError)
    assert error.message == f"{path} is damaged"


async def test_a_migration_that_fails_leaves_nothing_half_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "migrations"
    shutil.copytree(database.MIGRATIONS, folder)
    path = tmp_path / "x.db"
    store = await open_store(path)
    await store.append(on("r", created()), {})
    await store.close()
    monkeypatch.setattr(database, "MIGRATIONS", folder)
    following = len(database.migrations()) + 1
    script = folder / f"{following:04}_next.sql"
    script.write_text(
        "CREATE TABLE extra (x);\nINSERT INTO extra VALUES (1);\nINSERT INTO nowhere VALUES (1);\n"
    )
    assert "nowhere" in (await refusal(path)).message
    db = sqlite3.connect(path)
    assert db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'extra'").fetchone() == (0,)
    assert db.execute("PRAGMA user_version").fetchone() == (following - 1,)
    db.close()
    script.write_text("CREATE TABLE extra (x);\nINSERT INTO extra VALUES (1);\n")
    store = await open_store(path)
    assert len((await store.runs(RunFilter())).items) == 1
    await store.close()
    db = sqlite3.connect(path)
    assert db.execute("SELECT x FROM extra").fetchall() == [(1,)]
    assert db.execute("PRAGMA user_version").fetchone() == (following,)
    db.close()


# --- reading only ------------------------------------------------------------------------------


async def test_reading_only(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    assert "does not exist" in (await refusal(path, read_only=True)).message
    owner = await open_store(path)
    await owner.append(on("r", created()), {})
    looking = await open_store(path, read_only=True)
    assert [run.id for run in (await looking.runs(RunFilter())).items] == ["r"]
    assert await looking.last_seq() == 1
    with pytest.raises(StoreError, match="for reading only"):
        await looking.append(on("s", created()), {})
    await owner.append(on("s", created()), {})
    assert await looking.last_seq() == 2
    await looking.close()
    assert (tmp_path / "x.db-wal").exists(), "who only looks must not checkpoint"
    await owner.close()
    looking = await open_store(path, read_only=True)
    assert await looking.last_seq() == 2
    await looking.close()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anything")
async def test_a_read_only_file(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    await (await open_store(path)).close()
    path.chmod(0o400)
    error = await refusal(path)
    assert isinstance(error, InvalidError)


def test_what_sqlite_says_of_a_read_only_file(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    database.connect(path, "process").close()
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
    with pytest.raises(sqlite3.OperationalError) as caught:
        db.execute("DELETE FROM events")
    db.close()
    error = database.explain(caught.value, path)
    assert isinstance(error, InvalidError)
    assert error.message == f"{path} is read-only"


# --- places ------------------------------------------------------------------------------------

MOUNTS = """\
/dev/vda / ext4 rw,relatime 0 0
server:/home /home nfs4 rw 0 0
/dev/vdb /home/me/disk xfs rw 0 0
//nas/share /mnt/my\\040share cifs rw 0 0
me@box: /mnt/box fuse.sshfs rw 0 0
drvfs /mnt/c 9p rw 0 0
overlay /over ext4 rw 0 0
tmpfs /over tmpfs rw 0 0
"""


@pytest.mark.parametrize(
    "where, kind, refused",
    [
        ("/", "ext4", False),
        ("/var/lib", "ext4", False),
        ("/home", "nfs4", True),
        ("/home/me", "nfs4", True),
        ("/home/me/disk/data", "xfs", False),
        ("/homestead", "ext4", False),
        ("/mnt/my share/x", "cifs", True),
        ("/mnt/box", "fuse.sshfs", True),
        ("/mnt/c/Users", "9p", True),
        ("/over/there", "tmpfs", False),
    ],
)
def test_network_file_systems(where: str, kind: str, refused: bool) -> None:
    assert place.type_at(Path(where), place.linux_mounts(MOUNTS)) == kind
    assert bool(place.NETWORK.match(kind)) == refused


def test_mounts_of_macos() -> None:
    listing = (
        "/dev/disk3s1s1 on / (apfs, sealed, local, read-only, journaled)\n"
        "//me@nas/My Files on /Volumes/My Files (smbfs, nodev, nosuid, mounted by me)\n"
    )
    mounts = place.macos_mounts(listing)
    assert mounts == [("/", "apfs"), ("/Volumes/My Files", "smbfs")]
    assert place.type_at(Path("/Volumes/My Files/a"), mounts) == "smbfs"


async def test_a_network_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert place.file_system_of(tmp_path) is not None
    monkeypatch.setattr(place, "file_system_of", lambda _: "nfs4")
    error = await refusal(tmp_path / "x.db")
    assert isinstance(error, InvalidError)
    assert "network file system (nfs4)" in error.message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "free, told", [(0, "the disk is full (free some space"), (1 << 20, "disk I/O error")]
)
def test_an_io_error_where_nothing_fits_any_more_is_a_full_disk(
    free: int, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = os.statvfs(tmp_path)
    found = os.statvfs_result([*room[:4], free // room.f_frsize, *room[5:]])
    monkeypatch.setattr(os, "statvfs", lambda _: found)
    assert told in database.explain(sqlite3.OperationalError("disk I/O error"), tmp_path / "a.db").line()
