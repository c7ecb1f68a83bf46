"""The event store in memory: the same numbering and the same projector, rows in dicts.

For tests and for `db=":memory:"`. Nothing is awaited inside, so an append is done when it returns, in
the order of the calls; a lock makes it safe from more than one event loop. What is read was encoded and
decoded as on disk: nobody shares objects with the one who wrote.
"""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from aethermind.domain.errors import InvalidError, StoreError
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
from aethermind.infra.stores import pages
from aethermind.infra.stores.access_in_memory import AccessInMemory
from aethermind.infra.stores.chain import Head
from aethermind.infra.stores.hashing import hash_rows
from aethermind.infra.stores.projector import Projector
from aethermind.infra.stores.reader import decode
from aethermind.infra.stores.sequencer import LEVEL_NUMBER, LOGS_PER_RUN, Sequencer, Source, encode
from aethermind.infra.stores.state import LedgerSum, Row, Stream
from aethermind.infra.stores.tables import Tables
from aethermind.infra.stores.waits import is_within

T = TypeVar("T")


class InMemoryStore(AccessInMemory):
    """A real `EventStore` without a file. `logs_per_run` caps the log records kept of each run."""

    def __init__(self, *, logs_per_run: int = LOGS_PER_RUN) -> None:
        self._lock = threading.Lock()
        self._all: list[Row] = []
        """Events and logs by seq, as rows of the query `all`."""
        self._streams: dict[str, list[Row]] = {}
        """Stream → its events and logs, the same rows."""
        self._events: dict[str, list[Row]] = {}
        """Stream → its events."""
        self._logs: list[Row] = []
        self._names: dict[int, str] = {}
        self._ids: dict[str, int] = {}
        self._tables = Tables()
        self._audit: list[Row] = []
        self._sequencer = Sequencer(self._source(), last_seq=0, logs_per_run=logs_per_run)
        self._closed = False

    # --- the log -------------------------------------------------------------------------------

    async def append(self, drafts: Sequence[Draft], expected: Mapping[str, int]) -> list[Recorded]:
        data = [encode(draft) for draft in drafts]
        with self._lock:
            self._open()
            recorded = self._sequencer.add(drafts, data, expected)
            batch = self._sequencer.take()
            for id_, name in batch.streams:
                self._names[id_] = name
                self._ids[name] = id_
            events = [(e[0], self._names[e[1]], *e[2:], *_NO_LOG) for e in batch.events]
            logs = [(log[0], self._names[log[1]], *log[2:]) for log in batch.logs]
            for row in events:
                self._events.setdefault(row[1], []).append(row)
            rows = events + [(log[0], log[1], 0, log[2], None, None, None, *log[3:]) for log in logs]
            rows.sort(key=_seq)
            for row in rows:
                self._streams.setdefault(row[1], []).append(row)
            self._all += rows
            self._logs += logs
            self._tables.apply(batch.changes)
            self._audit += batch.audit
            return recorded

    async def read_stream(self, stream: str, after_version: int = 0) -> list[Recorded]:
        self._open()
        return [decode(row) for row in self._events.get(stream, ())[max(0, after_version) :]]

    async def read_all(
        self, after_seq: int, *, limit: int = 1000, stream: str | None = None
    ) -> list[Recorded]:
        self._open()
        rows = self._all if stream is None else self._streams.get(stream, [])
        start = bisect_right(rows, after_seq, key=_seq)
        return [decode(row) for row in rows[start : start + limit]]

    async def last_seq(self) -> int:
        return self._sequencer.last_seq

    # --- projections ---------------------------------------------------------------------------

    async def runs(self, where: RunFilter, *, limit: int = 50, cursor: str | None = None) -> Page[RunRow]:
        def fits(row: Row) -> bool:
            return (
                (where.status is None or row[3] == where.status)
                and (where.workflow is None or row[2] == where.workflow)
                and (where.id_prefix is None or row[1].startswith(where.id_prefix))
                and not (where.unfinished and row[7] is not None)
                and (not text or text in pages.ascii_lower(f"{row[1]} {row[2]} {row[3]}"))
            )

        text = pages.ascii_lower(where.text or "")
        rows = (row for row in reversed(self._tables.runs.values()) if fits(row))
        return self._page(
            rows, pages.run_row, limit, pages.decode_cursor(cursor, pages.LAST), newest_first=True
        )

    async def attempts(
        self, where: AttemptFilter, *, limit: int = 100, cursor: str | None = None
    ) -> Page[AttemptRow]:
        runs = self._tables.runs
        # As on disk: what runs anywhere is looked for in runs that have not ended.
        searching = where == AttemptFilter(status="running")

        def fits(row: Row) -> bool:
            return (
                (where.run_id is None or runs[row[1]][1] == where.run_id)
                and (where.agent is None or row[5] == where.agent)
                and (where.status is None or row[6] == where.status)
                and not (searching and runs[row[1]][7] is not None)
            )

        def shape(row: Row) -> AttemptRow:
            return pages.attempt_row(row, runs[row[1]][1])

        rows = (row for row in reversed(self._tables.attempts.values()) if fits(row))
        return self._page(rows, shape, limit, pages.decode_cursor(cursor, pages.LAST), newest_first=True)

    async def calls(self, run_id: str, *, limit: int = 1000, cursor: str | None = None) -> Page[CallRow]:
        runs = self._tables.runs

        def shape(row: Row) -> CallRow:
            run = runs[row[1]]
            return pages.call_row(row, run[1], run[2])

        rows = (row for row in self._tables.calls.values() if runs[row[1]][1] == run_id)
        return self._page(rows, shape, limit, pages.decode_cursor(cursor, 0))

    async def logs(self, where: LogFilter, *, limit: int = 200, cursor: str | None = None) -> Page[LogRow]:
        stream = None if where.run_id is None else f"run/{where.run_id}"
        level = LEVEL_NUMBER[where.min_level]
        text = pages.ascii_lower(where.text or "")

        def fits(row: Row) -> bool:
            return (
                (stream is None or row[1] == stream)
                and row[3] >= level
                and (where.step is None or (row[5] is not None and is_within(row[5], where.step)))
                and (where.agent is None or row[7] == where.agent)
                and text in pages.ascii_lower(row[4])
            )

        rows = (row for row in self._logs if fits(row))
        return self._page(rows, pages.log_row, limit, pages.decode_cursor(cursor, where.after_seq))

    async def costs(self, where: CostFilter) -> list[CostRow]:
        self._open()
        return pages.cost_rows(where, self._tables.sums(where))

    async def ledger(self, scope: str, day: int) -> LedgerRow:
        self._open()
        return LedgerRow(scope, day, *(self._ledger(scope, day) or ()))

    async def answer(self, content_key: str) -> Recorded | None:
        return self._event(self._tables.answers.get(content_key))

    async def save_partials(self, partials: Sequence[Partial]) -> None:
        with self._lock:
            self._open()
            for partial in partials:
                self._sequencer.save_partial(partial)
            self._tables.apply(self._sequencer.take().changes)

    async def partials(self, run_id: str) -> list[Partial]:
        self._open()
        return [
            Partial(run_id=r[0], step=r[1], attempt=r[2], call=r[3], text=r[4], reasoning=r[5])
            for key, r in sorted(self._tables.partials.items())
            if key[0] == run_id
        ]

    # --- upkeep --------------------------------------------------------------------------------

    async def rebuild(self) -> None:
        """Make all projections anew from the log."""
        with self._lock:
            self._open()
            self._tables.clear()
            projector = Projector(self._tables.run_state)
            for row in self._all:
                if row[4] is not None:
                    recorded = decode(row)
                    stream = Stream(recorded.stream, self._ids[recorded.stream])
                    projector.fold(stream, recorded.seq, recorded.at, recorded.event)
                    self._tables.apply(projector.take())
            self._sequencer.forget(self._sequencer.last_seq)

    async def projection_hashes(self) -> dict[str, str]:
        """Projection → hash over its rows in order: the same before and after a rebuild."""
        self._open()
        return {table: hash_rows(rows) for table, rows in self._tables.in_order().items()}

    async def close(self) -> None:
        self._closed = True

    # --- help ----------------------------------------------------------------------------------

    def _open(self) -> None:
        if self._closed:
            raise StoreError("the store is closed")

    def _event(self, seq: int | None) -> Recorded | None:
        self._open()
        return None if seq is None else decode(self._all[bisect_left(self._all, seq, key=_seq)])

    def _ledger(self, scope: str, day: int) -> LedgerSum | None:
        return self._tables.ledger.get((scope, day))

    def _source(self) -> Source:
        def stream(name: str) -> tuple[int, int] | None:
            id_ = self._ids.get(name)
            return None if id_ is None else (id_, len(self._events.get(name, ())))

        def log_count(stream: Stream) -> int:
            return len(self._streams.get(stream.name, ())) - len(self._events.get(stream.name, ()))

        def head() -> Head:
            return Head(self._audit[-1][0], self._audit[-1][-1]) if self._audit else Head()

        run = self._tables.run_state
        return Source(stream=stream, log_count=log_count, run=run, ledger=self._ledger, head=head)

    def _page(
        self,
        rows: Iterable[Row],
        shape: Callable[[Row], T],
        limit: int,
        after: int,
        *,
        newest_first: bool = False,
    ) -> Page[T]:
        self._open()
        if limit < 1:
            raise InvalidError(f"a page of {limit} rows can't be had")
        found: list[Row] = []
        for row in rows:
            if (row[0] < after) if newest_first else (row[0] > after):
                found.append(row)
                if len(found) > limit:
                    break
        return pages.page([shape(row) for row in found], [row[0] for row in found], limit)


_NO_LOG = (None,) * 6


def _seq(row: Row) -> int:
    seq: int = row[0]
    return seq
