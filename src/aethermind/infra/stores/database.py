"""Opening the database file: pragmas, checks with one clear line each, migrations."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from aethermind import failpoints
from aethermind.domain.errors import AethermindError, ConflictError, InvalidError, StoreError
from aethermind.infra.stores.place import check_place

Durability = Literal["power", "process"]
"""What an acknowledged append survives: a power loss, or only the death of the process."""

APPLICATION_ID = 0x41455448  # "AETH"
OLDEST_SQLITE = (3, 37, 0)
BUSY_TIMEOUT_MS = 5_000
STATEMENTS = 256
"""Prepared statements kept per connection: each table has one for each power of two of rows."""

MIGRATIONS = Path(__file__).with_name("migrations")


def connect(path: Path, durability: Durability) -> sqlite3.Connection:
    """The one connection that writes, migrated to the newest schema. Raises `InvalidError` if the file
    can't be a database of ours, `StoreError` if it is one of a newer version or damaged."""
    check_file(path)
    db: sqlite3.Connection | None = None
    try:
        _create(path)
        db = sqlite3.connect(_uri(path, "rw"), uri=True, isolation_level=None, cached_statements=STATEMENTS)
        prepare(db, path, durability)
    except AethermindError:
        _close(db)
        raise
    except (sqlite3.Error, OSError) as error:
        _close(db)
        raise explain(error, path) from error
    return db


def prepare(db: sqlite3.Connection, path: Path, durability: Durability) -> None:
    """Make an open connection the one that writes. Raises as `connect`, and what SQLite raises."""
    db.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    check_owner(db, path)
    db.execute(f"PRAGMA synchronous = {'FULL' if durability == 'power' else 'NORMAL'}")
    mode = db.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise InvalidError(f"{path} can't be opened in WAL mode: its directory does not allow it")
    db.execute("PRAGMA wal_autocheckpoint = 0")
    db.execute("PRAGMA foreign_keys = ON")
    db.execute("PRAGMA trusted_schema = OFF")
    db.execute("PRAGMA mmap_size = 0")
    migrate(db)


def connect_reader(path: Path) -> sqlite3.Connection:
    """A connection that can only read; of any thread. Raises as `connect`, for a missing file too."""
    check_file(path)
    if not path.exists():
        raise InvalidError(f"{path} does not exist")
    db: sqlite3.Connection | None = None
    try:
        db = sqlite3.connect(_uri(path, "ro"), uri=True, isolation_level=None, check_same_thread=False)
        db.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        check_owner(db, path)
        db.execute("PRAGMA query_only = ON")
        db.execute("PRAGMA trusted_schema = OFF")
    except AethermindError:
        _close(db)
        raise
    except sqlite3.Error as error:
        _close(db)
        raise explain(error, path) from error
    return db


def is_current(path: Path) -> bool:
    """Whether it has the newest schema, so that it can be read as it is. True, too, for what can't be opened:
    whoever reads it says why."""
    try:
        with contextlib.closing(connect_reader(path)) as db:
            return _version(db) >= migrations()[-1][0]
    except (AethermindError, sqlite3.Error):
        return True


def check_file(path: Path) -> None:
    """What can be said without opening it."""
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise StoreError(f"this Python has SQLite {sqlite3.sqlite_version}; 3.37 or newer is needed")
    if path.is_dir():
        raise InvalidError(f"{path} is a directory, not a database")
    if not path.parent.is_dir():
        raise InvalidError(f"{path.parent} is not a directory, so {path.name} can't be in it")
    check_place(path.parent)


def check_owner(db: sqlite3.Connection, path: Path) -> None:
    """Refuse a file of another program, and one that a newer version of this one has written."""
    version = db.execute("PRAGMA user_version").fetchone()[0]
    owner = db.execute("PRAGMA application_id").fetchone()[0]
    if owner != APPLICATION_ID:
        if owner or version or db.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
            raise InvalidError(f"{path} is the database of another program")
        return
    newest = migrations()[-1][0]
    if version > newest:
        raise StoreError(
            f"{path} was written by a newer aethermind (schema {version}; this one knows {newest})",
            hint="install the newer version",
        )


def claim(db: sqlite3.Connection) -> int:
    """Raise the database's epoch and give it: whoever wrote before is refused from its next commit on."""
    with transaction(db):
        db.execute("INSERT INTO meta VALUES ('epoch', 1) ON CONFLICT (key) DO UPDATE SET value = value + 1")
        return epoch_of(db)


def epoch_of(db: sqlite3.Connection) -> int:
    """How many have opened this database for writing; 0 before the first."""
    found = db.execute("SELECT value FROM meta WHERE key = 'epoch'").fetchone()
    return found[0] if found is not None else 0


def migrations() -> list[tuple[int, Path]]:
    """(schema version, file), oldest first."""
    return sorted((int(f.name.split("_")[0]), f) for f in MIGRATIONS.glob("*.sql"))


def migrate(db: sqlite3.Connection) -> None:
    """Bring the schema up to date, each step in a transaction of its own."""
    for number, file in migrations():
        if _version(db) >= number:
            continue
        with transaction(db):
            if _version(db) >= number:  # somebody else was faster
                continue
            for statement in split(file.read_text(encoding="utf-8")):
                db.execute(statement)
            db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            db.execute(f"PRAGMA user_version = {number}")
            if failpoints.armed:
                failpoints.reached("migration")


@contextlib.contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def split(script: str) -> Iterator[str]:
    """The statements of a script (`executescript` would end the transaction it runs in)."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def explain(error: Exception, path: Path) -> AethermindError:
    """A failure of SQLite or the system as one clear line."""
    text = str(error)
    if isinstance(error, sqlite3.IntegrityError) and "UNIQUE" in text:
        return ConflictError("somebody else wrote to this database")
    if isinstance(error, OSError):
        return InvalidError(f"{path}: {error.strerror or error}")
    if "not a database" in text:
        return InvalidError(f"{path} is not an SQLite database")
    if "readonly" in text:
        return InvalidError(f"{path} is read-only")
    if "unable to open" in text:
        return InvalidError(f"{path} can't be opened (no permission, or no such directory)")
    if "locked" in text:
        return StoreError(f"{path} is locked by another program")
    if "full" in text or ("disk I/O error" in text and not _room(path)):
        return StoreError(f"{path}: the disk is full", hint="free some space; nothing recorded is lost")
    if "malformed" in text:
        return StoreError(f"{path} is damaged", hint="restore a backup")
    return StoreError(f"{path}: {text}")


def _room(path: Path) -> bool:
    """Whether the disk has a page left: without one, SQLite can't even make the file that readers share, and
    says `disk I/O error`."""
    try:
        free = os.statvfs(path.parent)
    except OSError:
        return True
    return free.f_bavail * free.f_frsize >= 65_536


def _version(db: sqlite3.Connection) -> int:
    version: int = db.execute("PRAGMA user_version").fetchone()[0]
    return version


def _create(path: Path) -> None:
    """A new file is the user's alone. Only ever made here, never opened: closing any handle of the
    database outside of SQLite would drop this process's locks on it."""
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _uri(path: Path, mode: str) -> str:
    return f"file:{quote(str(path.absolute()))}?mode={mode}"


def _close(db: sqlite3.Connection | None) -> None:
    if db is not None:
        db.close()
