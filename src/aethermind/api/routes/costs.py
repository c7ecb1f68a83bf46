"""Money: sums of calls, and what may be spent on a day."""

from __future__ import annotations

from typing import Annotated

import msgspec

from aethermind.api import bodies
from aethermind.api.room import Room
from aethermind.api.route import DONE, Answer, Asked, Routes, json, page
from aethermind.api.shapes import Nothing, page_of, shown
from aethermind.engine.queries import CostFilter, CostGroup, CostRow, LedgerRow
from aethermind.engine.rows import row_object

CostPage = page_of(shown(CostRow), "CostPage")
Ledger = shown(LedgerRow, "DayBudget")
Count = Annotated[int, msgspec.Meta(ge=1, le=100_000)]
Millis = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


def routes(room: Room) -> Routes:
    on = Routes("costs")

    @on.get("/api/costs", CostPage, "One sum for each.")
    async def costs(
        by: CostGroup = "model",
        since: Millis | None = None,
        simulated: bool = False,
        limit: Count | None = None,
    ) -> Answer:
        """Tokens and money of calls since a time (epoch milliseconds). Real and simulated are never mixed."""
        where = CostFilter(by=by, since=since, simulated=simulated, limit=limit)
        return page(map(row_object, await room.ask(lambda client: client.costs(where))))

    @on.get("/api/day-budget", Ledger, "The money of this UTC day.")
    async def day_budget(simulated: bool = False) -> Answer:
        """What all runs together have spent on this UTC day, and may."""
        return json(row_object(await room.ask(lambda client: client.day_budget(simulated=simulated))))

    @on.post("/api/day-budget", Nothing, "It is recorded.", needs="operator")
    async def raise_day_budget(asked: Asked, data: bodies.DayBudget) -> Answer:
        """Set what all runs together may spend on this UTC day, and on this day only."""
        await room.ask(
            lambda client: client.raise_day_budget(data.micro_usd, simulated=data.simulated, by=asked.by)
        )
        return json(DONE)

    return on
