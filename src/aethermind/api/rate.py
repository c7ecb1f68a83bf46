"""How often a token may ask: so many requests in any window of so long.

The window slides in two halves that are counted whole, so that a token costs a few numbers, whatever it does,
and the clock is the caller's.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import msgspec

KEPT = 10_000
"""Keys that are remembered; the least recent ones go first."""
ROUNDING = 1e-6


class Verdict(msgspec.Struct, frozen=True):
    """`reset_s`: whole seconds until one more is allowed for certain."""

    allowed: bool
    limit: int
    left: int
    reset_s: int

    def headers(self) -> dict[str, str]:
        told = {
            "ratelimit-limit": str(self.limit),
            "ratelimit-remaining": str(self.left),
            "ratelimit-reset": str(self.reset_s),
        }
        return told if self.allowed else {**told, "retry-after": str(self.reset_s)}


class Rate:
    """`limit` requests in `window_s` seconds for each key. `clock`: monotonic seconds."""

    def __init__(self, limit: int, window_s: float, clock: Callable[[], float]) -> None:
        self._limit = limit
        self._window = window_s
        self._clock = clock
        self._counts: dict[str, tuple[int, int, int]] = {}
        """Key → (number of the window, requests in it, requests in the one before)."""

    def ask(self, key: str) -> Verdict:
        """Count a request, if it is allowed."""
        now = self._clock()
        window = math.floor(now / self._window)
        known, here, before = self._counts.pop(key, (window, 0, 0))
        if known != window:
            before, here = (here, 0) if known == window - 1 else (0, 0)
        gone = now / self._window - window
        used = here + before * (1 - gone)
        allowed = used + 1 <= self._limit + ROUNDING
        here += allowed
        self._counts[key] = (window, here, before)
        if len(self._counts) > KEPT:
            del self._counts[next(iter(self._counts))]
        left = max(math.floor(self._limit - used - allowed + ROUNDING), 0)
        return Verdict(allowed, self._limit, left, self._reset(gone, here, before))

    def _reset(self, gone: float, here: int, before: int) -> int:
        """Until `here + before · (1 - gone) + 1 ≤ limit`, in this window or in the next one."""
        room = self._limit - 1
        if here <= room:
            wait = 0.0 if not before else max(1 - (room - here) / before - gone, 0.0)
        else:
            wait = 1 - gone + max(1 - room / here, 0.0)
        return max(math.ceil(wait * self._window), 1)
