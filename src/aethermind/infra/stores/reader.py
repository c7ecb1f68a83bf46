"""The readers: a few connections that can only read, each query one statement on one of them.

A statement is its own snapshot and its rows are fetched at once, so no reader holds the WAL for
longer than a query takes.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aethermind.domain.errors import StoreError
from aethermind.domain.events import LogWritten, Recorded
from aethermind.infra.stores.database import connect_reader, explain
from aethermind.infra.stores.sequencer import LEVELS
from aethermind.infra.stores.state import Row
from aethermind.wire import decode_event, decode_json

if TYPE_CHECKING:
    import aiosqlite

READERS = 2
DECODED_AT_ONCE = 256
"""Events turned into objects before other tasks of the loop get their turn."""


class Reader:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._connections: list[aiosqlite.Connection] = []
        self._turn = 0
        self._closed = False

    async def rows(self, sql: str, parameters: Mapping[str, Any] | Sequence[Any] = ()) -> list[Row]:
        """All rows of one query. Raises `StoreError`."""
        connection = await self._connection()
        try:
            found = await connection.execute_fetchall(sql, parameters)
        except sqlite3.Error as error:
            raise explain(error, self._path) from error
        except ValueError as error:  # closed meanwhile
            raise StoreError("the store is closed") from error
        return found  # type: ignore[return-value]  # a list of tuples, without a row factory

    async def close(self) -> None:
        self._closed = True
        connections, self._connections = self._connections, []
        for connection in connections:
            await connection.close()

    async def _connection(self) -> aiosqlite.Connection:
        """The next one in turn; opened when first needed."""
        if self._closed:
            raise StoreError("the store is closed")
        if not self._enough():
            opened = await self._open()
            if self._enough():  # others were faster, or the store was closed meanwhile
                await opened.close()
                return await self._connection()
            self._connections.append(opened)
        self._turn += 1
        return self._connections[self._turn % len(self._connections)]

    def _enough(self) -> bool:
        return self._closed or len(self._connections) >= READERS

    async def _open(self) -> aiosqlite.Connection:
        import aiosqlite  # not needed by a run that is never looked at

        connection = aiosqlite.Connection(lambda: connect_reader(self._path), iter_chunk_size=64)
        # A program that forgets to close its store must still be able to end.
        connection._thread.daemon = True  # noqa: SLF001 - aiosqlite has no public way
        return await connection


async def events(rows: list[Row]) -> list[Recorded]:
    """Rows of `events` (seq, stream, version, at, type, v, data) as records. Long lists give way to other
    tasks. Raises `StoreError` for what this version can't read."""
    found: list[Recorded] = []
    for start in range(0, len(rows), DECODED_AT_ONCE):
        if start:
            await asyncio.sleep(0)
        found += [decode(row) for row in rows[start : start + DECODED_AT_ONCE]]
    return found


def decode(row: Row) -> Recorded:
    """A row of `events`, or one with the columns of `logs` behind it (type None: a log)."""
    seq, stream, version, at, type_, v, data = row[:7]
    if type_ is None:
        return Recorded(seq, stream, 0, at, log_event(row[7:]))
    try:
        return Recorded(seq, stream, version, at, decode_event(type_, v, data))
    except ValueError as error:
        raise StoreError(f"event {seq} of {stream} can't be read: {error}") from error


def log_event(columns: Row) -> LogWritten:
    """level, message, step, attempt, agent, metadata → the event."""
    level, message, step, attempt, agent, metadata = columns
    return LogWritten(
        level=LEVELS[level],
        message=message,
        step=step,
        attempt=attempt,
        agent=agent,
        metadata=decode_json(metadata) if metadata else {},
    )
