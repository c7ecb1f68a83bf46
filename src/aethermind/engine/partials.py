"""Checkpoints of streaming text, about once a second, outside the log and for display only."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aethermind.domain.errors import StoreError
from aethermind.engine.ports import EventStore
from aethermind.engine.queries import Partial

EVERY_S = 1.0

Key = tuple[str, str, int]


class Partials:
    """One per engine. Writes what has grown since the last time, in one upsert."""

    def __init__(self, store: EventStore, scrub: Callable[[str], str] = str) -> None:
        self._store = store
        self._scrub = scrub
        self._grown: dict[Key, tuple[int, Callable[[], tuple[str, str]]]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Task[None] | None = None

    def grow(
        self, run_id: str, step: str, attempt: int, call: int, read: Callable[[], tuple[str, str]]
    ) -> None:
        """`read` gives the text and the reasoning so far, when they are wanted."""
        self._grown[run_id, step, call] = (attempt, read)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(EVERY_S, self._due)

    def forget(self, run_id: str, step: str, call: int) -> None:
        self._grown.pop((run_id, step, call), None)

    def _due(self) -> None:
        self._timer = None
        grown, self._grown = self._grown, {}
        rows = []
        for (run_id, step, call), (attempt, read) in grown.items():
            text, reasoning = map(self._scrub, read())
            rows.append(
                Partial(run_id=run_id, step=step, attempt=attempt, call=call, text=text, reasoning=reasoning)
            )
        if rows:
            self._writing = asyncio.get_running_loop().create_task(self._write(rows))

    async def _write(self, rows: list[Partial]) -> None:
        try:
            await self._store.save_partials(rows)
        except StoreError:
            return  # a display aid: the run's own append reports a failing disk

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._writing is not None:
            await asyncio.gather(self._writing, return_exceptions=True)
