"""Definitions that are sent: as the text of a file, as JSON of the file format, or ready made by a client."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from aethermind import wire
from aethermind.api.problems import Refused
from aethermind.api.room import Room
from aethermind.domain.errors import InvalidError
from aethermind.domain.workflow import AgentDef, WorkflowDef

Json = Any


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """A workflow as it is to be registered."""

    definition: WorkflowDef
    text: str | None = None
    env_names: tuple[str, ...] = ()
    sim: dict[str, Json] = {}
    trusted: bool = True
    """Only an admin can send one."""


class TakenAgent(msgspec.Struct, frozen=True, kw_only=True):
    definition: AgentDef
    env_names: tuple[str, ...] = ()


async def workflow(room: Room, data: dict[str, Json]) -> Taken:
    """Raises `Refused`, `InvalidError` with the place in the text."""
    if "definition" in data:
        taken: Taken = _converted(data, Taken)
        return taken
    text = data["text"] if data.keys() == {"text"} else wire.encode_json(data).decode()
    if not isinstance(text, str):
        raise Refused(400, "text is the text of a workflow file")
    loaded = await asyncio.to_thread(room.library.read, text, "workflow")
    given = text if data.keys() == {"text"} else None
    return Taken(definition=loaded.definition, text=given, env_names=loaded.env_names, sim=loaded.sim)


async def agent(room: Room, name: str, data: dict[str, Json]) -> TakenAgent:
    """An agent as it stands in a workflow file under `agents:`. Raises `Refused`, `InvalidError`."""
    if "definition" in data:
        taken: TakenAgent = _converted(data, TakenAgent)
        return taken
    about = {key: value for key, value in data.items() if key != "name"}
    around = {
        "name": "agent",
        "agents": {name: about},
        "steps": [{"id": "ask", "agent": name, "prompt": "?"}],
    }
    try:
        loaded = await asyncio.to_thread(room.library.read, wire.encode_json(around).decode(), "agent")
    except InvalidError as error:
        raise InvalidError(error.message, hint=error.hint) from None  # its place is in a text of ours
    return TakenAgent(definition=loaded.definition.agents[name], env_names=loaded.env_names)


def _converted(data: dict[str, Json], kind: Any) -> Any:
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        raise Refused(400, str(error)) from None
