"""The writer: one thread that owns the one connection that writes, and commits in groups.

Rules
- Takes one job, then all that wait (up to `MOST`): no timer, batches come from the time of a commit.
- A batch is one transaction and one wake-up of each event loop that asked for something in it.
- If a batch fails it is replayed with a savepoint for each append, so that one bad append fails alone.
- After an error of COMMIT nothing is believed: the database is opened anew and read, and each append is
  answered by what is there (`verdict`).
- A full disk and a foreign lock are nobody's fault: the batch is tried again, with the room of the ballast
  or once the lock is gone, and whoever watches is told (`distress`).
- Each opening raises the epoch. Who finds a higher one than his own, at a commit, never writes again.
- Checkpoints are run here, when idle or when the WAL has grown past a bound (`backlog`). The WAL is then
  used again from its start; growing it beforehand cost 20 ms at opening and gained nothing measurable.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from aethermind import failpoints
from aethermind.domain.errors import AethermindError, ConflictError, StoreError
from aethermind.infra.stores import database, flush, verdict
from aethermind.infra.stores.backlog import Backlog
from aethermind.infra.stores.ballast import Ballast
from aethermind.infra.stores.database import explain
from aethermind.infra.stores.distress import Distress
from aethermind.infra.stores.jobs import Append, Job, Task, answer, answer_all
from aethermind.infra.stores.sequencer import Sequencer

MOST = 4096
IDLE_S = 1.0
"""This long without work, and what is in the WAL goes into the database file."""
WAL_BOUND = 32 * 1024 * 1024
"""Bytes (estimated) that may be in the WAL before a checkpoint does not wait for idleness (`backlog`)."""
PAUSE_S = 0.1
"""Between two tries for a foreign lock, besides what SQLite waits itself."""


class Writer:
    def __init__(
        self,
        path: Path,
        connect: Callable[[], sqlite3.Connection],
        *,
        logs_per_run: int,
        ballast: Ballast | None = None,
    ) -> None:
        self._path = path
        self._connect = connect
        self._logs_per_run = logs_per_run
        self._queue: SimpleQueue[Job | Task] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="aethermind-writer", daemon=True)
        self._db: sqlite3.Connection | None = None
        self._sequencer: Sequencer
        self._dead = False
        self._closing = threading.Event()
        self._hand: list[Job] = []
        """What is being committed."""
        self._epoch = 0
        self._lost: ConflictError | None = None
        """Another one owns the database now."""
        self._seen = 0
        """SQLite's count of what other connections wrote."""
        self.distress = Distress(path, ballast)
        self._backlog = Backlog(self.distress)
        self.committed = 0
        """The last seq that is durable."""

    def start(self) -> Task:
        """Open the database on the thread; the task's future tells when and how that ended."""
        opening = Task(lambda _: None, asyncio.get_running_loop())
        self._queue.put(opening)
        self._thread.start()
        return opening

    def put(self, job: Job | Task) -> None:
        if self._dead:
            raise StoreError("the writer stopped")
        if isinstance(job, Task) and job.stop:
            self._closing.set()  # nobody waits for room or a lock any more
        self._queue.put(job)
        if failpoints.armed and isinstance(job, Append):
            failpoints.reached("append.after")

    def join(self) -> None:
        self._thread.join()

    # --- the thread ----------------------------------------------------------------------------

    def _work(self) -> None:
        opening = self._queue.get()
        assert isinstance(opening, Task)
        try:
            self._open()
        except AethermindError as error:
            answer(opening.loop, [(opening.future, error)])
            return
        self.distress.prepare()
        answer(opening.loop, [(opening.future, None)])
        try:
            self._serve()
        except Exception as error:  # a defect of ours must not leave anybody waiting
            self._dead = True
            why = f"the writer stopped: {error!r}"
            for job in self._hand:
                answer(job.loop, [(job.future, StoreError(why))])
            self._refuse_queued(why)
            raise

    def _serve(self) -> None:
        while True:
            job = self._next()
            batch = self._hand = []
            while not isinstance(job, Task):
                batch.append(job)
                if len(batch) >= MOST or not self._queue.qsize():
                    break
                job = self._queue.get()
            if batch:
                while not self._commit(batch):
                    pass
                self._hand = []
                self.distress.look()
            if isinstance(job, Task) and not self._do(job):
                return
            if self._backlog.is_over(WAL_BOUND):
                self._checkpoint()

    def _next(self) -> Job | Task:
        while True:
            idle = None if self._backlog.rested else IDLE_S
            try:
                return self._queue.get(timeout=self.distress.patience(idle))
            except Empty:
                if not self._backlog.rested:
                    self._checkpoint(idle=True)
                    self._backlog.rested = True
                self.distress.look()

    def _do(self, task: Task) -> bool:
        """Run a task; False if it was the last thing to do."""
        result: Any
        try:
            db = self._database()
            self._check_epoch(db)
            result = task.run(db)
        except sqlite3.Error as error:
            result = explain(error, self._path)
        except Exception as error:  # noqa: BLE001  # whoever asked gets it
            result = error
        if task.stop:
            self._close()
            self._refuse_queued("the store is closed")  # put while it was being closed
            result = None  # it is closed, whatever could still be done
        elif self._db is not None:
            self._sequencer.forget(flush.last_seq(self._db))
        answer(task.loop, [(task.future, result)])
        return not task.stop

    def _refuse_queued(self, why: str) -> None:
        while self._queue.qsize():
            late = self._queue.get()
            answer(late.loop, [(late.future, StoreError(why))])

    # --- commits -------------------------------------------------------------------------------

    def _commit(self, batch: list[Job]) -> bool:
        """Write a batch and answer it; False if it is worth another try."""
        answers: list[Any] = []
        try:
            self._database()
        except AethermindError as error:  # it can't be opened now: the next batch tries again
            self._refuse(batch, error)
            return True
        try:
            answers += [self._gather(job) for job in batch]
            work = flush.work(self._sequencer.take())
            if work:
                execute = self._execute
                execute("BEGIN IMMEDIATE")
                if execute("PRAGMA data_version").fetchone()[0] != self._seen:
                    return self._replay(batch)
                for sql, parameters in work:
                    execute(sql, parameters)
                if failpoints.armed:
                    failpoints.reached("commit.before")
                execute("COMMIT")
        except sqlite3.OperationalError as error:  # disk, lock: no append's own fault
            return self._broken(batch, answers, error)
        except Exception:  # noqa: BLE001  # whatever it is, the replay finds out whose it is
            return self._replay(batch)
        self._finish(batch, answers)
        return True

    def _gather(self, job: Job) -> Any:
        """Number and fold one job; its answer, if the batch commits."""
        if isinstance(job, Append):
            self._backlog.wrote(sum(map(len, job.data)))
            try:
                return self._sequencer.add(job.drafts, job.data, job.expected)
            except ConflictError as error:
                return error
        for partial in job.partials:
            self._sequencer.save_partial(partial)
        return None

    def _replay(self, batch: list[Job]) -> bool:
        """The batch again, each append in a savepoint of its own, nothing believed without looking."""
        answers: list[Any] = []
        try:
            db = self._database()
            if db.in_transaction:
                db.execute("ROLLBACK")
            db.execute("BEGIN IMMEDIATE")
            self._check_epoch(db)
            self._sequencer.forget(flush.last_seq(db))
            self._sequencer.trusting = False
            for job in batch:
                answers.append(self._attempt(db, job))  # noqa: PERF401  # those before a failure count
            db.execute("COMMIT")
        except (sqlite3.Error, AethermindError) as error:
            return self._broken(batch, answers, error)
        finally:
            if self._db is not None:
                self._sequencer.trusting = True
        self._finish(batch, answers)
        return True

    def _attempt(self, db: sqlite3.Connection, job: Job) -> Any:
        db.execute("SAVEPOINT one")
        try:
            result = self._gather(job)
            for sql, parameters in flush.work(self._sequencer.take()):
                db.execute(sql, parameters)
        except sqlite3.OperationalError:
            raise
        except Exception as error:  # noqa: BLE001  # this append is the bad one; the others go on
            db.execute("ROLLBACK TO one")
            self._sequencer.forget(flush.last_seq(db))
            result = error if isinstance(error, AethermindError) else explain(error, self._path)
        db.execute("RELEASE one")
        return result

    def _finish(self, batch: list[Job], answers: list[Any]) -> None:
        if failpoints.armed:
            failpoints.reached("commit.after")
        self.committed = self._sequencer.last_seq
        self._backlog.committed()
        answer_all(batch, answers)
        self.distress.unlocked()

    # --- failures ------------------------------------------------------------------------------

    def _broken(self, batch: list[Job], answers: list[Any], error: Exception) -> bool:
        """A transaction failed, no append's own fault; False if the batch is worth another try."""
        if self._lost is None and self._roll_back():
            if _is_locked(error) and not self._closing.is_set():
                self.distress.locked()
                self._closing.wait(PAUSE_S)
                return False
            if _is_full(error):
                if self.distress.full(any(isinstance(job, Append) for job in batch)):
                    return False
                self._refuse(batch, explain(error, self._path))
                return True
        self._give_up(batch, answers, error)
        return True

    def _refuse(self, batch: list[Job], error: AethermindError) -> None:
        """Nothing of the batch is recorded. Each is told with an error, and a traceback, of its own."""
        answer_all(batch, [_copy(error) for _ in batch])

    def _roll_back(self) -> bool:
        """Whether the connection is whole, nothing of the batch stands, and nothing of it is remembered."""
        if self._db is None:
            return False
        try:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            self._sequencer.forget(flush.last_seq(self._db))
        except sqlite3.Error:
            return False
        return True

    def _give_up(self, batch: list[Job], answers: list[Any], error: Exception) -> None:
        """Nothing that was said about this batch can be believed. Open anew, read, answer what is true."""
        self._close()
        failure = error if isinstance(error, AethermindError) else explain(error, self._path)
        there = [False] * len(batch)
        try:
            db = self._database()
            found = verdict.recorded(db, answers)
            if any(found):
                verdict.harden(db)
            there[: len(found)] = found
        except (AethermindError, sqlite3.Error):  # the next batch tries again, and says so
            self._close()
            if answers and self._lost is None:
                failure = StoreError(
                    f"{failure.message}; whether this was recorded shows when it can be read again",
                    hint=failure.hint,
                )
        failure = self._lost or failure
        answer_all(batch, [answers[n] if yes else _copy(failure) for n, yes in enumerate(there)])

    # --- the connection ------------------------------------------------------------------------

    def _database(self) -> sqlite3.Connection:
        if self._lost is not None:
            raise self._lost
        if self._db is None:
            self._open()
        assert self._db is not None
        return self._db

    def _open(self) -> None:
        db = self._connect()
        try:
            if self._epoch:
                self._check_owner(database.epoch_of(db))
            else:
                self._epoch = database.claim(db)
            flush.refresh_projections(db)
            last = flush.last_seq(db)
            self._seen = db.execute("PRAGMA data_version").fetchone()[0]
        except (sqlite3.Error, AethermindError) as error:
            db.close()
            raise error if isinstance(error, AethermindError) else explain(error, self._path) from error
        self._sequencer = Sequencer(flush.source(db), last_seq=last, logs_per_run=self._logs_per_run)
        self._db = db
        self._execute = db.cursor().execute  # one cursor for all, instead of a new one for each statement
        self._backlog.opened()
        self.committed = last

    def _check_epoch(self, db: sqlite3.Connection) -> None:
        """Whether this is still our database; looked up only if another connection wrote to it."""
        seen = db.execute("PRAGMA data_version").fetchone()[0]
        if seen != self._seen:
            self._check_owner(database.epoch_of(db))
            self._seen = seen

    def _check_owner(self, epoch: int) -> None:
        if epoch != self._epoch:
            self._lost = ConflictError(f"another engine owns {self._path} now: nothing more is written here")
            raise self._lost

    def _close(self) -> None:
        if self._db is not None:
            with contextlib.suppress(sqlite3.Error):
                self._db.close()
            self._db = None

    def _checkpoint(self, *, idle: bool = False) -> None:
        """Move what is in the WAL into the database. The WAL is used again from its start, not cut."""
        if self._db is None:
            return
        try:
            self._backlog.move(self._db, WAL_BOUND, idle=idle)
        except sqlite3.Error as error:
            # Nothing is lost by not moving it. But a connection whose sync failed is not trusted again.
            if not (_is_full(error) or _is_locked(error)):
                self._close()


def _copy(error: AethermindError) -> AethermindError:
    return type(error)(error.message, hint=error.hint)


def _is_locked(error: Exception) -> bool:
    return isinstance(error, sqlite3.OperationalError) and "locked" in str(error)


def _is_full(error: Exception) -> bool:
    return isinstance(error, sqlite3.OperationalError) and "full" in str(error)
