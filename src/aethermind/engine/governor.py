"""Limits that calls of all runs share, per provider and model: concurrency, and a provider's Retry-After.

A call waits here before it is recorded and sent; the wait does not count against the step's timeout.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aethermind.domain.retry import RETRY_AFTER_CAP_MS
from aethermind.engine.deadlines import Deadline
from aethermind.engine.ports import Clock


class _Lane:
    __slots__ = ("gate", "open_at")

    def __init__(self, concurrency: int) -> None:
        self.gate = asyncio.Semaphore(concurrency)
        self.open_at = 0
        """No call before this time (epoch ms)."""


class Governor:
    """One per engine."""

    def __init__(self, clock: Clock, *, concurrency: int = 32) -> None:
        self._clock = clock
        self._concurrency = concurrency
        self._lanes: dict[str, _Lane] = {}

    def _lane(self, model: str) -> _Lane:
        lane = self._lanes.get(model)
        if lane is None:
            lane = self._lanes[model] = _Lane(self._concurrency)
        return lane

    @asynccontextmanager
    async def admit(self, model: str, deadline: Deadline | None = None) -> AsyncIterator[None]:
        """Hold a place for one call of `provider:model`; the deadline stands still while it has to wait."""
        lane = self._lane(model)
        if deadline is None or not (lane.gate.locked() or lane.open_at > self._clock.now()):
            await self._enter(lane)
        else:
            deadline.suspend()
            try:
                await self._enter(lane)
            finally:
                deadline.go_on()
        try:
            yield
        finally:
            lane.gate.release()

    async def _enter(self, lane: _Lane) -> None:
        await lane.gate.acquire()
        try:
            while (wait := lane.open_at - self._clock.now()) > 0:  # noqa: ASYNC110 - it may be moved meanwhile
                await asyncio.sleep(wait / 1000)
        except BaseException:
            lane.gate.release()
            raise

    def hold(self, model: str, retry_after_ms: int) -> None:
        """A provider said when to come back: nobody calls this model before."""
        lane = self._lane(model)
        until = self._clock.now() + min(retry_after_ms, RETRY_AFTER_CAP_MS)
        lane.open_at = max(lane.open_at, until)
