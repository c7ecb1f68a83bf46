"""The writer: one thread that owns the one connection that writes, and commits in groups.

Rules
- Takes one job, then all that wait (up to `MOST`): no timer, batches come from the time of a commit.
- A batch is one transaction and one wake-up of each event loop that asked for something in it.
- If a batch fails it is replayed with a savepoint for each append, so that one bad append fails alone.
- After an error of COMMIT nothing is believed: all of the batch fails, the database is opened anew and
  what was remembered is read again.
- Checkpoints are passive, run here, when idle or when the WAL has grown past a bound. The WAL is then
  used again from its start; growing it beforehand cost 20 ms at opening and gained nothing measurable.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from aethermind import failpoints
from aethermind.domain.errors import AethermindError, ConflictError, StoreError
from aethermind.domain.events import Draft
from aethermind.engine.queries import Partial
from aethermind.engine.receipt import Receipt
from aethermind.infra.stores import flush
from aethermind.infra.stores.database import explain
from aethermind.infra.stores.sequencer import Sequencer

MOST = 4096
IDLE_S = 1.0
"""This long without work, and what is in the WAL goes into the database file."""
WAL_BOUND = 32 * 1024 * 1024
"""Bytes (estimated) that may be in the WAL before a checkpoint does not wait for idleness."""
COMMIT_BYTES = 20_000
"""What a commit writes besides its data: the pages that it touches."""
FRAME_BYTES = 4_120

Loop = asyncio.AbstractEventLoop


class Append:
    __slots__ = ("data", "drafts", "expected", "future", "loop")

    def __init__(
        self, drafts: Sequence[Draft], data: list[str], expected: Mapping[str, int], loop: Loop
    ) -> None:
        self.drafts = drafts
        self.data = data
        self.expected = expected
        self.loop = loop
        self.future = Receipt(loop=loop)


class Save:
    """Display texts of calls in flight."""

    __slots__ = ("future", "loop", "partials")

    def __init__(self, partials: Sequence[Partial], loop: Loop) -> None:
        self.partials = partials
        self.loop = loop
        self.future: asyncio.Future[None] = loop.create_future()


class Task:
    """Anything else that needs the connection, alone and outside of a transaction."""

    __slots__ = ("future", "loop", "run", "stop")

    def __init__(self, run: Callable[[sqlite3.Connection], Any], loop: Loop, *, stop: bool = False) -> None:
        self.run = run
        self.loop = loop
        self.stop = stop
        self.future: asyncio.Future[Any] = loop.create_future()


Job = Append | Save
Answer = tuple[asyncio.Future[Any], Any]
"""A future and its result or exception."""


class Writer:
    def __init__(self, path: Path, connect: Callable[[], sqlite3.Connection], *, logs_per_run: int) -> None:
        self._path = path
        self._connect = connect
        self._logs_per_run = logs_per_run
        self._queue: SimpleQueue[Job | Task] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="aethermind-writer", daemon=True)
        self._db: sqlite3.Connection | None = None
        self._sequencer: Sequencer
        self._dead = False
        self._wal = 0
        """Bytes in the WAL that are not in the database file, estimated."""
        self._bound = WAL_BOUND
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
            _answer(opening.loop, [(opening.future, error)])
            return
        _answer(opening.loop, [(opening.future, None)])
        try:
            self._serve()
        except Exception as error:  # a defect of ours must not leave anybody waiting
            self._dead = True
            self._refuse_queued(f"the writer stopped: {error!r}")
            raise

    def _serve(self) -> None:
        while True:
            job = self._next()
            batch: list[Job] = []
            while not isinstance(job, Task):
                batch.append(job)
                if len(batch) >= MOST or not self._queue.qsize():
                    break
                job = self._queue.get()
            if batch:
                self._commit(batch)
            if isinstance(job, Task) and not self._do(job):
                return
            if self._wal > self._bound:
                self._checkpoint()

    def _next(self) -> Job | Task:
        if self._wal:
            try:
                return self._queue.get(timeout=IDLE_S)
            except Empty:
                self._checkpoint()
        return self._queue.get()

    def _do(self, task: Task) -> bool:
        """Run a task; False if it was the last thing to do."""
        answer: Any
        try:
            answer = task.run(self._database())
        except sqlite3.Error as error:
            answer = explain(error, self._path)
        except Exception as error:  # noqa: BLE001  # whoever asked gets it
            answer = error
        if task.stop:
            self._close()
            self._refuse_queued("the store is closed")  # put while it was being closed
        elif self._db is not None:
            self._sequencer.forget(flush.last_seq(self._db))
        _answer(task.loop, [(task.future, answer)])
        return not task.stop

    def _refuse_queued(self, why: str) -> None:
        while self._queue.qsize():
            late = self._queue.get()
            _answer(late.loop, [(late.future, StoreError(why))])

    # --- commits -------------------------------------------------------------------------------

    def _commit(self, batch: list[Job]) -> None:
        try:
            db = self._database()
            answers = [self._gather(job) for job in batch]
            work = flush.work(self._sequencer.take())
            execute = self._execute
            if len(work) > 1:
                execute("BEGIN IMMEDIATE")
            for sql, parameters in work:
                execute(sql, parameters)
        except sqlite3.OperationalError as error:  # disk, lock: no append's own fault
            self._fail(batch, error)
            return
        except Exception:  # noqa: BLE001  # whatever it is, the replay finds out whose it is
            self._replay(batch)
            return
        self._finish(db, batch, answers)

    def _gather(self, job: Job) -> Any:
        """Number and fold one job; its answer, if the batch commits."""
        if isinstance(job, Append):
            self._wal += sum(map(len, job.data))
            try:
                return self._sequencer.add(job.drafts, job.data, job.expected)
            except ConflictError as error:
                return error
        for partial in job.partials:
            self._sequencer.save_partial(partial)
        return None

    def _replay(self, batch: list[Job]) -> None:
        """The batch again, each append in a savepoint of its own, nothing believed without looking."""
        try:
            db = self._database()
            if db.in_transaction:
                db.execute("ROLLBACK")
            self._sequencer.forget(flush.last_seq(db))
            self._sequencer.trusting = False
            db.execute("BEGIN IMMEDIATE")
            answers = [self._attempt(db, job) for job in batch]
        except (sqlite3.Error, AethermindError) as error:
            self._fail(batch, error)
            return
        self._sequencer.trusting = True
        self._finish(db, batch, answers)

    def _attempt(self, db: sqlite3.Connection, job: Job) -> Any:
        db.execute("SAVEPOINT one")
        try:
            answer = self._gather(job)
            for sql, parameters in flush.work(self._sequencer.take()):
                db.execute(sql, parameters)
        except sqlite3.OperationalError:
            raise
        except Exception as error:  # noqa: BLE001  # this append is the bad one; the others go on
            db.execute("ROLLBACK TO one")
            self._sequencer.forget(flush.last_seq(db))
            answer = error if isinstance(error, AethermindError) else explain(error, self._path)
        db.execute("RELEASE one")
        return answer

    def _finish(self, db: sqlite3.Connection, batch: list[Job], answers: list[Any]) -> None:
        if db.in_transaction:
            if failpoints.armed:
                failpoints.reached("commit.before")
            try:
                self._execute("COMMIT")
            except sqlite3.Error as error:
                self._fail(batch, error)
                return
        if failpoints.armed:
            failpoints.reached("commit.after")
        self.committed = self._sequencer.last_seq
        self._wal += COMMIT_BYTES
        first = batch[0].loop
        if all(job.loop is first for job in batch):
            _answer(first, [(job.future, answer) for job, answer in zip(batch, answers, strict=True)])
            return
        by_loop: dict[Loop, list[Answer]] = {}
        for job, answer in zip(batch, answers, strict=True):
            by_loop.setdefault(job.loop, []).append((job.future, answer))
        for loop, those in by_loop.items():
            _answer(loop, those)

    def _fail(self, batch: list[Job], error: Exception) -> None:
        """Nothing that was said about this batch can be believed. Open anew, and read what is there."""
        wanted = self._sequencer.last_seq if self._db is not None else 0
        self._close()
        failure = error if isinstance(error, AethermindError) else explain(error, self._path)
        with contextlib.suppress(AethermindError):  # the next batch tries again, and says so
            self._open()
            if wanted and self._sequencer.last_seq >= wanted:
                failure = StoreError(f"{failure.message}, after it was recorded", hint=failure.hint)
        for job in batch:
            own = type(failure)(failure.message, hint=failure.hint)  # each has its own traceback
            _answer(job.loop, [(job.future, own)])

    # --- the connection ------------------------------------------------------------------------

    def _database(self) -> sqlite3.Connection:
        if self._db is None:
            self._open()
        assert self._db is not None
        return self._db

    def _open(self) -> None:
        db = self._connect()
        try:
            flush.refresh_projections(db)
            last = flush.last_seq(db)
        except sqlite3.Error as error:
            db.close()
            raise explain(error, self._path) from error
        self._sequencer = Sequencer(flush.source(db), last_seq=last, logs_per_run=self._logs_per_run)
        self._db = db
        self._execute = db.cursor().execute  # one cursor for all, instead of a new one for each statement
        self._wal = 1  # there may be something in the WAL from before
        self._bound = WAL_BOUND
        self.committed = last

    def _close(self) -> None:
        if self._db is not None:
            with contextlib.suppress(sqlite3.Error):
                self._db.close()
            self._db = None

    def _checkpoint(self) -> None:
        """Move what is in the WAL into the database. The WAL is used again from its start, not cut."""
        if self._db is None:
            return
        try:
            _, frames, done = self._db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            if failpoints.armed:
                failpoints.reached("checkpoint")
        except sqlite3.Error:
            frames, done = 0, 0  # nothing is lost by not moving it; a real fault shows at the next commit
        self._wal = max(0, frames - done) * FRAME_BYTES
        self._bound = self._wal + WAL_BOUND


def _answer(loop: Loop, answers: list[Answer]) -> None:
    with contextlib.suppress(RuntimeError):  # that loop is closed: nobody waits any more
        loop.call_soon_threadsafe(_settle, answers)


def _settle(answers: list[Answer]) -> None:
    for future, answer in answers:
        if isinstance(future, Receipt):
            future.settle(answer)
        elif future.done():
            continue
        elif isinstance(answer, Exception):
            future.set_exception(answer)
        else:
            future.set_result(answer)
