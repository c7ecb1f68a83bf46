"""Upkeep of the database file: check, rebuild, backup, prune. Synchronous, for commands.

Rules
- What writes holds the lease, so no engine runs beside it; what only reads works beside any engine.
- The file is never opened but by SQLite: closing another handle would drop this process's locks on it.
- What pruned runs had cost stays (`pruned_costs`), and their seqs are never given again (`meta.seq_floor`).
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from aethermind import failpoints
from aethermind.domain.errors import BusyError, InvalidError, NotFoundError, StoreError
from aethermind.domain.events import DatabasePruned, Draft
from aethermind.domain.ids import SYSTEM
from aethermind.infra.stores import flush
from aethermind.infra.stores.database import connect, connect_reader, explain, transaction
from aethermind.infra.stores.inspection import Health, check
from aethermind.infra.stores.lease import Lease
from aethermind.infra.stores.sequencer import Sequencer, encode
from aethermind.infra.stores.snapshot import copy
from aethermind.infra.stores.statements import blocks

SQL = blocks("upkeep.sql")
NO_LINKS = frozenset({errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP})
"""What file systems say that know no hard links (those of memory sticks, say)."""


class Rebuilt(msgspec.Struct, frozen=True, kw_only=True):
    """One projection: the ordered hash (SHA-256) of its rows before and after."""

    table: str
    before: str
    after: str

    @property
    def changed(self) -> bool:
        return self.before != self.after


class Copied(msgspec.Struct, frozen=True, kw_only=True):
    """A backup. `last_seq`: the newest event or log record in it."""

    file: str
    bytes: int
    last_seq: int


class OldRun(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    workflow: str
    finished_at: int


class Pruned(msgspec.Struct, frozen=True, kw_only=True):
    """What is (or was) removed: finished runs that ended before `before` (epoch ms), and what is theirs."""

    before: int
    runs: list[OldRun]
    events: int
    logs: int
    calls: int
    unfinished: int
    """Runs as old that have not ended: they stay."""
    freed_bytes: int = 0
    note: str | None = None


class Upkeep:
    """Of one database file. Raises `NotFoundError` if there is none."""

    def __init__(self, database: Path) -> None:
        self.database = database

    def check(self) -> Health:
        """What is wrong with it, found on a copy; also beside a living engine."""
        return check(self.database)

    def rebuild(self) -> list[Rebuilt]:
        """Make every projection anew from the log. Raises `BusyError` if an engine runs, `StoreError`."""
        with self._owned() as db:
            before = flush.hashes(db)
            flush.rebuild(db)
            after = flush.hashes(db)
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return [Rebuilt(table=name, before=before[name], after=after[name]) for name in after]

    def backup(self, target: Path, *, force: bool = False) -> Copied:
        """A copy of one moment, in one file (mode 0600), also while an engine writes. Raises `InvalidError`
        if the target exists (unless `force`) or can't be written."""
        target = target.absolute()
        self._exists()
        self._check_target(target, force=force)
        try:
            handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)  # mode 0600
            os.close(handle)
        except OSError as error:
            raise InvalidError(f"{target}: {error.strerror or error}") from error
        draft = Path(name)
        try:
            last_seq = self._copy_to(draft)
            _put(draft, target, force=force)
        finally:
            draft.unlink(missing_ok=True)
        return Copied(file=str(target), bytes=target.stat().st_size, last_seq=last_seq)

    def preview(self, before: int) -> Pruned:
        """What `prune` would remove; removes nothing."""
        with self._owned() as db:
            return _chosen(db, before)

    def prune(self, before: int, *, by: str = "") -> Pruned:
        """Remove the finished runs that ended before `before` (epoch ms): their events, logs and calls. The
        sums of what they cost stay, and so does the audit log, which says that `by` did this; the other
        projections are as if those runs had never been."""
        with self._owned() as db:
            chosen = _chosen(db, before)
            if not chosen.runs:
                return chosen
            size = self._size()
            with transaction(db):
                for name in ("keep_costs", "drop_partials", "drop_events", "drop_logs", "drop_streams"):
                    db.execute(SQL[name])
                if failpoints.armed:
                    failpoints.reached("prune")
                flush.project(db)
                _record(db, chosen, by)
            note = _shrink(db)
            return msgspec.structs.replace(chosen, freed_bytes=max(0, size - self._size()), note=note)

    # --- help ----------------------------------------------------------------------------------

    def _exists(self) -> None:
        if not self.database.exists():
            raise NotFoundError(f"there is no database at {self.database}")

    @contextlib.contextmanager
    def _owned(self) -> Iterator[sqlite3.Connection]:
        """The connection that writes, with the lease held."""
        self._exists()
        path = self.database.absolute()
        try:
            lease = Lease.acquire(path.parent, f"{path.name}.lease")
        except BusyError as busy:
            raise BusyError(busy.message, hint="end it first") from None
        try:
            with contextlib.closing(connect(path, "power")) as db:
                try:
                    yield db
                except sqlite3.Error as error:
                    raise explain(error, path) from error
                except ValueError as error:  # an event that can't be read
                    raise StoreError(f"{path}: {error}") from error
        finally:
            lease.release()

    def _check_target(self, target: Path, *, force: bool) -> None:
        database = self.database.absolute()
        own = {database.with_name(database.name + end) for end in ("", "-wal", "-shm", ".lease")}
        if target in own or (target.exists() and database.samefile(target)):
            raise InvalidError(f"{target} belongs to the database itself")
        if target.is_dir():
            raise InvalidError(f"{target} is a directory", hint="name a file in it")
        if not target.parent.is_dir():
            raise InvalidError(f"there is no directory {target.parent}")
        if not force and os.path.lexists(target):
            raise InvalidError(f"{target} exists already", hint="--force replaces it")

    def _copy_to(self, draft: Path) -> int:
        """Copy and look at the copy; the newest seq in it."""
        try:
            with contextlib.closing(connect_reader(self.database)) as db:
                copy(db, draft)
            with contextlib.closing(sqlite3.connect(draft)) as db:
                db.execute("PRAGMA journal_mode = DELETE")  # one file, without a WAL beside it
                problems = [row[0] for row in db.execute("PRAGMA quick_check(1)")]
                if problems != ["ok"]:
                    raise StoreError(
                        f"{self.database} is damaged, so its copy is: {problems[0]}",
                        hint="aethermind db check",
                    )
                return flush.last_seq(db)
        except sqlite3.Error as error:
            raise explain(error, draft if "full" in str(error) else self.database) from error

    def _size(self) -> int:
        path = self.database
        return sum(p.stat().st_size for p in (path, path.with_name(f"{path.name}-wal")) if p.exists())


