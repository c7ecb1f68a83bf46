"""Logs of runs."""

from __future__ import annotations

from typing import Annotated

import msgspec

from aethermind.api.room import Room
from aethermind.api.route import Answer, Routes, page
from aethermind.api.shapes import page_of, shown
from aethermind.domain.events import LogLevel
from aethermind.engine.queries import LogFilter, LogRow
from aethermind.engine.rows import row_object

LogPage = page_of(shown(LogRow), "LogPage")
Limit = Annotated[int, msgspec.Meta(ge=1, le=10_000)]
Seq = Annotated[int, msgspec.Meta(ge=0, le=2**62)]


def routes(room: Room) -> Routes:
    on = Routes("logs")

    @on.get("/api/logs", LogPage, "Log records, oldest first.")
    async def logs(
        run_id: str | None = None,
        min_level: LogLevel = "debug",
        step: str | None = None,
        agent: str | None = None,
        text: str | None = None,
        after_seq: Seq = 0,
        limit: Limit = 200,
        cursor: str | None = None,
    ) -> Answer:
        """Log records, oldest first. A search (step, agent, text) looks at so many records for one page: it
        may hold few lines or none, and `next` goes on."""
        where = LogFilter(
            run_id=run_id, min_level=min_level, step=step, agent=agent, text=text, after_seq=after_seq
        )
        found = await room.ask(lambda client: client.logs(where, limit=limit, cursor=cursor))
        return page(map(row_object, found.items), found.next)

    return on
