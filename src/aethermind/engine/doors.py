"""Who takes up a run that nobody drives, or decides about it, does so alone.

Reading its log and recording what follows are two awaits. Between them somebody else could take it up from
what was true before: his state would lack the decision, and he would wait for it for ever.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import Concatenate, ParamSpec, Protocol, TypeVar
from weakref import WeakValueDictionary

P = ParamSpec("P")
T = TypeVar("T")


class Doors:
    """A lock for each run, as long as somebody wants it."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def of(self, run_id: str) -> asyncio.Lock:
        lock = self._locks.get(run_id)
        if lock is None:
            lock = self._locks[run_id] = asyncio.Lock()
        return lock


class _House(Protocol):
    @property
    def doors(self) -> Doors: ...


H = TypeVar("H", bound=_House)


def alone(
    entrance: Callable[Concatenate[H, str, P], Awaitable[T]],
) -> Callable[Concatenate[H, str, P], Awaitable[T]]:
    """A method whose first argument is a run's id: for the same run, one after the other."""

    @functools.wraps(entrance)
    async def through(house: H, run_id: str, /, *args: P.args, **kwargs: P.kwargs) -> T:
        async with house.doors.of(run_id):
            return await entrance(house, run_id, *args, **kwargs)

    return through
