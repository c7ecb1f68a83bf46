"""The engine itself: its health, what it is, its end."""

from __future__ import annotations

import os
from typing import Any

import msgspec

from aethermind import __version__
from aethermind.api.room import Room
from aethermind.api.route import DONE, Answer, Asked, Routes, json
from aethermind.api.shapes import Health, Nothing, Ticket, shown
from aethermind.api.tickets import LIFE_S
from aethermind.domain.views import iso
from aethermind.engine.client import Client
from aethermind.engine.info import PROTOCOL, EngineInfo
from aethermind.engine.rows import row_object

EngineShown = shown(EngineInfo, "Engine", last_seq=int)


async def described(room: Room) -> dict[str, Any]:
    """`EngineInfo` as JSON, and the last seq that is recorded."""

    async def look(client: Client) -> tuple[EngineInfo, int]:
        return await client.engine_info(), await client.last_seq()

    info, seq = await room.ask(look)
    info = msgspec.structs.replace(info, watching=room.use.watchers)
    return {**row_object(info), "last_seq": seq}


def routes(room: Room) -> Routes:
    on = Routes("engine")

    @on.get("/api/health", Health, "It answers.", needs=None)
    async def health() -> Answer:
        """Whether the server answers."""
        found = {"status": "ok", "version": __version__, "protocol": PROTOCOL, "pid": os.getpid()}
        return json(found)

    @on.get("/api/engine", EngineShown, "The engine.")
    async def engine() -> Answer:
        """The engine: its process, the names of its keys, what lives in it."""
        return json(await described(room))

    @on.post("/api/engine/stop", Nothing, "It ends.", status=202)
    async def stop_engine(asked: Asked) -> Answer:
        """End the engine gracefully. Runs under way stay resumable."""
        await room.ask(lambda client: client.stop_engine(by=asked.by))
        return json(DONE, 202)

    @on.post("/api/ws-ticket", Ticket, "A ticket.", status=201, needs="viewer")
    async def ws_ticket(asked: Asked) -> Answer:
        """A ticket for one WebSocket (`/ws?ticket=…`). For pages that can't send a header; good for 30 s."""
        issued = room.tickets.issue(asked.identity)
        return json({"ticket": issued, "expires_at": iso(room.now() + int(LIFE_S * 1000))}, 201)

    return on
