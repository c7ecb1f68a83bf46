"""Runs: list, start, look, wait."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import msgspec
from litestar import get, post
from litestar.params import Parameter

from aethermind.api import bodies
from aethermind.api.answers import Answer, Asked, gives, json, page, raw, tags, who
from aethermind.api.executing import micro, start
from aethermind.api.reading import envelopes, events_of, must_exist, run_of, spans
from aethermind.api.room import Room
from aethermind.api.shapes import Events, Id, RunShown, Settled, Trace, page_of, shown
from aethermind.domain import views
from aethermind.domain.state import RunStatus
from aethermind.engine.client import Client, RunRequest
from aethermind.engine.queries import CallRow, Partial, RunFilter, RunRow
from aethermind.engine.registered import check_workflow
from aethermind.engine.rows import row_object, run_row

Limit = Annotated[int, Parameter(ge=1, le=1_000)]
Many = Annotated[int, Parameter(ge=1, le=5_000)]
Seq = Annotated[int, Parameter(ge=0, le=2**62)]
Seconds = Annotated[float, Parameter(ge=0, le=30)]

RunPage = page_of(shown(RunRow, "RunRow", duration_ms=int | None), "RunPage")  # type: ignore[arg-type]  # a union is a type here
CallPage = page_of(shown(CallRow), "CallPage")
PartialPage = page_of(shown(Partial), "PartialPage")


def routes(room: Room) -> list[Any]:
    ask = room.engine.ask

    @get("/api/runs", responses=gives(RunPage, "Runs, newest first."), tags=["runs"])
    async def runs(
        status: RunStatus | None = None,
        workflow: str | None = None,
        id_prefix: str | None = None,
        unfinished: bool = False,
        limit: Limit = 50,
        cursor: str | None = None,
    ) -> Answer:
        """List runs, newest first."""
        where = RunFilter(status=status, workflow=workflow, id_prefix=id_prefix, unfinished=unfinished)
        found = await ask(lambda client: client.runs(where, limit=limit, cursor=cursor))
        return page(map(run_row, found.items), found.next)

    @post("/api/runs", status_code=201, responses=gives(Id, "It is recorded.", 201), tags=["runs"])
    async def submit(request: Asked, data: RunRequest) -> Answer:
        """Start a run of a whole definition, as another terminal of the same user sends it."""
        check_workflow(data.definition)
        identity = who(request)
        asked = msgspec.structs.replace(data, tags={**data.tags, **tags(request)}, by=identity.by)
        return json({"id": await ask(lambda client: client.start_run(asked))}, 201)

    @post("/api/runs/text", status_code=201, responses=gives(Id, "It is recorded.", 201), tags=["runs"])
    async def submit_text(request: Asked, data: bodies.RunText) -> Answer:
        """Start a run of a workflow that is sent along as the text of its file."""
        loaded = await asyncio.to_thread(room.library.read, data.text, data.name)
        return await start(
            room,
            request,
            loaded,
            data.inputs,
            cwd=data.cwd,
            sim=data.sim,
            model=data.model,
            budget_micro_usd=micro(data.budget_usd),
            priority=data.priority,
            limit=data.limit,
        )

    @get("/api/runs/{run_id:str}", responses=gives(RunShown, "The run."), tags=["runs"])
    async def show(run_id: str) -> Answer:
        """One run with its steps, attempts and calls; by id, the beginning of one, or `last`."""
        run, status = await run_of(room.engine, run_id)
        return json(views.run_object(run, status=status))

    @get("/api/runs/{run_id:str}/id", responses=gives(Id, "The id."), tags=["runs"])
    async def find(run_id: str) -> Answer:
        """The full id of a run, from the beginning of it or `last`."""
        return json({"id": await ask(lambda client: client.find_run(run_id))})

    @get("/api/runs/{run_id:str}/events", responses=gives(Events, "Events and logs."), tags=["runs"])
    async def events(run_id: str, after: Seq = 0, limit: Many = 1_000) -> Answer:
        """What is recorded of a run after a seq, in order."""
        found = await events_of(room.engine, run_id, after=after, limit=limit)
        if not found:
            await must_exist(room.engine, run_id)
        return raw(envelopes(found, limit))

    @get("/api/events", responses=gives(Events, "Events and logs."), tags=["runs"])
    async def all_events(after: Seq = 0, limit: Many = 1_000) -> Answer:
        """Everything that is recorded after a seq, in order."""
        found = await ask(lambda client: client.events(after=after, limit=limit))
        return raw(envelopes(found, limit))

    @get("/api/runs/{run_id:str}/calls", responses=gives(CallPage, "Calls, oldest first."), tags=["runs"])
    async def calls(run_id: str, limit: Limit = 1_000, cursor: str | None = None) -> Answer:
        """The model calls of a run."""
        found = await ask(lambda client: client.calls(run_id, limit=limit, cursor=cursor))
        if not found.items:
            await must_exist(room.engine, run_id)
        return page(map(row_object, found.items), found.next)

    @get("/api/runs/{run_id:str}/partials", responses=gives(PartialPage, "Texts."), tags=["runs"])
    async def partials(run_id: str) -> Answer:
        """What calls in flight have said so far."""
        found = await ask(lambda client: client.partials(run_id))
        if not found:
            await must_exist(room.engine, run_id)
        return page(map(row_object, found))

    @get("/api/runs/{run_id:str}/wait", responses=gives(Settled, "Whether it rests."), tags=["runs"])
    async def wait(run_id: str, timeout_s: Seconds = 30.0) -> Answer:
        """Until the run is over or can't go on without a decision, or for so many seconds."""

        async def rest(client: Client) -> int | None:
            try:
                return (await asyncio.wait_for(client.wait(run_id), timeout_s)).seq
            except TimeoutError:
                return None

        seq = await ask(rest)
        return json({"settled": seq is not None, "seq": seq})

    @get("/api/traces/{run_id:str}", responses=gives(Trace, "The tree."), tags=["runs"])
    async def trace(run_id: str) -> Answer:
        """The steps of a run as a tree of spans."""
        run, status = await run_of(room.engine, run_id)
        return json({"run": views.run_object(run, status=status)["run"], "spans": spans(run)})

    return [
        *(runs, submit, submit_text, show, find, events, all_events),
        *(calls, partials, wait, trace),
    ]
