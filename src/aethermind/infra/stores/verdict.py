"""After a commit that failed: which of its appends are recorded all the same.

An error of COMMIT does not say that nothing was written. So the database is opened anew and read: an append
counts as recorded only if every event and log of it is there exactly as it was to be.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from aethermind.domain.errors import StoreError
from aethermind.domain.events import LogWritten, Recorded
from aethermind.infra.stores.sequencer import LEVEL_NUMBER
from aethermind.infra.stores.state import Row
from aethermind.infra.stores.statements import blocks
from aethermind.wire import encode_event, encode_json

SQL = blocks("verdict.sql")


def recorded(db: sqlite3.Connection, answers: Sequence[Any]) -> list[bool]:
    """For each answer that a batch would have got, whether it is true. What has no record to look for (a
    refusal, a display text, logs beyond their cap) is not. Raises `sqlite3.Error`."""
    wanted = [answer if isinstance(answer, list) else [] for answer in answers]
    seqs = [item.seq for items in wanted for item in items]
    if not seqs:
        return [False] * len(wanted)
    span = (min(seqs), max(seqs))
    there: dict[int, Row] = {row[0]: row for row in db.execute(SQL["events"], span)}
    there |= {row[0]: row for row in db.execute(SQL["logs"], span)}
    return [bool(items) and all(there.get(r.seq) == _row(r) for r in items) for items in wanted]


def harden(db: sqlite3.Connection) -> None:
    """Bring what can be read onto the disk for certain. After a failed fsync the system may have taken pages
    for written that are not, and would not write them again: a checkpoint copies them into the database
    file and syncs that. Raises `sqlite3.Error`, `StoreError`."""
    busy, frames, done = db.execute("PRAGMA wal_checkpoint(FULL)").fetchone()
    if busy or frames != done:
        raise StoreError("what was written can't be brought onto the disk")


def _row(item: Recorded) -> Row:
    event = item.event
    if isinstance(event, LogWritten):
        metadata = encode_json(event.metadata).decode() if event.metadata else None
        level = LEVEL_NUMBER[event.level]
        place = (event.step, event.attempt, event.agent)
        return (item.seq, item.stream, item.at, level, event.message, *place, metadata)
    data = encode_event(event).decode()
    return (item.seq, item.stream, item.version, item.at, item.type, type(event).v, data)
