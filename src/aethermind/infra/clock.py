"""The machine's clocks: a wall clock that does not jump, and one that counts on while the machine sleeps.

Rules
- `now` is the wall clock as it was at the start, advanced by a steady clock. Somebody who sets the machine's
  clock back or forth by years changes no timer of this process.
- The small corrections of a time service are followed, a little at a time, so that a process of months does
  not drift away from everybody else. `now` never goes back.
- The steady clock counts the time in which the machine was suspended, where there is one that does.
"""

from __future__ import annotations

import time
from collections.abc import Callable

LOOK_NS = 1_000_000_000
"""So often, at most, the wall clock is looked at."""
JUMP_NS = 60 * 1_000_000_000
"""A difference larger than this is a jump, not a correction: it is not followed."""
SLOWER = 100
"""Followed by at most this part of the time that passed …"""
STEP_NS = 50_000_000
"""… and at most so much at once: `now` stands still meanwhile, if it was ahead."""

_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""On macOS CLOCK_MONOTONIC goes on while the machine sleeps; on Linux only CLOCK_BOOTTIME does."""


def steady_ns() -> int:
    return time.clock_gettime_ns(_STEADY)


class SystemClock:
    """See `Clock`. The two sources give nanoseconds."""

    def __init__(
        self, *, wall: Callable[[], int] = time.time_ns, steady: Callable[[], int] = steady_ns
    ) -> None:
        self._wall = wall
        self._steady = steady
        self._looked = steady()
        self._base = wall() - self._looked
        self._latest = 0

    def now(self) -> int:
        """Epoch milliseconds."""
        steady = self._steady()
        if steady - self._looked >= LOOK_NS:
            self._follow(steady)
        found = (self._base + steady) // 1_000_000
        self._latest = latest = max(found, self._latest)
        return latest

    def monotonic(self) -> float:
        """Seconds; time asleep counts."""
        return self._steady() / 1_000_000_000

    def _follow(self, steady: int) -> None:
        most = min((steady - self._looked) // SLOWER, STEP_NS)
        self._looked = steady
        off = self._wall() - steady - self._base
        if abs(off) <= JUMP_NS:
            self._base += max(-most, min(off, most))
