"""The frame clock: when the screen may change by itself. It sleeps while there is nothing to show.

Two things wake it: something came from the engine (`request`: the next frame is at most one period away),
and time that is shown goes on (`tick_at`). Keys don't pass here; they paint at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class FrameClock:
    """Calls `on_frame` in the loop's thread, at most `hz` times a second, and only after a request."""

    def __init__(self, hz: float, on_frame: Callable[[], None]) -> None:
        self.period = 1 / hz
        self.least_s = 0.0
        """What the line bears: no sooner after one another, whatever the period."""
        self._on_frame = on_frame
        self._loop: asyncio.AbstractEventLoop | None = None
        self._last = 0.0
        self._next: asyncio.TimerHandle | None = None
        self._tick: asyncio.TimerHandle | None = None
        self._again: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()

    def stop(self) -> None:
        for handle in (self._next, self._tick, self._again):
            if handle is not None:
                handle.cancel()
        self._loop = self._next = self._tick = self._again = None

    def request(self) -> None:
        """A frame is wanted. Only from the loop's thread."""
        if self._loop is None or self._next is not None:
            return
        due = max(self._last + max(self.period, self.least_s), self._loop.time())
        self._next = self._loop.call_at(due, self._fire)

    def request_soon(self) -> None:
        """From any thread."""
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self.request)

    def tick_in(self, seconds: float) -> None:
        """A frame is wanted then, whether something comes or not; replaces an earlier wish."""
        if self._loop is None:
            return
        if self._tick is not None:
            self._tick.cancel()
        self._tick = self._loop.call_later(seconds, self._ticked)

    def no_tick(self) -> None:
        if self._tick is not None:
            self._tick.cancel()
            self._tick = None

    def again_in(self, seconds: float) -> None:
        """A frame is wanted by then, besides: something was held back. An earlier wish stands."""
        if self._loop is not None and self._again is None:
            self._again = self._loop.call_later(seconds, self._come_again)

    def _come_again(self) -> None:
        self._again = None
        self.request()

    def _ticked(self) -> None:
        self._tick = None
        self.request()

    def _fire(self) -> None:
        self._next = None
        if self._loop is not None:
            self._last = self._loop.time()
            self._on_frame()
