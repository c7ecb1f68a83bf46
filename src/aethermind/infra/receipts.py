"""Receipts of the API in a file of their own beside the database: they live for a day, no run is told by
them, and no backup, export or rebuild has to know them.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from pathlib import Path
from typing import Any

from aethermind.domain.errors import StoreError
from aethermind.engine.receipts import Receipt

FILE = "receipts.db"
_TABLE = """
CREATE TABLE IF NOT EXISTS receipts (
    mark TEXT PRIMARY KEY,
    digest TEXT NOT NULL,
    at INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    status INTEGER,
    media_type TEXT NOT NULL,
    body BLOB NOT NULL
) STRICT, WITHOUT ROWID
"""
_COLUMNS = ("mark", "digest", "at", "seq", "status", "media_type", "body")


class SqliteReceipts:
    """See `Receipts`. The file is opened on first use."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None

    def find(self, mark: str) -> Receipt | None:
        rows = self._run(f"SELECT {', '.join(_COLUMNS)} FROM receipts WHERE mark = ?", (mark,))  # noqa: S608 - our own names
        return Receipt(**dict(zip(_COLUMNS, rows[0], strict=True))) if rows else None

    def keep(self, receipt: Receipt) -> None:
        values = tuple(getattr(receipt, name) for name in _COLUMNS)
        self._run("INSERT OR REPLACE INTO receipts VALUES (?, ?, ?, ?, ?, ?, ?)", values)

    def drop(self, mark: str) -> None:
        self._run("DELETE FROM receipts WHERE mark = ?", (mark,))

    def forget(self, before: int) -> None:
        self._run("DELETE FROM receipts WHERE at < ?", (before,))

    def close(self) -> None:
        with self._lock:
            if self._db is not None:
                self._db.close()
                self._db = None

    def _run(self, statement: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        with self._lock:
            try:
                if self._db is None:
                    self._db = self._open()
                return self._db.execute(statement, values).fetchall()
            except (sqlite3.Error, OSError) as error:
                raise StoreError(f"{self._path}: {error}") from error

    def _open(self) -> sqlite3.Connection:
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        try:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=FULL")
            db.execute(_TABLE)
        except sqlite3.Error:
            db.close()
            raise
        return db
