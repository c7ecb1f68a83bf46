"""Pages of the log that watchers of a channel read to catch up, shared: a thousand of them that come at once,
or come back after their line broke, are one reader to the engine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aethermind import wire
from aethermind.api.batch import Batch
from aethermind.domain.events import Recorded

PAGE = 1_000
KEPT_BYTES = 16 << 20

Read = Callable[[int, int], Awaitable[list[Recorded]]]
"""(after, limit) → what is recorded then, in order."""


class Pages:
    """Rules: a full page never changes, the log only grows. One that is not full holds what was recorded when
    it was read, so it serves only those who want no more than that."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._kept: dict[int, tuple[int, asyncio.Task[Batch]]] = {}
        """After which seq → what was known to be recorded when it was read, and the page."""

    async def after(self, seq: int, until: int) -> Batch:
        """At most `PAGE` events after `seq`; those up to `until`, which is recorded, are not missing."""
        known, task = self._kept.get(seq, (-1, None))
        if task is None or (known < until and not _is_full(task)):
            task = asyncio.ensure_future(self._page(seq))
            self._kept[seq] = (until, task)
        try:
            return await asyncio.shield(task)
        except Exception:
            self._kept.pop(seq, None)
            raise

    async def _page(self, seq: int) -> Batch:
        found = await self._read(seq, PAGE)
        batch = Batch([recorded.seq for recorded in found], list(map(wire.encode_envelope, found)))
        self._sweep(batch.size)
        return batch

    def _sweep(self, coming: int) -> None:
        """Let the oldest go while all are too large."""
        size = coming + sum(task.result().size for _, task in self._kept.values() if _is_read(task))
        for seq, (_, task) in list(self._kept.items()):
            if size <= KEPT_BYTES:
                return
            if _is_read(task):
                size -= task.result().size
                del self._kept[seq]


def _is_read(task: asyncio.Task[Batch]) -> bool:
    return task.done() and not task.cancelled() and task.exception() is None


def _is_full(task: asyncio.Task[Batch]) -> bool:
    return _is_read(task) and len(task.result().seqs) >= PAGE