def _chosen(db: sqlite3.Connection, before: int) -> Pruned:
    """Put the runs to remove into the temporary table `gone`."""
    flush.refresh_projections(db)  # another version may have made the rows that are asked
    db.execute("DROP TABLE IF EXISTS temp.gone")
    db.execute(SQL["choose"], {"before": before})
    events, logs, calls = db.execute(SQL["chosen_counts"]).fetchone()
    return Pruned(
        before=before,
        runs=[OldRun(id=row[0], workflow=row[1], finished_at=row[2]) for row in db.execute(SQL["chosen"])],
        events=events,
        logs=logs,
        calls=calls,
        unfinished=db.execute(SQL["old_unfinished"], {"before": before}).fetchone()[0],
    )


def _record(db: sqlite3.Connection, done: Pruned, by: str) -> None:
    """What was removed, and by whom, in the same transaction."""
    event = DatabasePruned(before=done.before, runs=len(done.runs), events=done.events, by=by)
    draft = Draft(SYSTEM, time.time_ns() // 1_000_000, event)
    sequencer = Sequencer(flush.source(db), last_seq=flush.last_seq(db))
    sequencer.add([draft], [encode(draft)], {})
    for sql, parameters in flush.work(sequencer.take()):
        db.execute(sql, parameters)


def _shrink(db: sqlite3.Connection) -> str | None:
    """Give the space back to the disk; what keeps it from that, in words."""
    try:
        db.execute("VACUUM")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.OperationalError as error:
        return f"the space stays with the database, for later runs: {error}"
    return None


def _put(draft: Path, target: Path, *, force: bool) -> None:
    """Under its own name, all of it or nothing, and without ever replacing what appeared meanwhile."""
    try:
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        if force:
            draft.replace(target)
        else:
            _link(draft, target)
        directory = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except FileExistsError:
        raise InvalidError(f"{target} exists already", hint="--force replaces it") from None
    except OSError as error:
        raise InvalidError(f"{target}: {error.strerror or error}") from error


def _link(draft: Path, target: Path) -> None:
    """A second name for the draft, unless there is a file of that name: nothing can come in between."""
    try:
        target.hardlink_to(draft)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        if os.path.lexists(target):
            raise FileExistsError from error
        draft.replace(target)
