"""How often a line bears a frame. Pure.

A frame that is long on its way keeps every key's answer waiting behind it. So frames may take a third of the
line's time at most; the rest is for keys. What even the smallest answer takes is the way there and back, not
the line's fault, and does not count.
"""

from __future__ import annotations

SHARE = 3.0
"""A frame that was on its way for so long is followed by the next no sooner than after so many times that."""
RATES = (10.0, 5.0, 4.0, 2.0, 1.0, 0.5)
"""Frames a second: few steps, so that the header does not flicker."""
PATIENCE = 8
"""So many frames in a row have to be quick before they may come oftener."""
_LONG_WAY_S = 1.5
"""A way there and back that would be longer is believed to be a slow line."""


class Pace:
    """Told how long each write took; `least_s` is the shortest time from frame to frame that is well."""

    def __init__(self) -> None:
        self.hz: float | None = None
        """What the line bears; None: anything."""
        self._way_s = _LONG_WAY_S
        self._quick = 0

    @property
    def least_s(self) -> float:
        return 0.0 if self.hz is None else 1 / self.hz

    def took(self, seconds: float) -> bool:
        """A write was on its way for so long (s). Whether the rate is another one now."""
        self._way_s = min(self._way_s, seconds)
        fit = _fit((seconds - self._way_s) * SHARE)
        if _slower(fit, self.hz):
            self.hz, self._quick = fit, 0
            return True
        if fit == self.hz:
            self._quick = 0
            return False
        self._quick += 1
        if self._quick < PATIENCE:
            return False
        self._quick = 0
        self.hz = _next(self.hz)  # step by step: at the new rate frames are larger or smaller
        return True


def _fit(period_s: float) -> float | None:
    """The highest rate with at least that much time from frame to frame."""
    if period_s <= 1 / RATES[0]:
        return None
    return next((rate for rate in RATES if 1 / rate >= period_s), RATES[-1])


def _slower(one: float | None, other: float | None) -> bool:
    return one is not None and (other is None or one < other)


def _next(hz: float | None) -> float | None:
    """One step faster."""
    place = RATES.index(hz) if hz is not None else 0
    return RATES[place - 1] if place else None
