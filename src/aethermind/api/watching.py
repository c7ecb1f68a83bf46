"""One WebSocket: a snapshot, what was missed, then what comes.

    {"type":"snapshot","seq":N,"partials":[…],"engine":{…}}    first; everything after N follows
    {"type":"events","events":[envelope, …]}                   in the order of seq
    {"type":"signals","signals":[{"type":"TokenDelta"|"Notice", …}]}
    {"type":"ping"}                                            every 15 s

A client sends nothing but pongs and its close.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from aethermind import wire
from aethermind.api.identity import Identity
from aethermind.api.pages import PAGE
from aethermind.api.problems import Refused, encoded, problem_of
from aethermind.api.reading import must_exist
from aethermind.api.routes.engine import described
from aethermind.api.stream import PARTIALS_S, Channel, Group, Watcher, signals_text
from aethermind.domain.errors import AethermindError, BusyError
from aethermind.domain.ids import run_id_of
from aethermind.engine.client import Client
from aethermind.engine.queries import Partial, RunFilter
from aethermind.engine.rows import row_object

if TYPE_CHECKING:
    from aethermind.api.door import Receive, Scope, Send
    from aethermind.api.room import Room

PING_S = 15.0
MOST_RUNNING = 100
"""Runs whose partial texts a snapshot of everything holds."""
GOODBYE_S = 5.0
STALLED_S = 60.0
"""A watcher that takes nothing for so long is sent away."""
BATCH_MS = 50
SLOWEST_MS = 5_000

VIOLATION, ENDING, AGAIN = 1008, 1012, 1013
Tell = Callable[[str], Awaitable[None]]


class Stream:
    """The application behind `/ws`."""

    def __init__(self, room: Room) -> None:
        self._room = room

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if self._room.ending.is_set():
                raise BusyError("the engine is ending", hint="ask again")
            run_id, after, batch_ms = _wanted(scope["query_string"].decode("latin-1"))
            if run_id is not None:
                await must_exist(self._room, run_id)
            watcher, group, channel = await self._room.hub.join(run_id, after, batch_ms)
        except (AethermindError, Refused) as error:
            await _turn_away(send, error)
            return
        identity: Identity = scope["state"]["identity"]
        attached = self._room.attached
        attached[identity.key] += 1
        try:
            await send({"type": "websocket.accept"})
            sending = asyncio.ensure_future(self._send_all(watcher, group, channel, identity, send))
            hearing = asyncio.ensure_future(_hear(receive))
            try:
                await asyncio.wait({sending, hearing}, return_when=asyncio.FIRST_COMPLETED)
                if sending.done():
                    code, why = _end_of(sending)
                else:
                    code, why = VIOLATION, "nothing is to be sent here"
                if sending.done() or hearing.result():
                    async with asyncio.timeout(GOODBYE_S):
                        await send({"type": "websocket.close", "code": code, "reason": why})
            finally:
                sending.cancel()
                hearing.cancel()
                await asyncio.gather(sending, hearing, return_exceptions=True)
        except TimeoutError:
            scope["state"]["abort"]()  # it takes nothing, not even a good-bye
        except OSError:
            return  # the line is gone
        finally:
            attached[identity.key] -= 1
            if not attached[identity.key]:
                del attached[identity.key]
            self._room.hub.leave(watcher, group, channel)

    async def _send_all(
        self, watcher: Watcher, group: Group, channel: Channel, identity: Identity, send: Send
    ) -> tuple[int, str]:
        """Until there is a reason to close: its code and words. Raises `TimeoutError` if it takes nothing."""

        async def tell(text: str) -> None:
            async with asyncio.timeout(STALLED_S):
                await send({"type": "websocket.send", "text": text})

        loop = asyncio.get_running_loop()
        ping_at = loop.time() + PING_S
        await tell(await self._snapshot(watcher, channel))
        while True:
            await self._catch_up(watcher, group, channel, tell)
            watcher.ready.clear()
            while watcher.batches and not watcher.behind:
                if (text := watcher.take()) is not None:
                    await tell(text)
            if watcher.notices:
                notices, watcher.notices = watcher.notices, []
                await tell(signals_text(list(notices)))
            if watcher.over and not watcher.behind and not watcher.batches:
                return ENDING, "the engine ends"
            if watcher.broken is not None:
                return AGAIN, watcher.broken[:100]
            if loop.time() >= ping_at:
                ping_at = loop.time() + PING_S
                if not await self._still_welcome(identity):
                    return VIOLATION, "the token is not valid any more"
                await tell('{"type":"ping"}')
            if not watcher.behind and not watcher.batches:
                await _until(watcher.ready, ping_at)

    async def _snapshot(self, watcher: Watcher, channel: Channel) -> str:
        snapshot = {
            "type": "snapshot",
            "seq": watcher.position,
            "partials": [row_object(partial) for partial in await self._partials(channel)],
            "engine": await described(self._room),
        }
        return wire.encode_json(snapshot).decode()

    async def _partials(self, channel: Channel) -> list[Partial]:
        run_id, loop = channel.run_id, asyncio.get_running_loop()
        at, known = channel.partials
        if loop.time() - at < PARTIALS_S:
            return known

        async def look(client: Client) -> list[Partial]:
            if run_id is not None:
                return await client.partials(run_id)
            rows = await client.runs(RunFilter(status="running"), limit=MOST_RUNNING)
            return [partial for row in rows.items for partial in await client.partials(row.id)]

        found = await self._room.ask(look)
        channel.partials = (loop.time(), found)
        return found

    async def _catch_up(self, watcher: Watcher, group: Group, channel: Channel, tell: Tell) -> None:
        """Read from the log what the watcher lacks, up to where the next batch begins."""
        while watcher.behind:
            until = group.sent
            watcher.behind = False
            watcher.clear()
            while watcher.position < until:
                page = await channel.pages.after(watcher.position, until)
                fresh = page.up_to(until)
                if (text := fresh.text(watcher.position)) is not None:
                    watcher.position = fresh.seqs[-1]
                    await tell(text)
                if len(fresh.seqs) < PAGE:
                    break
            watcher.position = max(watcher.position, until)

    async def _still_welcome(self, identity: Identity) -> bool:
        """Whether the token it came with is still good."""
        if identity.token_id is None:
            return True
        tokens = await self._room.ask(lambda client: client.tokens())
        now = self._room.now()
        return any(
            row.id == identity.token_id
            and row.revoked_at is None
            and (row.expires_at is None or row.expires_at > now)
            for row in tokens
        )


def _wanted(query: str) -> tuple[str | None, int | None, int]:
    """What is asked for: a run or everything, from which seq, how often. Raises `Refused`."""
    given = {name: values[-1] for name, values in parse_qs(query, keep_blank_values=True).items()}
    if unknown := sorted(given.keys() - {"after", "stream", "batch_ms", "ticket"}):
        raise Refused(400, f"unknown parameter {unknown[0]!r}", hint="after, stream, batch_ms, ticket")
    run_id = None
    if "stream" in given:
        run_id = run_id_of(given["stream"])
        if run_id is None:
            raise Refused(400, "stream is run/ID", hint="left out, it is everything")
    return (
        run_id,
        _number(given, "after", None, 2**62),
        _number(given, "batch_ms", BATCH_MS, SLOWEST_MS) or 0,
    )


def _number(given: dict[str, str], name: str, default: int | None, most: int) -> int | None:
    text = given.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit()) or len(text) > 19 or int(text) > most:
        raise Refused(400, f"{name} is a number from 0 to {most}")
    return int(text)


def _end_of(sending: asyncio.Future[tuple[int, str]]) -> tuple[int, str]:
    """The code and words of the end. Raises `OSError` for a line that is gone, `TimeoutError`."""
    try:
        return sending.result()
    except AethermindError as error:  # the engine is ending, or its store can't be read
        return AGAIN, error.message[:100]


async def _until(ready: asyncio.Event, at: float) -> None:
    """Until something is there, or until then (the loop's time)."""
    if not ready.is_set():
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(at):
                await ready.wait()


async def _hear(receive: Receive) -> bool:
    """True when the client sent something, False when it is gone."""
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return False
        if message["type"] == "websocket.receive":
            return True


async def _turn_away(send: Send, error: Exception) -> None:
    found = problem_of(error)
    body = encoded(found)
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "websocket.http.response.start", "status": found["status"], "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})
