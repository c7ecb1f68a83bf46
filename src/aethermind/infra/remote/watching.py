"""The engine's WebSocket over a stream: what it sends, message by message."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHandshake, InvalidStatus
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.protocol import Event
from websockets.uri import parse_uri

from aethermind.infra.remote.http import Answer, Headers
from aethermind.infra.remote.lines import BrokenLine, Line, Stream

LARGEST = 64 * 1024 * 1024
"""Bytes of one message."""
SILENT_S = 40.0
"""The engine says something at least every 15 seconds: after so long the line is dead, though nobody said."""

_NEWS = re.compile(rb"HTTP/1\.1 1(?!01)")
_STATUS = len(b"HTTP/1.1 101")
_LARGEST_HEAD = 16_384


class Refused(Exception):
    """It answered, but not with a WebSocket."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class Watching:
    """One open WebSocket. Nothing but the closing is ever sent on it."""

    def __init__(self, stream: Stream, protocol: ClientProtocol, silent_s: float) -> None:
        self._stream = stream
        self._protocol = protocol
        self._silent_s = silent_s
        self._parts: list[bytes] = []
        self._events: list[Event] = []
        self._head: bytes | None = b""
        """What came of the answer to the handshake, until it is known to be no news."""

    async def _more(self) -> None:
        """Take in what comes next, and send what the protocol answers to it (pongs)."""
        try:
            async with asyncio.timeout(self._silent_s):
                data = await self._stream.read()
        except TimeoutError as error:
            raise BrokenLine(f"silent for {self._silent_s:g} s") from error
        if data:
            self._protocol.receive_data(data if self._head is None else self._without_news(self._head + data))
        else:
            self._protocol.receive_eof()
        for out in self._protocol.data_to_send():
            if out:
                await self._stream.write(out)
        if not data:
            raise BrokenLine("the connection ended")

    def _without_news(self, head: bytes) -> bytes:
        """What is left after the answers before the answer (1xx): the engine is there, but not ready yet."""
        while True:
            if len(head) < _STATUS:
                self._head = head
                return b""
            if not _NEWS.match(head):
                self._head = None
                return head
            _, end, rest = head.partition(b"\r\n\r\n")
            if not end:
                if len(head) > _LARGEST_HEAD:
                    raise BrokenLine("what answers there speaks no WebSocket")
                self._head = head
                return b""
            head = rest

    async def handshake(self) -> None:
        protocol = self._protocol
        for out in protocol.data_to_send():
            await self._stream.write(out)
        while not (self._events or protocol.handshake_exc):
            await self._more()
            self._events = protocol.events_received()
        error = protocol.handshake_exc
        if isinstance(error, InvalidStatus):
            found = error.response
            headers = {name.lower(): value for name, value in found.headers.raw_items()}
            raise Refused(Answer(found.status_code, headers, bytes(found.body or b"")))
        if error is not None:
            raise BrokenLine(f"what answers there speaks no WebSocket: {error}") from error

    async def messages(self) -> AsyncGenerator[bytes, None]:
        """Raises `BrokenLine` when no more come."""
        while True:
            events, self._events = self._events, []
            for event in events:
                if not isinstance(event, Frame):
                    continue
                if event.opcode in {Opcode.TEXT, Opcode.BINARY, Opcode.CONT}:
                    self._parts.append(bytes(event.data))
                    if event.fin:
                        message, self._parts = b"".join(self._parts), []
                        yield message
                elif event.opcode is Opcode.CLOSE:
                    raise BrokenLine(self._protocol.close_reason or "the engine closed the connection")
            await self._more()
            self._events = self._protocol.events_received()


@asynccontextmanager
async def watch(
    line: Line, *, host: str, target: str, headers: Headers, silent_s: float = SILENT_S
) -> AsyncIterator[Watching]:
    """Open a WebSocket; `target` is its path with the query. Raises `BrokenLine`, `Refused`."""
    protocol = ClientProtocol(
        parse_uri(f"ws://{host}{target}"),
        max_size=LARGEST,
        extensions=[ClientPerMessageDeflateFactory()] if line.compress else None,
    )
    stream = await line.dial()
    try:
        try:
            request = protocol.connect()
            for name, value in headers:
                request.headers[name] = value
            protocol.send_request(request)
        except InvalidHandshake as error:
            raise BrokenLine(str(error)) from error
        watching = Watching(stream, protocol, silent_s)
        await watching.handshake()
        yield watching
    finally:
        stream.close()
