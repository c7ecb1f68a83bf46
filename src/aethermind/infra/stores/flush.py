"""Batches into tables: the writer's SQL, its look-ups, rebuild and hashes. One connection, one thread."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from aethermind import failpoints
from aethermind.domain.ids import run_id_of
from aethermind.infra.stores.chain import Head
from aethermind.infra.stores.database import transaction
from aethermind.infra.stores.hashing import hash_rows
from aethermind.infra.stores.projector import Changes, Projector
from aethermind.infra.stores.sequencer import Batch, Source
from aethermind.infra.stores.state import LedgerSum, Row, RunState, Stream
from aethermind.infra.stores.statements import ManyRows, blocks
from aethermind.wire import decode_event

SQL = blocks("write.sql")
STREAMS = ManyRows(SQL["insert_streams"], 2)
EVENTS = ManyRows(SQL["insert_events"], 7)
LOGS = ManyRows(SQL["insert_logs"], 9)
RUNS = ManyRows(SQL["put_runs"], 23)
ATTEMPTS = ManyRows(SQL["put_attempts"], 10)
SUCCEEDED = ManyRows(SQL["end_attempts"], 1)
CALLS = ManyRows(SQL["put_calls"], 22)
COSTS = ManyRows(SQL["add_costs"], 18)
LEDGER = ManyRows(SQL["add_ledger"], 6)
AGENTS = ManyRows(SQL["add_agents"], 8)
ANSWERS = ManyRows(SQL["put_answers"], 2)
AUDIT = ManyRows(SQL["insert_audit"], 10)

PROJECTIONS = {
    "runs": "seq",
    "attempts": "seq",
    "calls": "seq",
    "costs": "day, model, agent, workflow, simulated",
    "ledger": "scope, day",
    "agents": "name",
    "answers": "content_key",
    "workflows": "name",
    "trust": "path, sha256",
    "tokens": "id",
}
"""Table → its order. All of it follows from `events`."""

PROJECTION = 7
"""Raised when the projector makes other rows from the same events: then they are rebuilt at opening."""

FEW = 8
"""Up to so many attempts of a batch go into one statement: a second would cost more than it saves."""

Work = list[tuple[str, Sequence[object]]]


def work(batch: Batch) -> Work:
    """The statements of a batch, with their parameters."""
    todo: Work = []
    if batch.streams:
        todo += STREAMS.chunks(batch.streams)
    if batch.events:
        todo += EVENTS.chunks(batch.events)
        if len(batch.changes.attempts) > FEW:
            todo += _successes(batch.changes.attempts, batch.events[0][0])
    if batch.logs:
        todo += LOGS.chunks(batch.logs)
    if batch.audit:
        todo += AUDIT.chunks(batch.audit)
    todo += projections(batch.changes)
    return todo


def _successes(attempts: dict[int, Row], first: int) -> Work:
    """Take out the attempts from before seq `first` that just succeeded: nearly all that end do. Only two of
    their columns change, to the same for all of a millisecond, which costs a third of writing whole rows."""
    by_time: dict[int, list[Row]] = {}
    for seq, row in attempts.items():
        if seq < first and row[6] == "succeeded":
            by_time.setdefault(row[8], []).append((seq,))
    todo: Work = []
    for at, seqs in by_time.items():
        for (seq,) in seqs:
            del attempts[seq]
        todo += [(sql, [at, *flat]) for sql, flat in SUCCEEDED.chunks(seqs)]
    return todo


def projections(changes: Changes) -> Work:
    todo: Work = []
    if changes.attempts:
        todo += ATTEMPTS.chunks(list(changes.attempts.values()))
    if changes.runs:
        todo += RUNS.chunks([run.row() for run in changes.runs.values()])
    if changes.calls:
        todo += CALLS.chunks(list(changes.calls.values()))
    if changes.costs:
        todo += COSTS.chunks([(*key, *sums) for key, sums in changes.costs.items()])
    if changes.ledger:
        todo += LEDGER.chunks([(*key, *sums) for key, sums in changes.ledger.items()])
    if changes.agents:
        todo += AGENTS.chunks([(name, *sums) for name, sums in changes.agents.items()])
    if changes.answers:
        todo += ANSWERS.chunks(list(changes.answers.items()))
    if changes.ops:
        todo += [(SQL[name], parameters) for name, parameters in changes.ops]
    return todo


def source(db: sqlite3.Connection) -> Source:
    def stream(name: str) -> tuple[int, int] | None:
        found: tuple[int, int] | None = db.execute(SQL["stream"], (name,)).fetchone()
        return found

    def log_count(stream: Stream) -> int:
        count: int = db.execute(SQL["log_count"], (stream.id,)).fetchone()[0]
        return count

    def run(stream: Stream) -> RunState | None:
        run_id = run_id_of(stream.name)
        row: Row | None = None if run_id is None else db.execute(SQL["run"], (run_id,)).fetchone()
        if row is None:
            return None
        attempts = db.execute(SQL["running_attempts"], (row[0],)).fetchall()
        calls = db.execute(SQL["open_calls"], (row[0],)).fetchall()
        return RunState.restore(row, attempts, calls)

    def ledger(scope: str, day: int) -> LedgerSum | None:
        row = db.execute(SQL["ledger"], (scope, day)).fetchone()
        return None if row is None else LedgerSum(*row)

    def head() -> Head:
        row = db.execute(SQL["audit_head"]).fetchone()
        return Head() if row is None else Head(*row)

    return Source(stream=stream, log_count=log_count, run=run, ledger=ledger, head=head)


def last_seq(db: sqlite3.Connection) -> int:
    seq: int = db.execute(SQL["last_seq"]).fetchone()[0]
    return seq


def rebuild(db: sqlite3.Connection, *, page: int = 2_000) -> None:
    """Make all projections anew from the log, in one transaction."""
    with transaction(db):
        project(db, page=page)


def project(db: sqlite3.Connection, *, page: int = 2_000) -> None:
    """The same in a transaction of the caller's. Raises `ValueError` naming an event that can't be read."""
    for table in PROJECTIONS:
        db.execute(f"DELETE FROM {table}")  # noqa: S608  # a constant name
    db.execute(SQL["costs_of_pruned"])
    db.execute(SQL["ledger_of_pruned"])
    projector = Projector(source(db).run)
    after = 0
    streams: dict[int, Stream] = {}
    while rows := db.execute(SQL["history"], (after, page)).fetchall():
        for seq, id_, name, at, type_, v, data in rows:
            stream = streams.get(id_)
            if stream is None:
                stream = streams[id_] = Stream(name, id_)
                stream.known = True  # nothing of it has been projected yet
            try:
                event = decode_event(type_, v, data)
            except ValueError as error:
                raise ValueError(f"event {seq} of {name} can't be read: {error}") from error
            projector.fold(stream, seq, at, event)
        after = rows[-1][0]
        if failpoints.armed:
            failpoints.reached("rebuild")
        changes = projector.take()
        # What was streaming is no projection: only calls that are over lose theirs.
        for sql, parameters in projections(changes):
            db.execute(sql, parameters)
    db.execute("UPDATE meta SET value = ? WHERE key = 'projection'", (PROJECTION,))


def refresh_projections(db: sqlite3.Connection) -> None:
    """Rebuild if another version of the projector made them."""
    if db.execute("SELECT value FROM meta WHERE key = 'projection'").fetchone()[0] == PROJECTION:
        return
    if last_seq(db):
        rebuild(db)
    else:
        db.execute("UPDATE meta SET value = ? WHERE key = 'projection'", (PROJECTION,))


def hashes(db: sqlite3.Connection) -> dict[str, str]:
    """Table → hash over its rows in order; equal before and after a rebuild, and in every store."""
    found = {}
    for table, order in PROJECTIONS.items():
        rows = db.execute(f"SELECT * FROM {table} ORDER BY {order}")  # noqa: S608  # constant names
        found[table] = hash_rows(rows)
    return found
