"""The event store in one SQLite file: `await open_store(path)`.

    append ─► Writer (one thread, one connection, group commit) ─► events, logs, projections
    read   ◄─ Reader (connections that can only read)           ◄─┘

`Writer` tells how commits work, `Sequencer` how events are numbered, `Projector` how rows follow.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from aethermind.domain.errors import AethermindError, StoreError
from aethermind.domain.events import Draft, Recorded
from aethermind.engine.queries import (
    AttemptFilter,
    AttemptRow,
    CallRow,
    CostFilter,
    CostRow,
    LedgerRow,
    LogFilter,
    LogRow,
    Page,
    Partial,
    RunFilter,
    RunRow,
)
from aethermind.engine.trouble import Trouble
from aethermind.infra.stores import filters, flush, pages
from aethermind.infra.stores.access_on_disk import AccessOnDisk
from aethermind.infra.stores.ballast import Ballast
from aethermind.infra.stores.database import Durability, connect, connect_reader
from aethermind.infra.stores.jobs import Append, Save, Task
from aethermind.infra.stores.memory import InMemoryStore
from aethermind.infra.stores.reader import Reader, events
from aethermind.infra.stores.sequencer import LOGS_PER_RUN, encode
from aethermind.infra.stores.state import CostSum
from aethermind.infra.stores.statements import blocks
from aethermind.infra.stores.writer import Writer

T = TypeVar("T")
SQL = blocks("read.sql")
STREAM_PAGE = 1_000
SEARCHED_AT_ONCE = 20_000
"""Log records that a search looks at for one page, so that no page takes longer than a moment."""
MANY_SUMS = 1_000
"""Sums (of as many runs) that would hold up the event loop: they are added up beside it."""


async def open_store(
    path: str | Path,
    *,
    durability: Durability = "power",
    logs_per_run: int = LOGS_PER_RUN,
    read_only: bool = False,
    ballast: bool = False,
) -> SqliteStore | InMemoryStore:
    """Open (and create or migrate) the database file; `:memory:` gives an in-memory store.

    `durability`: what an append survives once it has returned, a loss of power (`power`, the default) or
    only the death of the process (`process`). `read_only` needs an existing file, never writes, migrates
    or checkpoints, and refuses appends: it is safe beside an engine that owns the file. `ballast`: keep a
    file beside it whose room is used when the disk is full.

    Raises `InvalidError` if this can't be our database (a directory, not SQLite, of another program,
    read-only, on a network file system), `StoreError` if it is of a newer version, locked or damaged.
    """
    if str(path) == ":memory:":
        return InMemoryStore(logs_per_run=logs_per_run)
    file = Path(path)
    store = SqliteStore(
        file,
        durability=durability,
        logs_per_run=logs_per_run,
        read_only=read_only,
        ballast=Ballast(file) if ballast else None,
    )
    await store.start()
    return store


class SqliteStore(AccessOnDisk):
    def __init__(
        self,
        path: Path,
        *,
        durability: Durability = "power",
        logs_per_run: int = LOGS_PER_RUN,
        read_only: bool = False,
        connection: Callable[[], sqlite3.Connection] | None = None,
        ballast: Ballast | None = None,
    ) -> None:
        self.path = path
        self.durability = durability
        self._reader = Reader(path)
        self._writer: Writer | None = None
        if not read_only:
            opened = connection or (lambda: connect(path, durability))
            self._writer = Writer(path, opened, logs_per_run=logs_per_run, ballast=ballast)
        self._closed = False

    async def start(self) -> None:
        """Open the file. Raises as `open_store`."""
        if self._writer is None:
            # A failure inside aiosqlite's thread can't be waited for, so the file is tried before.
            await asyncio.to_thread(lambda: connect_reader(self.path).close())
        else:
            await self._writer.start().future

    def watch(self, tell: Callable[[Trouble | None], None]) -> None:
        """See `Watched`."""
        if self._writer is not None:
            self._writer.distress.watch(asyncio.get_running_loop(), tell)

    # --- the log -------------------------------------------------------------------------------

    def append(self, drafts: Sequence[Draft], expected: Mapping[str, int]) -> asyncio.Future[list[Recorded]]:
        # No coroutine: a run's turn hears of the commit straight from the future.
        loop = asyncio.get_running_loop()
        try:
            job = Append(drafts, [encode(draft) for draft in drafts], expected, loop)
            self._write().put(job)
        except AethermindError as error:
            refused: asyncio.Future[list[Recorded]] = loop.create_future()
            refused.set_exception(error)
            return refused
        return job.future

    async def read_stream(self, stream: str, after_version: int = 0) -> list[Recorded]:
        found: list[Recorded] = []
        while True:
            rows = await self._reader.rows(
                SQL["stream"], {"stream": stream, "after": after_version, "limit": STREAM_PAGE}
            )
            found += await events(rows)
            if len(rows) < STREAM_PAGE:
                return found
            after_version = rows[-1][2]

    async def read_all(
        self, after_seq: int, *, limit: int = 1000, stream: str | None = None
    ) -> list[Recorded]:
        sql = SQL["all"] if stream is None else SQL["all_of_stream"]
        rows = await self._reader.rows(sql, {"after": after_seq, "limit": limit, "stream": stream})
        return await events(rows)

    async def last_seq(self) -> int:
        if self._writer is not None:
            return self._writer.committed
        seq: int = (await self._reader.rows(SQL["last_seq"]))[0][0]
        return seq

    # --- projections ---------------------------------------------------------------------------

    async def runs(self, where: RunFilter, *, limit: int = 50, cursor: str | None = None) -> Page[RunRow]:
        conditions, parameters = filters.runs(where)
        rows = await self._page("runs", conditions, parameters, limit, cursor, start=pages.LAST)
        return pages.page([pages.run_row(r) for r in rows], [r[0] for r in rows], limit)

    async def attempts(
        self, where: AttemptFilter, *, limit: int = 100, cursor: str | None = None
    ) -> Page[AttemptRow]:
        name, conditions, parameters = filters.attempts(where)
        rows = await self._page(name, conditions, parameters, limit, cursor, start=pages.LAST)
        return pages.page([pages.attempt_row(r, r[10]) for r in rows], [r[11] for r in rows], limit)

    async def calls(self, run_id: str, *, limit: int = 1000, cursor: str | None = None) -> Page[CallRow]:
        rows = await self._page("calls", "", {"run_id": run_id}, limit, cursor, start=0)
        return pages.page([pages.call_row(r, r[22], r[23]) for r in rows], [r[0] for r in rows], limit)

    async def logs(self, where: LogFilter, *, limit: int = 200, cursor: str | None = None) -> Page[LogRow]:
        conditions, searched, parameters = filters.logs(where)
        if not searched:
            rows = await self._page("logs", conditions, parameters, limit, cursor, start=where.after_seq)
            return pages.page([pages.log_row(r) for r in rows], [r[0] for r in rows], limit)
        pages.check_limit(limit)
        parameters |= {"cursor": pages.decode_cursor(cursor, where.after_seq), "scan": SEARCHED_AT_ONCE}
        sql = SQL["logs_searched"].replace("{where}", conditions).replace("{searched}", searched)
        rows = await self._reader.rows(sql, {**parameters, "limit": limit + 1})
        page = pages.page([pages.log_row(r) for r in rows], [r[0] for r in rows], limit)
        if page.next is None:
            sql = SQL["logs_seen"].replace("{where}", conditions)
            ((seen, last),) = await self._reader.rows(sql, parameters)
            if seen == SEARCHED_AT_ONCE:
                return Page(page.items, pages.encode_cursor(last))
        return page

    async def costs(self, where: CostFilter) -> list[CostRow]:
        rows = []
        for sql, parameters in filters.costs(SQL, where):
            rows += await self._reader.rows(sql, parameters)
        sums = ((row[0], CostSum(*row[1:])) for row in rows)
        if len(rows) < MANY_SUMS:
            return pages.cost_rows(where, sums)
        return await asyncio.to_thread(pages.cost_rows, where, sums)

    async def ledger(self, scope: str, day: int) -> LedgerRow:
        rows = await self._reader.rows(SQL["ledger"], (scope, day))
        return LedgerRow(scope, day, *(rows[0] if rows else ()))

    async def answer(self, content_key: str) -> Recorded | None:
        rows = await self._reader.rows(SQL["answer"], (content_key,))
        return (await events(rows))[0] if rows else None

    async def save_partials(self, partials: Sequence[Partial]) -> None:
        job = Save(partials, asyncio.get_running_loop())
        self._write().put(job)
        await job.future

    async def partials(self, run_id: str) -> list[Partial]:
        rows = await self._reader.rows(SQL["partials"], (run_id,))
        return [
            Partial(run_id=r[0], step=r[1], attempt=r[2], call=r[3], text=r[4], reasoning=r[5]) for r in rows
        ]

    # --- upkeep --------------------------------------------------------------------------------

    async def rebuild(self) -> None:
        """Make all projections anew from the log."""
        await self._task(flush.rebuild)

    async def projection_hashes(self) -> dict[str, str]:
        """Projection → hash over its rows in order: the same before and after a rebuild."""
        return await self._task(flush.hashes)

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        await self._reader.close()
        if self._writer is not None:
            last = Task(lambda db: None, asyncio.get_running_loop(), stop=True)
            self._writer.put(last)
            await last.future
            self._writer.join()

    # --- help ----------------------------------------------------------------------------------

    def _write(self) -> Writer:
        if self._writer is None:
            raise StoreError(f"{self.path} was opened for reading only")
        if self._closed:
            raise StoreError("the store is closed")
        return self._writer

    async def _task(self, run: Callable[[sqlite3.Connection], T]) -> T:
        task = Task(run, asyncio.get_running_loop())
        self._write().put(task)
        result: T = await task.future
        return result

    async def _page(
        self, name: str, where: str, parameters: dict[str, Any], limit: int, cursor: str | None, *, start: int
    ) -> list[tuple[Any, ...]]:
        """One row more than the page holds, if there is one."""
        pages.check_limit(limit)
        after = pages.decode_cursor(cursor, start)
        sql = SQL[name].replace("{where}", where)
        return await self._reader.rows(sql, {**parameters, "cursor": after, "limit": limit + 1})
