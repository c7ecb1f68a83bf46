"""So much per minute: a window that slides, exact to the call. Pure arithmetic, the time is passed in.

A call's tokens are known only when it is over: what was assumed is put right by `settle`, so that a wrong
guess costs room for as long as the call takes and no longer.
"""

from __future__ import annotations

from collections import deque

WINDOW_S = 60.0


class Spent:
    """One entry: `amount` at `at` (monotonic seconds)."""

    __slots__ = ("amount", "at")

    def __init__(self, at: float, amount: int) -> None:
        self.at = at
        self.amount = amount


class Pace:
    """At most `limit` within any `WINDOW_S` seconds. One who wants more than that goes alone, when nothing
    else is in the window: to wait would not help."""

    __slots__ = ("_entries", "limit", "used")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0
        self._entries: deque[Spent] = deque()

    def free_at(self, now: float, amount: int) -> float:
        """When there is room for so much: `now`, or later (monotonic seconds)."""
        self._forget(now)
        excess = self.used + amount - self.limit
        if excess <= 0 or not self._entries:
            return now
        for entry in self._entries:
            excess -= entry.amount
            if excess <= 0:
                return entry.at + WINDOW_S
        return self._entries[-1].at + WINDOW_S

    def take(self, now: float, amount: int) -> Spent:
        entry = Spent(now, amount)
        self._entries.append(entry)
        self.used += amount
        return entry

    def settle(self, entry: Spent, amount: int, now: float) -> None:
        """It was `amount` in truth. An entry that has left the window meanwhile is of no account."""
        self._forget(now)
        if self._entries and entry.at >= self._entries[0].at:
            self.used += amount - entry.amount
            entry.amount = amount

    def _forget(self, now: float) -> None:
        entries = self._entries
        while entries and entries[0].at + WINDOW_S <= now:
            self.used -= entries.popleft().amount
