"""Runs: list, start, look, wait."""

from __future__ import annotations

import asyncio
from typing import Annotated

import msgspec

from aethermind.api import bodies
from aethermind.api.executing import micro, start, tags
from aethermind.api.problems import Refused
from aethermind.api.reading import envelopes, events_of, must_exist, run_of, spans
from aethermind.api.reading import shown as shown_run
from aethermind.api.room import Room
from aethermind.api.route import Answer, Asked, Routes, json, page
from aethermind.api.shapes import Events, Id, RunShown, Settled, Trace, page_of, shown
from aethermind.domain import views
from aethermind.domain.ids import run_id_of
from aethermind.domain.state import RunStatus
from aethermind.engine.client import Client, RunRequest
from aethermind.engine.queries import CallRow, Partial, RunFilter, RunRow
from aethermind.engine.registered import check_workflow
from aethermind.engine.rows import row_object, run_row

Limit = Annotated[int, msgspec.Meta(ge=1, le=1_000)]
Many = Annotated[int, msgspec.Meta(ge=1, le=5_000)]
Seq = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=30)]

RunPage = page_of(shown(RunRow, "RunRow", duration_ms=int | None), "RunPage")  # type: ignore[arg-type]  # a union is a type here
CallPage = page_of(shown(CallRow), "CallPage")
PartialPage = page_of(shown(Partial), "PartialPage")


def routes(room: Room) -> Routes:
    on, ask = Routes("runs"), room.ask

    @on.get("/api/runs", RunPage, "Runs, newest first.")
    async def runs(
        status: RunStatus | None = None,
        workflow: str | None = None,
        id_prefix: str | None = None,
        unfinished: bool = False,
        text: str | None = None,
        limit: Limit = 50,
        cursor: str | None = None,
    ) -> Answer:
        """List runs, newest first."""
        where = RunFilter(
            status=status, workflow=workflow, id_prefix=id_prefix, unfinished=unfinished, text=text
        )
        found = await ask(lambda client: client.runs(where, limit=limit, cursor=cursor))
        return page(map(run_row, found.items), found.next)

    @on.post("/api/runs", Id, "It is recorded.", status=201)
    async def submit(asked: Asked, data: RunRequest) -> Answer:
        """Start a run of a whole definition, as another terminal of the same user sends it."""
        check_workflow(data.definition)
        wanted = msgspec.structs.replace(data, tags={**data.tags, **tags(asked)}, by=asked.by)
        return json({"id": await ask(lambda client: client.start_run(wanted))}, 201)

    @on.post("/api/runs/text", Id, "It is recorded.", status=201)
    async def submit_text(asked: Asked, data: bodies.RunText) -> Answer:
        """Start a run of a workflow that is sent along as the text of its file."""
        loaded = await asyncio.to_thread(room.library.read, data.text, data.name)
        return await start(
            room,
            asked,
            loaded,
            data.inputs,
            cwd=data.cwd,
            sim=data.sim,
            model=data.model,
            budget_micro_usd=micro(data.budget_usd),
            priority=data.priority,
            limit=data.limit,
        )

    @on.get("/api/runs/{run_id}", RunShown, "The run.")
    async def show(run_id: str) -> Answer:
        """One run with its steps, attempts and calls; by id, the beginning of one, or `last`."""
        return Answer(await shown_run(room, run_id))

    @on.get("/api/runs/{run_id}/id", Id, "The id.")
    async def find(run_id: str) -> Answer:
        """The full id of a run, from the beginning of it or `last`."""
        return json({"id": await ask(lambda client: client.find_run(run_id))})

    @on.get("/api/runs/{run_id}/events", Events, "Events and logs.")
    async def events(run_id: str, after: Seq = 0, limit: Many = 1_000) -> Answer:
        """What is recorded of a run after a seq, in order."""
        found = await events_of(room, run_id, after=after, limit=limit)
        if not found:
            await must_exist(room, run_id)
        return Answer(envelopes(found, limit))

    @on.get("/api/events", Events, "Events and logs.")
    async def all_events(after: Seq = 0, stream: str | None = None, limit: Many = 1_000) -> Answer:
        """What is recorded after a seq, in order: everything, or one stream (`run/ID`)."""
        run_id = None if stream is None else run_id_of(stream)
        if stream is not None and run_id is None:
            raise Refused(400, "stream is run/ID", hint="left out, it is everything")
        found = await ask(lambda client: client.events(after=after, run_id=run_id, limit=limit))
        return Answer(envelopes(found, limit))

    @on.get("/api/runs/{run_id}/calls", CallPage, "Calls, oldest first.")
    async def calls(run_id: str, limit: Limit = 1_000, cursor: str | None = None) -> Answer:
        """The model calls of a run."""
        found = await ask(lambda client: client.calls(run_id, limit=limit, cursor=cursor))
        if not found.items:
            await must_exist(room, run_id)
        return page(map(row_object, found.items), found.next)

    @on.get("/api/runs/{run_id}/partials", PartialPage, "Texts.")
    async def partials(run_id: str) -> Answer:
        """What calls in flight have said so far."""
        found = await ask(lambda client: client.partials(run_id))
        if not found:
            await must_exist(room, run_id)
        return page(map(row_object, found))

    @on.get("/api/runs/{run_id}/wait", Settled, "Whether it rests.")
    async def wait(run_id: str, timeout_s: Seconds = 30.0) -> Answer:
        """Until the run is over or can't go on without a decision, or for so many seconds."""

        async def rest(client: Client) -> int | None:
            try:
                return (await asyncio.wait_for(client.wait(run_id), timeout_s)).seq
            except TimeoutError:
                return None

        seq = await room.ask_while_open(rest)
        return json({"settled": seq is not None, "seq": seq})

    @on.get("/api/traces/{run_id}", Trace, "The tree.")
    async def trace(run_id: str) -> Answer:
        """The steps of a run as a tree of spans."""
        run, status = await run_of(room, run_id)
        return json({"run": views.run_object(run, status=status)["run"], "spans": spans(run)})

    return on
