"""A limit in time for work that stops what it started when it is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class TimedOut(Exception):
    """The time was over, and the work has been stopped."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


async def within(seconds: float, work: Coroutine[Any, Any, T]) -> T:
    """Raises `TimedOut` once the cancelled work has ended."""
    scope = asyncio.timeout(seconds)
    try:
        async with scope:
            return await work
    except TimeoutError:
        if scope.expired():
            raise TimedOut(seconds) from None
        raise
