"""A small HTTP/1.1 server on loopback whose answers can go wrong in every way a network can.

`serve(handler)` runs it in the test's own loop, `in_thread(handler)` beside a test that has none (a command
in a child process). A handler is `async def handler(request, reply)`; `Script` is one that plays a list.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

SSE = "text/event-stream; charset=utf-8"
NDJSON = "application/x-ndjson"


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Reply:
    """What a handler does with the connection. Bodies are chunked: a drop differs from an end."""

    def __init__(self, writer: asyncio.StreamWriter, gone: asyncio.Event) -> None:
        self._writer = writer
        self._open = False
        self.gone = gone
        """The client closed the connection."""

    async def start(self, status: int = 200, content_type: str = SSE, **headers: str) -> None:
        lines = [f"HTTP/1.1 {status} -", f"content-type: {content_type}", "transfer-encoding: chunked"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self._writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        self._open = True
        await self._writer.drain()

    async def send(self, *chunks: bytes) -> None:
        for chunk in chunks:
            self._writer.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
            await self._writer.drain()

    async def end(self) -> None:
        self._writer.write(b"0\r\n\r\n")
        self._open = False
        await self._writer.drain()

    async def whole(self, status: int, body: bytes, content_type: str, **headers: str) -> None:
        await self.start(status, content_type, **headers)
        if body:
            await self.send(body)
        await self.end()

    def drop(self) -> None:
        """Cut the connection in the middle of the body."""
        self._writer.transport.abort()

    async def hang(self) -> None:
        """Send nothing more until the client leaves."""
        await self.gone.wait()


Handler = Callable[[Request, Reply], Awaitable[None]]


@dataclass
class Script:
    """A handler that plays `replies` one after another; the last is repeated."""

    replies: Sequence[Handler]
    calls: int = 0

    async def __call__(self, request: Request, reply: Reply) -> None:
        chosen = self.replies[min(self.calls, len(self.replies) - 1)]
        self.calls += 1
        await chosen(request, reply)


@dataclass
class HttpServer:
    """`url` is its address; `requests` what came in; `gone` is set when any client has left early."""

    handler: Handler
    requests: list[Request] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def last(self) -> Request:
        return self.requests[-1]

    async def start(self, tls: ssl.SSLContext | None = None) -> asyncio.Server:
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=tls)
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        return server

    async def stop(self, server: asyncio.Server) -> None:
        server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        gone = asyncio.Event()
        inbox = asyncio.StreamReader()
        pump = asyncio.ensure_future(_pump(reader, inbox, gone))
        try:
            while not writer.transport.is_closing():
                request = await _read(inbox)
                self.requests.append(request)
                self.arrived.set()
                await self.handler(request, Reply(writer, gone))
                if gone.is_set():  # before the handler was through
                    self.gone.set()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            pump.cancel()
            self._tasks.discard(task)
            writer.transport.abort()


async def _pump(reader: asyncio.StreamReader, inbox: asyncio.StreamReader, gone: asyncio.Event) -> None:
    """Reads on while a handler answers: only so is it seen when the client leaves."""
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65_536):
            inbox.feed_data(data)
    inbox.feed_eof()
    gone.set()


async def _read(reader: asyncio.StreamReader) -> Request:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = {
        name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method, path, headers, body)


@contextlib.asynccontextmanager
async def serve(handler: Handler, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[HttpServer]:
    served = HttpServer(handler)
    server = await served.start(tls)
    try:
        yield served
    finally:
        await served.stop(server)


@contextlib.contextmanager
def in_thread(handler: Handler) -> Iterator[HttpServer]:
    """The server on a thread of its own."""
    ready = threading.Event()
    served: list[HttpServer] = []
    finish: list[Callable[[], object]] = []

    async def main() -> None:
        done = asyncio.Event()
        loop = asyncio.get_running_loop()
        finish.append(lambda: loop.call_soon_threadsafe(done.set))
        async with serve(handler) as server:
            served.append(server)
            ready.set()
            await done.wait()

    thread = threading.Thread(target=lambda: asyncio.run(main()), daemon=True)
    thread.start()
    assert ready.wait(10), "the server did not start"
    try:
        yield served[0]
    finally:
        finish[0]()
        thread.join(10)
