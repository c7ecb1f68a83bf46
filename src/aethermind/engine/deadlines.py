"""Timeouts of attempts: cheap to begin and to end, because nearly all of them end before they pass.

Deadlines of the same length pass in the order in which they began, so the event loop keeps one timer for
each length, set for its oldest, instead of one for each attempt.
"""

from __future__ import annotations

import asyncio

TICK_S = 0.001
"""Loops run timers that are due within the resolution of their clock, so a little early."""


class Deadline:
    """When it passes, the task that began it is cancelled and `passed` is true."""

    __slots__ = ("_held", "_own", "_peers", "_since", "_task", "at", "passed")

    def __init__(self, task: asyncio.Task[None], at: float, peers: dict[Deadline, None]) -> None:
        self._task = task
        self._peers = peers
        self._own: asyncio.TimerHandle | None = None
        self._held = 0
        """How many want it to stand still."""
        self._since = 0.0
        self.at = at
        """In the loop's time."""
        self.passed = False

    def suspend(self) -> None:
        """It does not pass before as many `go_on` as there were `suspend`."""
        self._held += 1
        if self._held == 1:
            self.end()
            self._since = asyncio.get_running_loop().time()

    def go_on(self) -> None:
        """With the time that was left. It is out of order then and gets a timer of its own."""
        self._held -= 1
        if not self._held and not self.passed:
            loop = asyncio.get_running_loop()
            self.at += loop.time() - self._since
            self._own = loop.call_at(self.at, self.expire)

    def end(self) -> None:
        """The work is over."""
        self._peers.pop(self, None)
        if self._own is not None:
            self._own.cancel()
            self._own = None

    def expire(self) -> None:
        self.passed = True
        self._task.cancel()


class Deadlines:
    """All deadlines of an engine; belongs to its event loop."""

    def __init__(self) -> None:
        self._waiting: dict[int, dict[Deadline, None]] = {}
        """Length (ms) → the deadlines that have not passed, oldest first. Each has a timer set."""

    def begin(self, ms: int) -> Deadline:
        """Cancel the current task in so long, unless `end` is called before."""
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        assert task is not None
        at = loop.time() + ms / 1000
        peers = self._waiting.get(ms)
        if peers is None:
            peers = self._waiting[ms] = {}
            loop.call_at(at, self._look, ms)
        deadline = Deadline(task, at, peers)
        peers[deadline] = None
        return deadline

    def _look(self, ms: int) -> None:
        """The oldest was due, if it has not ended since: set the timer for who is the oldest now."""
        loop = asyncio.get_running_loop()
        now, peers = loop.time(), self._waiting[ms]
        while peers:
            oldest = next(iter(peers))
            if oldest.at > now + TICK_S:
                loop.call_at(oldest.at, self._look, ms)
                return
            oldest.end()
            oldest.expire()
        del self._waiting[ms]
