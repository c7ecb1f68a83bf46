"""A connection to a database on a faulty disk, with as much of `sqlite3` as the store's writer uses: the
SQLite is real, what it raises becomes what `sqlite3` would have raised.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import apsw

from aethermind.domain.errors import AethermindError
from aethermind.infra.stores.database import Durability, explain, prepare
from tests.disk.vfs import Disk, Mark

_TEXTS: list[tuple[type[apsw.Error], type[sqlite3.Error], str]] = [
    (apsw.FullError, sqlite3.OperationalError, "database or disk is full"),
    (apsw.BusyError, sqlite3.OperationalError, "database is locked"),
    (apsw.LockedError, sqlite3.OperationalError, "database table is locked"),
    (apsw.IOError, sqlite3.OperationalError, "disk I/O error"),
    (apsw.CantOpenError, sqlite3.OperationalError, "unable to open database file"),
    (apsw.ReadOnlyError, sqlite3.OperationalError, "attempt to write a readonly database"),
    (apsw.CorruptError, sqlite3.DatabaseError, "database disk image is malformed"),
    (apsw.NotADBError, sqlite3.DatabaseError, "file is not a database"),
    (apsw.ConstraintError, sqlite3.IntegrityError, ""),
]


def _translated(error: apsw.Error) -> sqlite3.Error:
    for mine, theirs, text in _TEXTS:
        if isinstance(error, mine):
            return theirs(text or str(error))
    return sqlite3.OperationalError(str(error))


class Rows:
    def __init__(self, rows: Sequence[tuple[Any, ...]]) -> None:
        self._rows = iter(rows)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return self._rows

    def fetchone(self) -> tuple[Any, ...] | None:
        return next(self._rows, None)

    def fetchall(self) -> list[tuple[Any, ...]]:
        return list(self._rows)


class Connection:
    def __init__(self, disk: Disk, path: Path) -> None:
        self._disk = disk
        uri = f"file:{quote(str(path))}?mode=rwc"
        flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_URI
        try:
            self._db = apsw.Connection(uri, flags=flags, vfs=disk.name)
        except apsw.Error as error:
            raise _translated(error) from error

    @property
    def in_transaction(self) -> bool:
        return self._db.in_transaction

    def execute(self, sql: str, parameters: Any = ()) -> Rows:
        try:
            rows = Rows(self._db.execute(sql, parameters).fetchall())
            if sql == "COMMIT":
                self._disk.journal.append(Mark(_last_seq(self._db)))
        except apsw.Error as error:
            raise _translated(error) from error
        return rows

    def cursor(self) -> Connection:
        return self

    def close(self) -> None:
        try:
            self._db.close()
        except apsw.Error as error:
            self._db.close(True)
            raise _translated(error) from error


def _last_seq(db: apsw.Connection) -> int:
    seqs = [db.execute(f"SELECT coalesce(max(seq), 0) FROM {table}").get for table in ("events", "logs")]
    return max(cast("list[int]", seqs))


def connection(disk: Disk, path: Path, durability: Durability = "power") -> Callable[[], sqlite3.Connection]:
    """What `SqliteStore(connection=…)` wants: opens the file on that disk as `database.connect` would."""

    def connect() -> sqlite3.Connection:
        db: sqlite3.Connection | None = None
        try:
            db = cast("sqlite3.Connection", Connection(disk, path))
            prepare(db, path, durability)
        except (sqlite3.Error, AethermindError) as error:
            if db is not None:
                db.close()
            raise error if isinstance(error, AethermindError) else explain(error, path) from error
        return db

    return connect
