"""The engine itself: its health, what it is, its end."""

from __future__ import annotations

import os
from typing import Any

import msgspec
from litestar import get, post

from aethermind import __version__
from aethermind.api.answers import DONE, Answer, Asked, gives, json, who
from aethermind.api.room import Room
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

    info, seq = await room.engine.ask(look)
    info = msgspec.structs.replace(info, watching=max(info.watching, room.use.watchers))
    return {**row_object(info), "last_seq": seq}


def routes(room: Room) -> list[Any]:
    @get("/api/health", responses=gives(Health, "It answers."), security=[{}], tags=["engine"])
    async def health() -> Answer:
        """Whether the server answers. Needs no token."""
        found = {"status": "ok", "version": __version__, "protocol": PROTOCOL, "pid": os.getpid()}
        return json(found)

    @get("/api/engine", responses=gives(EngineShown, "The engine."), tags=["engine"])
    async def engine() -> Answer:
        """The engine: its process, the names of its keys, what lives in it."""
        return json(await described(room))

    @post("/api/engine/stop", status_code=202, responses=gives(Nothing, "It ends.", 202), tags=["engine"])
    async def stop(request: Asked) -> Answer:
        """End the engine gracefully: runs under way stay resumable."""
        by = who(request).by
        await room.engine.ask(lambda client: client.stop_engine(by=by))
        return json(DONE, 202)

    @post(
        "/api/ws-ticket",
        status_code=201,
        responses=gives(Ticket, "A ticket.", 201),
        opt={"scope": "viewer"},
        tags=["engine"],
    )
    async def ticket(request: Asked) -> Answer:
        """A ticket for one WebSocket (`/ws?ticket=…`), for pages that can't send a header."""
        issued = room.tickets.issue(who(request))
        return json({"ticket": issued, "expires_at": iso(room.now() + int(LIFE_S * 1000))}, 201)

    return [health, engine, stop, ticket]
