"""What the writer is given to do, and how its answers get back into the event loops that wait."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

from aethermind.domain.events import Draft
from aethermind.engine.queries import Partial
from aethermind.engine.receipt import Receipt

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
AT_ONCE = 16
"""Answers given in one round of an event loop, so that what else waits there is served between them."""
Answer = tuple[asyncio.Future[Any], Any]
"""A future and its result or exception."""


def answer(loop: Loop, answers: list[Answer]) -> None:
    """Resolve these futures, all of one event loop; from any thread, with one wake-up."""
    with contextlib.suppress(RuntimeError):  # that loop is closed: nobody waits any more
        loop.call_soon_threadsafe(_settle, loop, answers)


def answer_all(jobs: Sequence[Job], answers: Sequence[Any]) -> None:
    """The same for jobs of any loops."""
    first = jobs[0].loop
    if all(job.loop is first for job in jobs):
        answer(first, [(job.future, result) for job, result in zip(jobs, answers, strict=True)])
        return
    by_loop: dict[Loop, list[Answer]] = {}
    for job, result in zip(jobs, answers, strict=True):
        by_loop.setdefault(job.loop, []).append((job.future, result))
    for loop, those in by_loop.items():
        answer(loop, those)


_waiting: WeakKeyDictionary[Loop, deque[Answer]] = WeakKeyDictionary()
"""Answers that a loop has not given yet. They are given in the order of the commits: the feed believes it."""


def _settle(loop: Loop, answers: list[Answer]) -> None:
    waiting = _waiting.setdefault(loop, deque())
    begins = not waiting
    waiting.extend(answers)
    if begins:
        _settle_some(loop, waiting)


def _settle_some(loop: Loop, waiting: deque[Answer]) -> None:
    some = [waiting.popleft() for _ in range(min(AT_ONCE, len(waiting)))]
    if waiting:
        loop.call_soon(_settle_some, loop, waiting)
    for future, result in some:
        if isinstance(future, Receipt):
            future.settle(result)
        elif future.done():
            continue
        elif isinstance(result, Exception):
            future.set_exception(result)
        else:
            future.set_result(result)
