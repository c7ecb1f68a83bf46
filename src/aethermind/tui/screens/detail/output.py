"""What a step's process writes, from the logs, while it runs and after."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from aethermind.engine.client import Client
from aethermind.engine.queries import LogFilter, LogRow, Page

if TYPE_CHECKING:
    from aethermind.tui.context import Engine

MOST = 1_000
"""Lines that are held: all of it is in the logs, and what a command wrote is in its result."""


class Output:
    """The last lines of one step, as (attempt, `stdout` or `stderr`, line)."""

    def __init__(self, run_id: str, path: str) -> None:
        self._run_id = run_id
        self._path = path
        self._seq = 0
        self.lines: list[tuple[int, str, str]] = []

    async def fetch(self, engine: Engine) -> bool:
        """What was written since; returns whether there was any."""
        before = self._seq
        cursor: str | None = None
        while True:
            where = LogFilter(run_id=self._run_id, step=self._path, after_seq=before)
            page = await engine.ask(partial(_logs, where=where, cursor=cursor))
            for row in page.items:
                self._seq = max(self._seq, row.seq)
                if (stream := row.metadata.get("stream")) is not None:
                    self.lines.append((row.attempt or 1, str(stream), row.message))
            del self.lines[:-MOST]
            cursor = page.next
            if cursor is None:
                return self._seq > before


async def _logs(client: Client, *, where: LogFilter, cursor: str | None) -> Page[LogRow]:
    return await client.logs(where, limit=MOST, cursor=cursor)
