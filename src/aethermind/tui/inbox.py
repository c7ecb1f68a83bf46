"""Reading what waits for a person, over all runs. Runs in the engine's loop, so that only rows come over."""

from __future__ import annotations

from aethermind.domain.errors import NotFoundError
from aethermind.engine.client import Client
from aethermind.engine.queries import RunFilter
from aethermind.tui.rows.inbox import Waiting, ordered, waiting

_PAGE = 200
_IDLE = frozenset({"queued"})
"""Nothing of them has begun, so nothing can ask."""


async def gather(client: Client) -> list[Waiting]:
    """Every open decision of every run that is not over; what waits longest comes first."""
    found: list[Waiting] = []
    cursor: str | None = None
    while True:
        page = await client.runs(RunFilter(unfinished=True), limit=_PAGE, cursor=cursor)
        for row in page.items:
            if row.status in _IDLE:
                continue
            try:
                found += waiting(await client.run(row.id))
            except NotFoundError:
                continue  # pruned meanwhile
        cursor = page.next
        if cursor is None:
            return ordered(found)
