"""What is in the write-ahead log and not yet in the database file: how much, and moving it.

Rules
- When there is nothing else to do, what can be moved is moved, and nobody is waited for.
- Past a bound the log has to begin anew from its start. It can't while anybody reads from it, so readers are
  waited for: one's own take less than `READER_MS`. New ones meanwhile read the database file.
- How much a commit writes is estimated; each checkpoint tells how much it was, and corrects the estimate.
"""

from __future__ import annotations

import sqlite3

from aethermind import failpoints
from aethermind.infra.stores import database
from aethermind.infra.stores.distress import Distress

COMMIT_BYTES = 20_000
"""What a commit writes besides its data: the pages that it touches."""
FRAME_BYTES = 4_120
READER_MS = 1_000
SURE = 100_000
"""Bytes by estimate that make a comparison worth something."""


class Backlog:
    """The writer's; on its thread."""

    def __init__(self, distress: Distress) -> None:
        self._distress = distress
        self._size = 0.0
        self._tried = 0.0
        """The size at which moving it failed the last time."""
        self._estimated = 0
        self._frames = 0
        """In the log at the last checkpoint."""
        self._scale = 1.5
        self.rested = True
        """What could be moved was, since the last commit."""

    def opened(self) -> None:
        """There may be something from before."""
        self._size = self._tried = 0.0
        self._estimated = self._frames = 0
        self.rested = False

    def wrote(self, data: int) -> None:
        """An append with so many bytes of data."""
        self._estimated += data
        self._size += data * self._scale

    def committed(self) -> None:
        self.wrote(COMMIT_BYTES)
        self.rested = False

    def is_over(self, bound: int) -> bool:
        return self._size - self._tried > bound

    def move(self, db: sqlite3.Connection, bound: int, *, idle: bool) -> None:
        """Raises `sqlite3.Error`; then nothing is lost, and it stays what is to be moved."""
        self._tried = self._size
        self.rested = True
        _, frames, done = db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        if failpoints.armed:
            failpoints.reached("checkpoint")
        self._learn(frames)
        if idle:
            self._size = self._tried = max(0, frames - done) * FRAME_BYTES
        else:
            self._size = self._tried = 0 if self._begin_anew(db) else frames * FRAME_BYTES
        self._distress.unread(int(self._size), bound * 3 // 2)

    def _begin_anew(self, db: sqlite3.Connection) -> bool:
        db.execute(f"PRAGMA busy_timeout = {READER_MS}")
        try:
            busy, _, _ = db.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
        finally:
            db.execute(f"PRAGMA busy_timeout = {database.BUSY_TIMEOUT_MS}")
        if not busy:
            self._frames = 0
        return not busy

    def _learn(self, frames: int) -> None:
        written = frames - self._frames if frames >= self._frames else frames
        if self._estimated > SURE:
            self._scale = min(max(written * FRAME_BYTES / self._estimated, 0.2), 20.0)
        self._estimated = 0
        self._frames = frames
