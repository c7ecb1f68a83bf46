"""Is the database sound? Every check works on a private copy of one moment, so that an engine can go on.

files        modes, size of the WAL
pages        `PRAGMA integrity_check`
references   foreign keys, rows whose run or stream is missing
streams      versions 1, 2, 3, … in the order of their seqs; a seq given once
audit        the chain of the audit log, and a row for every act that is recorded
projections  rebuilt from the log they have the same ordered hash
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from aethermind.domain.errors import AethermindError, NotFoundError
from aethermind.infra.stores import flush
from aethermind.infra.stores.access_on_disk import verify_in
from aethermind.infra.stores.database import connect_reader, explain, migrate
from aethermind.infra.stores.lease import Lease
from aethermind.infra.stores.snapshot import copy
from aethermind.infra.stores.statements import blocks

SQL = blocks("upkeep.sql")
SHOWN = 10
"""Most problems of one kind."""
WAL_LIMIT = 256 << 20
"""Bytes: whatever an engine does, it keeps the WAL well below that (see `writer.WAL_BOUND`)."""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong, and how to repair it."""

    check: str
    problem: str
    repair: str | None = None


class Health(msgspec.Struct, frozen=True, kw_only=True):
    problems: list[Problem]
    facts: dict[str, Any]
    """`database bytes wal_bytes engine`, and, where it can be read, `runs events logs last_seq`."""


def check(database: Path) -> Health:
    """Raises `NotFoundError` if there is no such file; whatever is wrong with it is in the answer."""
    database = database.absolute()
    if not database.exists():
        raise NotFoundError(f"there is no database at {database}")
    wal = database.with_name(f"{database.name}-wal")
    facts: dict[str, Any] = {
        "database": str(database),
        "bytes": database.stat().st_size,
        "wal_bytes": wal.stat().st_size if wal.exists() else 0,
        "engine": Lease.owner(database.parent, f"{database.name}.lease"),
    }
    problems = list(_files(database, facts["wal_bytes"]))
    try:
        with _copied(database) as db:
            problems += _inside(db, facts)
    except AethermindError as error:
        problems.append(Problem(check="database", problem=error.message, repair=error.hint))
    except (sqlite3.Error, OSError) as error:
        found = explain(error, database)
        problems.append(Problem(check="database", problem=found.message, repair=found.hint))
    return Health(problems=problems, facts=facts)


def _files(database: Path, wal_bytes: int) -> Iterator[Problem]:
    beside = [database.with_name(database.name + end) for end in ("", "-wal", "-shm", ".lease")]
    for path in (database.parent, *beside):
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
        except FileNotFoundError:
            continue
        if mode & 0o077:
            right = "700" if path == database.parent else "600"
            yield Problem(
                check="files",
                problem=f"others may read {path} (mode {mode:04o})",
                repair=f"chmod {right} {path}",
            )
    if wal_bytes > WAL_LIMIT:
        yield Problem(
            check="files",
            problem=f"the write-ahead log holds {wal_bytes >> 20} MiB: some program reads without an end",
            repair="end whatever else has the database open; the next run then empties it",
        )


@contextlib.contextmanager
def _copied(database: Path) -> Iterator[sqlite3.Connection]:
    """A copy that is thrown away. It lies beside the database, where the user's data may lie."""
    home = database.parent
    place = home if os.access(home, os.W_OK | os.X_OK) else None
    with tempfile.TemporaryDirectory(prefix=".check-", dir=place) as directory:
        path = Path(directory) / database.name
        with contextlib.closing(connect_reader(database)) as source:
            copy(source, path)
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
            db.execute("PRAGMA journal_mode = DELETE")
            db.execute("PRAGMA synchronous = OFF")
            db.execute("PRAGMA trusted_schema = OFF")
            yield db


def _inside(db: sqlite3.Connection, facts: dict[str, Any]) -> Iterator[Problem]:
    damaged = [row[0] for row in db.execute(f"PRAGMA integrity_check({SHOWN})")]
    if damaged != ["ok"]:
        for line in damaged:
            yield Problem(check="pages", problem=line, repair="restore a backup")
        return
    migrate(db)  # of the copy: an older schema is no problem, the next engine brings it up to date
    facts["runs"], facts["events"], facts["logs"] = db.execute(SQL["counts"]).fetchone()
    facts["last_seq"] = flush.last_seq(db)
    yield from _references(db)
    yield from _streams(db)
    yield from _audit(db)
    yield from _projections(db)


def _references(db: sqlite3.Connection) -> Iterator[Problem]:
    for table, row, parent, _ in db.execute("PRAGMA foreign_key_check").fetchmany(SHOWN):
        yield Problem(
            check="references", problem=f"row {row} of {table} refers to a row of {parent} that is gone"
        )
    for name, what, truth in (
        ("nameless_events", "event {} belongs to no stream", True),
        ("nameless_logs", "log record {} belongs to no stream", True),
        ("homeless_attempts", "attempt {} belongs to no run", False),
        ("homeless_calls", "call {} belongs to no run", False),
    ):
        for (seq,) in db.execute(SQL[name], {"limit": SHOWN}):
            repair = "restore a backup" if truth else "aethermind db rebuild"
            yield Problem(check="references", problem=what.format(seq), repair=repair)


def _streams(db: sqlite3.Connection) -> Iterator[Problem]:
    limit = {"limit": SHOWN}
    for name, count, first, last in db.execute(SQL["gaps"], limit):
        yield Problem(
            check="streams",
            problem=f"{name} has {count} events with versions from {first} to {last}: some are missing",
            repair="restore a backup",
        )
    for name, version in db.execute(SQL["disorder"], limit):
        yield Problem(
            check="streams",
            problem=f"{name}: version {version} was recorded before the version it follows",
            repair="restore a backup",
        )
    for (seq,) in db.execute(SQL["doubles"], limit):
        yield Problem(check="streams", problem=f"seq {seq} was given twice", repair="restore a backup")


def _audit(db: sqlite3.Connection) -> Iterator[Problem]:
    found = verify_in(db)
    if not found.ok:
        problem = f"row {found.first_bad} of the audit log: {found.problem}"
        yield Problem(check="audit", problem=problem, repair="restore a backup")


def _projections(db: sqlite3.Connection) -> Iterator[Problem]:
    other = db.execute("SELECT value FROM meta WHERE key = 'projection'").fetchone()[0] != flush.PROJECTION
    before = flush.hashes(db)
    try:
        flush.rebuild(db)
    except ValueError as error:
        yield Problem(check="projections", problem=str(error), repair="restore a backup")
        return
    if other:  # made by another version of the program: the next engine makes them anew
        return
    after = flush.hashes(db)
    for table, hashed in before.items():
        if hashed != after[table]:
            yield Problem(
                check="projections",
                problem=f"table {table} is not what the log says ({hashed[:12]}, not {after[table][:12]})",
                repair="aethermind db rebuild",
            )
