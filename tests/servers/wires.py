"""The wire formats (`formats`) as servers: `good(wire, …)` and the faults are handlers for `http.serve`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

from aethermind.infra.providers.sim_invent import Inventor
from tests.servers.formats import (
    COUNTS,
    SIGNATURE,
    Anthropic,
    Asked,
    Chat,
    Counts,
    Ollama,
    Responses,
    Wire,
    sse,
)
from tests.servers.http import Handler, Reply, Request

__all__ = [
    "COUNTS",
    "SIGNATURE",
    "WIRES",
    "Anthropic",
    "Asked",
    "Chat",
    "Counts",
    "Ollama",
    "Responses",
    "Wire",
    "sse",
]

WIRES: tuple[Wire, ...] = (Chat(), Responses(), Anthropic(), Ollama())


# --- handlers ----------------------------------------------------------------------------------


def good(wire: Wire, text: str = "Hello, tides.", counts: Counts | None = COUNTS, **more: Any) -> Handler:
    """A whole answer."""
    return raw(wire, wire.chunks(text, counts, **more))


def raw(wire: Wire, chunks: Sequence[bytes], *, content_type: str | None = None) -> Handler:
    """Exactly these chunks with status 200, then a clean end."""

    async def handle(request: Request, reply: Reply) -> None:
        await reply.start(200, content_type or wire.content_type)
        await reply.send(*chunks)
        await reply.end()

    return handle


def status(
    wire: Wire, number: int, message: str = "no", *, code: str = "", kind: str = "", **headers: str
) -> Handler:
    """An error status in the vendor's form."""

    async def handle(request: Request, reply: Reply) -> None:
        await reply.whole(number, wire.error(message, code=code, kind=kind), "application/json", **headers)

    return handle


def page(number: int = 200) -> Handler:
    """A web page: a captive portal, a proxy, a wrong address."""

    async def handle(request: Request, reply: Reply) -> None:
        await reply.whole(number, b"<!doctype html><html><body>Sign in</body></html>", "text/html")

    return handle


def dropped(wire: Wire, chunks: Sequence[bytes]) -> Handler:
    """These chunks, then the connection breaks."""

    async def handle(request: Request, reply: Reply) -> None:
        await reply.start(200, wire.content_type)
        await reply.send(*chunks)
        reply.drop()

    return handle


def dripping(wire: Wire) -> Handler:
    """One more piece whenever the last was taken, without an end."""

    async def handle(request: Request, reply: Reply) -> None:
        await reply.start(200, wire.content_type)
        while not reply.gone.is_set():
            await reply.send(*wire.cut("x"))
            await asyncio.sleep(0)

    return handle


def moved(target: str) -> Handler:
    """A redirect that keeps method and body."""

    async def handle(request: Request, reply: Reply) -> None:
        await reply.whole(307, b"", "text/plain", location=target)

    return handle


def stalled(wire: Wire, chunks: Sequence[bytes], *, headers: bool = True) -> Handler:
    """These chunks, then silence for as long as the client stays."""

    async def handle(request: Request, reply: Reply) -> None:
        if headers:
            await reply.start(200, wire.content_type)
            await reply.send(*chunks)
        await reply.hang()

    return handle


def echo(wire: Wire, counts: Counts | None = COUNTS) -> Handler:
    """A model that knows nothing: it quotes the last message, or makes up a value that fits the schema it was
    sent. For runs of whole workflows."""

    async def handle(request: Request, reply: Reply) -> None:
        body = request.json
        prompt = (body.get("messages") or body.get("input"))[-1]["content"]
        schema = schema_of(body)
        text = f"You said: {prompt}"
        if schema is not None:
            text = json.dumps(Inventor("echo", prompt).value(schema))
        await raw(wire, wire.chunks(text, counts))(request, reply)

    return handle


def schema_of(body: Mapping[str, Any]) -> Any:
    """The JSON Schema of a request, wherever its API puts it."""
    places = (
        ("response_format", "json_schema", "schema"),
        ("text", "format", "schema"),
        ("output_config", "format", "schema"),
        ("format",),
    )
    for place in places:
        found: Any = body
        for name in place:
            found = found.get(name) if isinstance(found, Mapping) else None
        if found is not None:
            return found
    return None
