"""An event loop whose time is virtual: when nothing is ready, it is at once as late as the next timer.

Rules
- Who owns the loop calls `step`: exactly one callback runs. So the world can end between any two of them,
  which are all the await points there are.
- Nothing may wait for the real world. A thread that calls back is an error; what is handed to an executor
  runs here and now.
- Callbacks run in the order in which asyncio runs them; nothing is shuffled.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Callable
from contextvars import Context
from typing import Any


class RealWait(AssertionError):
    """Something wanted to wait for a thread, a socket or a process."""


class VirtualLoop(asyncio.BaseEventLoop):
    """See the module. `time()` is in seconds and begins at `start`."""

    _ready: deque[asyncio.Handle]
    _scheduled: list[asyncio.TimerHandle]

    def __init__(self, start: float = 0.0) -> None:
        super().__init__()
        self._time = start
        self.complaints: list[str] = []
        """What nobody caught."""
        self.set_exception_handler(self._complain)

    def time(self) -> float:
        return self._time

    # --- stepping ------------------------------------------------------------------------------

    def step(self, until: float = float("inf")) -> bool:
        """Run one callback. False if none is due by `until` (then it is `until` now, if that is a time)."""
        self._take_due()
        if not self._ready:
            when = self._next_timer()
            if when is None or when > until:
                if until != float("inf"):
                    self._time = max(self._time, until)
                return False
            self._time = max(self._time, when)
            self._take_due()
        while self._ready:
            handle = self._ready.popleft()
            if not handle.cancelled():
                self._run_one(handle)
                return True
        return True

    def _run_one(self, handle: asyncio.Handle) -> None:
        before = asyncio._get_running_loop()
        asyncio._set_running_loop(self)
        try:
            handle._run()
        finally:
            asyncio._set_running_loop(before)

    def _next_timer(self) -> float | None:
        timers = self._scheduled
        while timers and timers[0].cancelled():
            timer = heapq.heappop(timers)
            timer._scheduled = False  # type: ignore[attr-defined]  # as asyncio's own loop does
        return timers[0].when() if timers else None

    def _take_due(self) -> None:
        while (when := self._next_timer()) is not None and when <= self._time:
            timer = heapq.heappop(self._scheduled)
            timer._scheduled = False  # type: ignore[attr-defined]  # as asyncio's own loop does
            self._ready.append(timer)

    def settle(self, task: asyncio.Future[Any]) -> Any:
        """Step until the task is done, and give its result."""
        while not task.done():
            if not self.step():
                raise RealWait(f"{task!r} waits for something that will never come")
        return task.result()

    # --- endings -------------------------------------------------------------------------------

    def abandon(self) -> None:
        """As if the process had died. What is left is closed in silence; whoever still acts on the way out
        finds its ports dead."""
        before = asyncio._get_running_loop()
        asyncio._set_running_loop(self)
        try:
            for task in asyncio.all_tasks(self):
                if not task.done():
                    _silence(task)
        finally:
            asyncio._set_running_loop(before)
        self._ready.clear()
        self._scheduled.clear()
        self.close()

    def _complain(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        self.complaints.append(f"{context.get('message')}: {error!r}")

    # --- the real world is not here ------------------------------------------------------------

    def call_soon_threadsafe(  # type: ignore[override]  # as below
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        if asyncio._get_running_loop() is not self:
            raise RealWait("a thread called back into the simulation")
        return self.call_soon(callback, *args, context=context)

    def run_in_executor(  # type: ignore[override]  # the same for who calls it
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        done: asyncio.Future[Any] = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - it belongs to who waits
            done.set_exception(error)
        return done

    def run_forever(self) -> None:
        raise RealWait("this loop is stepped by its owner")

    def _process_events(self, event_list: list[Any]) -> None:
        raise RealWait("there are no sockets here")

    def _write_to_self(self) -> None:
        raise RealWait("there are no threads here")


def _silence(task: asyncio.Task[Any]) -> None:
    task._log_destroy_pending = False  # type: ignore[attr-defined]  # it ends with its process, not by mistake
    coroutine = task.get_coro()
    try:
        if coroutine is not None:
            coroutine.close()
    except (RuntimeError, ValueError, SystemExit):
        return  # it wanted to wait on its way out, or it is the one that crashed: nobody hears it any more
