"""Runs whose turn is due, some in each round of the event loop.

The loop carries out all that is ready before it looks at its timers and at the network again. Hundreds of
runs that are woken together (a commit of many, a submitted crowd) would keep everybody else waiting for all
of them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol

AT_ONCE = 16
"""Turns of one round, one or two milliseconds. With 8 the commits become so small that a step costs a seventh
more; 32 are no cheaper than all."""


class HasTurn(Protocol):
    def begin(self) -> None: ...


class Due:
    """First come, first served; for one event loop."""

    def __init__(self) -> None:
        self._waiting: deque[HasTurn] = deque()
        self._called = False

    def add(self, run: HasTurn) -> None:
        self._waiting.append(run)
        if not self._called:
            self._called = True
            asyncio.get_running_loop().call_soon(self._round)

    def _round(self) -> None:
        waiting = self._waiting
        left = min(AT_ONCE, len(waiting))
        try:
            while left:
                left -= 1
                waiting.popleft().begin()
        finally:
            self._called = bool(waiting)
            if waiting:
                asyncio.get_running_loop().call_soon(self._round)
