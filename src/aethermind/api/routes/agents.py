"""Agents: those that are registered, and those that runs have used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aethermind import wire
from aethermind.api import bodies, taking
from aethermind.api.executing import micro, start
from aethermind.api.problems import Refused
from aethermind.api.room import Room
from aethermind.api.route import DONE, Answer, Asked, Routes, json, page
from aethermind.api.shapes import Id, Nothing, page_of, shown
from aethermind.domain.errors import InvalidError, NotFoundError
from aethermind.engine.agents import Agent
from aethermind.engine.queries import AgentRow
from aethermind.engine.registered import StoredAgent, StoredWorkflow
from aethermind.engine.rows import row_object

Json = Any
AgentPage = page_of(shown(AgentRow, "AgentRow"), "AgentPage")
AgentShown = shown(StoredAgent, "Agent")


def routes(room: Room) -> Routes:
    on = Routes("agents")

    @on.get("/api/agents", AgentPage, "Agents.")
    async def agents() -> Answer:
        """Agents that are registered, and those that runs have used."""
        return page(map(row_object, await room.ask(lambda client: client.agents())))

    @on.get("/api/agents/{name}", AgentShown, "The agent.")
    async def agent(name: str) -> Answer:
        """A registered agent."""
        return json(row_object(await room.ask(lambda client: client.agent(name))))

    @on.post("/api/agents", AgentShown, "It is registered.", status=201)
    async def create_agent(asked: Asked, data: dict[str, Json]) -> Answer:
        """Register an agent: `{"name": …}` and the fields that it has in a workflow file."""
        name = data.get("name")
        if not isinstance(name, str) or not name:
            raise Refused(400, "an agent needs a name")
        given = await taking.agent(room, name, data)
        if await known(name):
            raise Refused(409, f"there is an agent {name} already", hint=f"PUT /api/agents/{name}")
        return json(row_object(await put(asked, name, given)), 201)

    @on.put("/api/agents/{name}", AgentShown, "It is registered.")
    async def put_agent(asked: Asked, name: str, data: dict[str, Json]) -> Answer:
        """Register an agent under this name, or replace what was."""
        if data.get("name", name) != name:
            raise Refused(422, f"this agent calls itself {data['name']}, not {name}")
        return json(row_object(await put(asked, name, await taking.agent(room, name, data))))

    @on.delete("/api/agents/{name}", Nothing, "It is not registered any more.")
    async def remove_agent(asked: Asked, name: str) -> Answer:
        """Take a registered agent away. Its runs stay."""
        await room.ask(lambda client: client.remove_agent(name, by=asked.by))
        return json(DONE)

    @on.post("/api/agents/{name}/execute", Id, "The run is recorded.", status=201, needs="operator")
    async def execute_agent(asked: Asked, name: str, data: bodies.ExecuteAgent) -> Answer:
        """Start a run of one registered agent, with a step of its own."""
        stored = await room.ask(lambda client: client.agent(name))
        if stored.logic:
            raise InvalidError(
                f"agent {name} is a function of the program that registered it", hint="run it there"
            )
        alone = Agent(stored.definition).workflow()
        target = StoredWorkflow(
            name=alone.name,
            definition=alone,
            definition_hash=wire.digest(alone),
            updated_at=stored.updated_at,
            env_names=stored.env_names,
            trusted=True,  # only an admin can register it
        )
        return await start(
            room,
            asked,
            target,
            {"prompt": prompt_of(data.inputs)},
            sim=data.sim,
            model=data.model,
            budget_micro_usd=micro(data.budget_usd),
            priority=data.priority,
        )

    async def known(name: str) -> bool:
        try:
            await room.ask(lambda client: client.agent(name))
        except NotFoundError:
            return False
        return True

    async def put(asked: Asked, name: str, given: taking.TakenAgent) -> StoredAgent:
        return await room.ask(
            lambda client: client.put_agent(name, given.definition, by=asked.by, env_names=given.env_names)
        )

    return on


def prompt_of(inputs: Json) -> str:
    """As the SDK's `execute_agent` prompts: a text, its `prompt`, or the JSON of it all."""
    if isinstance(inputs, str):
        return inputs
    if isinstance(inputs, Mapping) and isinstance(inputs.get("prompt"), str):
        return str(inputs["prompt"])
    return wire.encode_json(inputs).decode()
