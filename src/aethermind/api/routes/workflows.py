"""Workflows that the engine keeps: registered ones, and files that it knows."""

from __future__ import annotations

import asyncio
from typing import Any

from aethermind.api import bodies, taking
from aethermind.api.executing import find, micro, needs_admin, start
from aethermind.api.problems import Refused
from aethermind.api.room import Room
from aethermind.api.route import DONE, Answer, Asked, Routes, json, page
from aethermind.api.shapes import Id, Nothing, page_of, shown
from aethermind.definitions.loader import LoadedWorkflow
from aethermind.domain.errors import NotFoundError
from aethermind.engine.queries import WorkflowRow
from aethermind.engine.registered import StoredWorkflow
from aethermind.engine.rows import row_object

Json = Any
WorkflowPage = page_of(shown(WorkflowRow, "WorkflowRow", origin=str), "WorkflowPage")
WorkflowShown = shown(StoredWorkflow, "Workflow", source=str | None)  # type: ignore[arg-type]  # a union is a type here


def stored_object(found: StoredWorkflow | LoadedWorkflow) -> dict[str, Json]:
    """One shape for what is registered and for files (`source`: its path)."""
    if isinstance(found, StoredWorkflow):
        return {**row_object(found), "source": None}
    shown = StoredWorkflow(
        name=found.definition.name,
        definition=found.definition,
        definition_hash=found.content_hash,
        updated_at=0,
        env_names=found.env_names,
        sim=found.sim,
        needs_trust=found.needs_trust,
    )
    return {**row_object(shown), "updated_at": None, "source": found.path}


def routes(room: Room) -> Routes:
    on = Routes("workflows")

    @on.get("/api/workflows", WorkflowPage, "Workflows.")
    async def workflows(all: bool = False) -> Answer:
        """Registered workflows; with `all` also files of the engine's user, and the samples."""
        rows = [
            {**row_object(row), "origin": "registered"}
            for row in await room.ask(lambda client: client.workflows())
        ]
        if all:
            taken = {row["name"] for row in rows}
            files = await asyncio.to_thread(room.library.listed)
            rows += [row for row in files if row["name"] not in taken]
        return page(rows)

    @on.get("/api/workflows/{name}", WorkflowShown, "The workflow.")
    async def workflow(name: str, all: bool = False) -> Answer:
        """A registered workflow by its name; with `all` also a file of the engine's user, or a sample."""
        if all:
            return json(stored_object(await find(room, name)))
        return json(stored_object(await room.ask(lambda client: client.workflow(name))))

    @on.post("/api/workflows", WorkflowShown, "It is registered.", status=201)
    async def create_workflow(asked: Asked, data: dict[str, Json]) -> Answer:
        """Register a workflow: as JSON of the file format, or `{"text": "…"}` with the text of a file."""
        given = await taking.workflow(room, data)
        name = given.definition.name
        if await known(name):
            raise Refused(409, f"there is a workflow {name} already", hint=f"PUT /api/workflows/{name}")
        return json(stored_object(await put(asked, given)), 201)

    @on.put("/api/workflows/{name}", WorkflowShown, "It is registered.")
    async def put_workflow(asked: Asked, name: str, data: dict[str, Json]) -> Answer:
        """Register a workflow under this name, or replace what was."""
        given = await taking.workflow(room, data)
        if given.definition.name != name:
            raise Refused(422, f"this workflow calls itself {given.definition.name}, not {name}")
        return json(stored_object(await put(asked, given)))

    @on.delete("/api/workflows/{name}", Nothing, "It is not registered any more.")
    async def remove_workflow(asked: Asked, name: str) -> Answer:
        """Take a registered workflow away. Its runs stay."""
        await room.ask(lambda client: client.remove_workflow(name, by=asked.by))
        return json(DONE)

    @on.post("/api/workflows/{name}/execute", Id, "The run is recorded.", status=201, needs="operator")
    async def execute_workflow(asked: Asked, name: str, data: bodies.Execute) -> Answer:
        """Start a run of a workflow that the engine knows. A registered one goes before a file."""
        if data.cwd is not None:
            needs_admin(asked)
        return await start(
            room,
            asked,
            await find(room, name),
            data.inputs,
            cwd=data.cwd,
            sim=data.sim,
            model=data.model,
            budget_micro_usd=micro(data.budget_usd),
            priority=data.priority,
            limit=data.limit,
        )

    async def known(name: str) -> bool:
        try:
            await room.ask(lambda client: client.workflow(name))
        except NotFoundError:
            return False
        return True

    async def put(asked: Asked, given: taking.Taken) -> StoredWorkflow:
        return await room.ask(
            lambda client: client.put_workflow(
                given.definition,
                by=asked.by,
                text=given.text,
                env_names=given.env_names,
                sim=given.sim,
                trusted=given.trusted,
            )
        )

    return on
