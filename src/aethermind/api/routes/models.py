"""Models, and how their providers are doing."""

from __future__ import annotations

from aethermind.api.room import Room
from aethermind.api.route import Answer, Routes, page
from aethermind.api.shapes import page_of, shown
from aethermind.engine.lane import LaneState
from aethermind.engine.ports import ModelInfo
from aethermind.engine.rows import row_object

ModelPage = page_of(shown(ModelInfo, "Model"), "ModelPage")
LanePage = page_of(shown(LaneState, "Lane"), "LanePage")


def routes(room: Room) -> Routes:
    on = Routes("models")

    @on.get("/api/models", ModelPage, "Models.")
    async def models() -> Answer:
        """Models that the engine knows, and what `fast` and `smart` mean there. Prices are micro-USD per
        million tokens."""
        return page(map(row_object, await room.ask(lambda client: client.models())))

    @on.get("/api/lanes", LanePage, "Lanes.")
    async def lanes() -> Answer:
        """Models that are being called, or may not be just now, and why."""
        return page(map(row_object, await room.ask(lambda client: client.lanes())))

    return on
