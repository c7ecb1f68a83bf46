"""Going on without a terminal, and knowing when to end.

A process goes headless in one direction only: it gets a session of its own, its terminal is given back, the
parent ends, and what is left is an engine on a socket. It ends by itself when nothing has run and nobody has
looked for a while, on SIGTERM, or when its data directory is gone.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Protocol

from aethermind.cli import parent

DRAIN_S = 10.0
"""So long may what is under way take to end when the engine is told to."""
LOOK_S = 5.0
"""How often it is looked whether anything goes on, at most."""
SOONEST_S = 0.05


def detach(code: int = 0, *, streams: bool) -> None:
    """Leave the terminal for good: an own session, the shell gets its prompt and this exit code. Idempotent.
    `streams`: also let go of standard streams that are no terminal; else what was redirected is still
    written to.
    """
    for number in (signal.SIGHUP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU):
        signal.signal(number, signal.SIG_IGN)
    with suppress(OSError):
        os.setsid()  # before the parent ends: the kernel hangs up on the group that a session leader leaves
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        with suppress(OSError):
            if streams or os.isatty(descriptor):
                os.dup2(nowhere, descriptor)
    os.close(nowhere)
    if (link := parent.link()) is not None:
        link.leave(code)


class Idle:
    """Since when nothing goes on. `limit_s` None: it never ends for that."""

    def __init__(self, limit_s: float | None, now: float) -> None:
        self._limit_s = limit_s
        self._since = now

    def over(self, now: float, *, busy: bool, used_at: float = 0.0) -> bool:
        """Whether nothing has gone on for the whole time. `used_at`: when somebody last asked something."""
        self._since = now if busy else max(self._since, min(used_at, now))
        return self._limit_s is not None and not busy and now - self._since >= self._limit_s

    def look_in(self, now: float) -> float:
        """Seconds until it is worth another look."""
        if self._limit_s is None:
            return LOOK_S
        return min(max(self._since + self._limit_s - now, SOONEST_S), LOOK_S)


class Engine(Protocol):
    """What is left when the terminal is gone."""

    def at_work(self) -> int:
        """Runs that would stand still without it. Raises when the engine has died."""
        ...

    def watching(self) -> int:
        """Connections that are open."""
        ...

    def used_at(self) -> float:
        """When something was last asked over them (monotonic seconds)."""
        ...


def stay(
    engine: Engine,
    *,
    idle_s: float | None,
    there: Callable[[], bool] = lambda: True,
    ended: threading.Event | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Until it is idle, `ended` is set, or its data is not `there` any more."""
    ended = ended or threading.Event()
    idle = Idle(idle_s, clock())
    while not ended.is_set() and there():
        now = clock()
        try:
            busy = bool(engine.at_work() or engine.watching())
        except Exception:  # noqa: BLE001 - an engine that broke has nothing left to stay for
            return
        if idle.over(now, busy=busy, used_at=engine.used_at()):
            return
        ended.wait(idle.look_in(now))


class Ended(threading.Event):
    """The process is to end."""

    by = 0
    """The signal that said so."""


@contextmanager
def ended_by(*numbers: signal.Signals) -> Iterator[Ended]:
    """Set by the first of these signals; the second ends the process as a crash would, and loses nothing."""
    ended = Ended()
    first = 0.0

    def end(number: int, frame: FrameType | None) -> None:
        nonlocal first
        if ended.is_set() and not parent.is_echo(first):
            os._exit(128 + number)
        first = first or time.monotonic()
        ended.by = ended.by or number
        ended.set()

    before = {number: signal.signal(number, end) for number in numbers}
    try:
        yield ended
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def hang_ups() -> Iterator[None]:
    """A lost terminal takes nothing along but itself."""
    if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
        yield
        return
    before = signal.signal(signal.SIGHUP, lambda number, frame: detach(streams=False))
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
            signal.signal(signal.SIGHUP, before)
