"""Who is alive, asked for by many at once."""

from __future__ import annotations

import asyncio

from aethermind.infra.children.watchdog import Process, processes


class Census:
    """Looks through the process table on a thread. All who ask before a look begins share it, so that
    stopping 200 children costs a few looks, not hundreds."""

    def __init__(self, since: int) -> None:
        self._since = since
        self._next: asyncio.Task[list[Process]] | None = None
        self._current: asyncio.Task[list[Process]] | None = None

    async def take(self) -> list[Process]:
        """The processes alive at some moment after this call."""
        if self._next is None:
            self._next = asyncio.create_task(self._look(self._current))
        return await asyncio.shield(self._next)

    async def _look(self, before: asyncio.Task[list[Process]] | None) -> list[Process]:
        if before is not None:
            await asyncio.wait({before})
        self._current, self._next = self._next, None
        return await asyncio.to_thread(processes, self._since)
