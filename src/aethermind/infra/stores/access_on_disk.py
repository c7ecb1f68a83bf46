"""The store in a file: tokens, the audit log, and what is registered or trusted."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from aethermind.domain.acts import READERS
from aethermind.domain.events import Recorded
from aethermind.engine.access import AuditRow, AuditVerdict, KeptToken, TokenRow
from aethermind.engine.queries import AgentRow, Page, WorkflowRow
from aethermind.infra.stores import chain, pages
from aethermind.infra.stores.database import connect_reader, explain
from aethermind.infra.stores.reader import Reader, decode, events
from aethermind.infra.stores.state import Row
from aethermind.infra.stores.statements import blocks
from aethermind.wire import encode_json

SQL = blocks("read.sql")
AT_ONCE = 500
"""Rows of the audit log that are compared with their events by one query."""
_TYPES = encode_json([kind.__name__ for kind in READERS]).decode()


class AccessOnDisk:
    """Part of `SqliteStore`."""

    path: Path
    _reader: Reader

    async def agents(self) -> list[AgentRow]:
        return [pages.agent_row(row, row[7]) for row in await self._reader.rows(SQL["agents"])]

    async def workflows(self) -> list[WorkflowRow]:
        rows = await self._reader.rows(SQL["workflows"])
        return [
            WorkflowRow(name=r[0], description=r[1], definition_hash=r[2], updated_at=r[3], source=r[4])
            for r in rows
        ]

    async def registered_workflow(self, name: str) -> Recorded | None:
        return await self._one("registered_workflow", name)

    async def registered_agent(self, name: str) -> Recorded | None:
        return await self._one("registered_agent", name)

    async def _one(self, query: str, name: str) -> Recorded | None:
        rows = await self._reader.rows(SQL[query], (name,))
        return (await events(rows))[0] if rows else None

    async def trusted(self, path: str, sha256: str | None) -> bool:
        return bool(await self._reader.rows(SQL["trusted"], (path, sha256 or "")))

    async def tokens(self) -> list[TokenRow]:
        return [pages.token(row).row for row in await self._reader.rows(SQL["tokens"])]

    async def token(self, token_id: str) -> KeptToken | None:
        rows = await self._reader.rows(SQL["token"], (token_id,))
        return pages.token(rows[0]) if rows else None

    async def audit(self, *, limit: int = 50, cursor: str | None = None) -> Page[AuditRow]:
        pages.check_limit(limit)
        before = pages.decode_cursor(cursor, pages.LAST)
        rows = await self._reader.rows(SQL["audit"], {"cursor": before, "limit": limit + 1})
        return pages.page([chain.audit_row(row) for row in rows], [row[0] for row in rows], limit)

    async def verify_audit(self, head: str | None = None) -> AuditVerdict:
        # All of it, maybe of years: beside the event loop, on a connection of its own.
        return await asyncio.to_thread(verify, self.path, head)


def registered_on_disk(database: Path, query: str, name: str) -> Recorded | None:
    """What `registered_workflow` or `registered_agent` (the `query`) give, without a store; also beside any
    engine. Raises `StoreError`, `InvalidError`."""
    try:
        with contextlib.closing(connect_reader(database)) as db:
            row = db.execute(SQL[query], (name,)).fetchone()
    except sqlite3.Error as error:
        raise explain(error, database) from error
    return None if row is None else decode(row)


def verify(database: Path, head: str | None) -> AuditVerdict:
    """Of a database file, at one moment. Raises `StoreError`."""
    try:
        with contextlib.closing(connect_reader(database)) as db:
            db.execute("BEGIN")
            return verify_in(db, head)
    except sqlite3.Error as error:
        raise explain(error, database) from error


def verify_in(db: sqlite3.Connection, head: str | None = None) -> AuditVerdict:
    """The same on a connection. Raises `sqlite3.Error`."""
    return chain.verify(_pages(db), _truth(db), head)


def _pages(db: sqlite3.Connection) -> Iterator[list[Row]]:
    after = 0
    while rows := db.execute(SQL["audit_on"], (after, AT_ONCE)).fetchall():
        yield rows
        after = rows[-1][0]


def _truth(db: sqlite3.Connection) -> chain.Truth:
    began = db.execute(SQL["audit_from"]).fetchone()[0]

    def digests(seqs: list[int]) -> dict[int, str]:
        sql = SQL["event_data"].replace("{seqs}", ", ".join("?" * len(seqs)))
        return {seq: chain.digest(data) for seq, data in db.execute(sql, seqs)}

    def missing(seqs: chain.Seqs) -> Iterator[chain.Missing]:
        def event(seq: int) -> Recorded:
            return decode(db.execute(SQL["event"], (seq,)).fetchone())

        def first_of(of: Recorded) -> Recorded | None:
            row = db.execute(SQL["first_of_stream"], (of.seq,)).fetchone()
            return None if row is None else decode(row)

        for (seq,) in db.execute(SQL["acts"], {"after": began, "types": _TYPES}):
            if chain.without_row(seqs, seq) and (what := chain.unheard(event(seq), first_of)):
                yield seq, what

    return chain.Truth(began, digests, missing)
