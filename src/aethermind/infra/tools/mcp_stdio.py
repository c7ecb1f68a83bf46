"""The pipes of an MCP server that was started here: one JSON-RPC message a line."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio
import mcp_types
from mcp.client._transport import TransportStreams
from mcp.shared.message import SessionMessage

from aethermind.infra.children.dialog import Dialog

MAX_MESSAGE = 16 * 1024 * 1024
"""Bytes of one message. A server that sends more is not listened to any longer."""


@asynccontextmanager
async def streams_over(dialog: Dialog) -> AsyncIterator[TransportStreams]:
    """A transport for `mcp.Client`. The client sees the end of the server's output as a closed connection."""
    to_client, read = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    write, from_client = anyio.create_memory_object_stream[SessionMessage](0)

    async def listen() -> None:
        async with to_client:
            async for line in _lines(dialog):
                await to_client.send(_message(line))

    async def speak() -> None:
        try:
            async with from_client:
                async for sent in from_client:
                    line = sent.message.model_dump_json(by_alias=True, exclude_unset=True)
                    await dialog.send(line.encode() + b"\n")
        except BrokenPipeError:
            # Whoever waits for an answer must not do so for ever.
            await to_client.aclose()

    async with read, write, anyio.create_task_group() as tasks:
        tasks.start_soon(_until_closed, listen)
        tasks.start_soon(speak)
        yield read, write
        tasks.cancel_scope.cancel()


async def _until_closed(listen: Callable[[], Awaitable[None]]) -> None:
    try:
        await listen()
    except (anyio.BrokenResourceError, anyio.ClosedResourceError):
        return  # nobody listens any more


async def _lines(dialog: Dialog) -> AsyncIterator[bytes]:
    rest = bytearray()
    while data := await dialog.receive():
        start = len(rest)
        rest += data
        if (end := rest.rfind(b"\n", start)) >= 0:
            whole, rest = bytes(rest[:end]), rest[end + 1 :]
            for line in whole.split(b"\n"):
                if line.strip():
                    yield line
        if len(rest) > MAX_MESSAGE:
            return


def _message(line: bytes) -> SessionMessage | Exception:
    """What is no message is handed on as an error, for the client to say so."""
    try:
        return SessionMessage(mcp_types.jsonrpc_message_adapter.validate_json(line, by_name=False))
    except ValueError as problem:
        return problem
