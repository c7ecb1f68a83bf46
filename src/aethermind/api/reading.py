"""Runs, read from the log and folded here: the engine's loop only hands out what is recorded."""

from __future__ import annotations

import asyncio
from typing import Any

from aethermind import wire
from aethermind.api.room import Room
from aethermind.domain import views
from aethermind.domain.errors import NotFoundError
from aethermind.domain.events import LogWritten, Recorded
from aethermind.domain.run import Run, fold
from aethermind.domain.state import RunStatus
from aethermind.engine.client import Client
from aethermind.engine.queries import RunFilter

Json = Any
PAGE = 5_000
FEW = 2_000
"""Events that are folded in the loop; more of them in a thread."""
FEW_STEPS = 500
"""The same for steps that are written."""


async def run_of(room: Room, ref: str) -> tuple[Run, RunStatus]:
    """A run by its id, a prefix of it or `last`, and its status as the engine knows it. Raises
    `NotFoundError`, `InvalidError`."""

    async def look(client: Client) -> tuple[str, str, list[Recorded]]:
        run_id = await client.find_run(ref)
        rows = await client.runs(RunFilter(id_prefix=run_id), limit=1)
        status = rows.items[0].status if rows.items else ""
        return run_id, status, await client.events(run_id=run_id, limit=PAGE)

    run_id, status, history = await room.ask(look)
    if not history:
        raise NotFoundError(f"there is no run {run_id!r}", hint="aethermind runs")
    while len(history) % PAGE == 0 and (more := await events_of(room, run_id, after=history[-1].seq)):
        history += more
    facts = [recorded for recorded in history if not isinstance(recorded.event, LogWritten)]
    run = fold(run_id, facts) if len(facts) <= FEW else await asyncio.to_thread(fold, run_id, facts)
    return run, status or run.status  # type: ignore[return-value]  # rows carry the same names


async def shown(room: Room, ref: str) -> bytes:
    """The object of `show --json`. Raises `NotFoundError`, `InvalidError`."""
    run, status = await run_of(room, ref)

    def written() -> bytes:
        return wire.encode_json(views.run_object(run, status=status))

    return written() if len(run.nodes) <= FEW_STEPS else await asyncio.to_thread(written)


async def events_of(room: Room, run_id: str, *, after: int, limit: int = PAGE) -> list[Recorded]:
    """What is recorded of a run after this seq, logs too."""
    return await room.ask(lambda client: client.events(after=after, run_id=run_id, limit=limit))


async def must_exist(room: Room, run_id: str) -> None:
    """Raises `NotFoundError`."""
    found = await room.ask(lambda client: client.runs(RunFilter(id_prefix=run_id), limit=5))
    if all(row.id != run_id for row in found.items):
        raise NotFoundError(f"there is no run {run_id!r}", hint="aethermind runs")


def envelopes(recorded: list[Recorded], limit: int) -> bytes:
    """A page of them as JSON; `next` is the seq to go on after."""
    items = b",".join(map(wire.encode_envelope, recorded))
    following = str(recorded[-1].seq).encode() if len(recorded) >= limit else b"null"
    return b'{"items":[' + items + b'],"next":' + following + b"}"


def spans(run: Run) -> list[dict[str, Json]]:
    """The steps as a tree, as `show --tree` draws it."""
    from aethermind.domain.tree import tree_of

    top: list[dict[str, Json]] = []
    above: list[list[dict[str, Json]]] = [top]
    for row in tree_of(run, limit=1_000_000).rows:
        inside: list[dict[str, Json]] = []
        span: dict[str, Json] = {
            "path": row.path,
            "label": row.label,
            "status": row.status,
            "kind": row.kind,
            "note": row.note,
            "agent": row.agent,
            "started_at": row.started_at and wire.iso(row.started_at),
            "finished_at": row.finished_at and wire.iso(row.finished_at),
            "duration_ms": views.duration(row.started_at, row.finished_at),
            "tokens": row.tokens,
            "cost_micro_usd": row.cost_micro_usd,
            "unpriced": row.unpriced,
            "children": inside,
        }
        del above[row.depth + 1 :]
        above[-1].append(span)
        above.append(inside)
    return top
