"""Runs of before: the pages of the list, read as one comes to their end, and what a filter finds beyond."""

from __future__ import annotations

from aethermind.engine.queries import RunFilter
from aethermind.tui.context import Engine
from aethermind.tui.rows.runs import RunList

FIRST, MORE = 200, 1_000
"""Runs of a page."""
FOUND = 200
"""Runs that a filter finds at most beyond what is read, newest first."""


class Past:
    """Reads into a list of runs. What is asked for while it reads is done then."""

    def __init__(self, engine: Engine, runs: RunList) -> None:
        self._engine = engine
        self._runs = runs
        self._cursor: str | None = None
        self._reading = False
        self._all_wanted = False
        self._text: str | None = None
        """What is to be sought."""
        self._seeking = False
        self._sought: set[str] = set()

    async def begin(self) -> None:
        """The newest."""
        await self._page(FIRST)

    async def more(self, *, everything: bool = False) -> None:
        """The next page, or all there are."""
        self._all_wanted = self._all_wanted or everything
        if self._reading:
            return
        self._reading = True
        try:
            while self._runs.more:
                await self._page(MORE)
                if not self._all_wanted:
                    break
        finally:
            self._reading = self._all_wanted = False

    async def _page(self, count: int) -> None:
        at = self._cursor
        page = await self._engine.ask(lambda client: client.runs(RunFilter(), limit=count, cursor=at))
        for row in page.items:
            self._runs.merge(row)
        self._cursor = page.next
        self._runs.more = page.next is not None

    async def seek(self, text: str) -> None:
        """Runs with this text in their id, workflow or status, wherever they are."""
        self._text = text.lower()
        if self._seeking:
            return
        self._seeking = True
        try:
            while (text := self._text or "") and self._runs.more and text not in self._sought:
                await self._seek(text)
        finally:
            self._seeking = False

    async def _seek(self, text: str) -> None:
        wheres = [RunFilter(text=text)]
        if not self._sought:  # as what they are shown, the engine says, not the store: see `RunFilter`
            wheres.append(RunFilter(unfinished=True))
        for where in wheres:
            page = await self._engine.ask(lambda client: client.runs(where, limit=FOUND))  # noqa: B023 - awaited in this round
            for row in page.items:
                self._runs.merge(row, sought=True)
        self._sought.add(text)
