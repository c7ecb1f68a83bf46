"""Connections: who may open one, and how long they may take to say what they want."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Any

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.http11 import Request

from aethermind.peers import is_own

LONGEST_HEAD = 64 << 10
LONGEST_FRAME = 64 << 10
"""Bytes of what a WebSocket client may send; it has nothing to send."""
LONGEST_LINE = 8_000
MOST_LINES = 100
HEAD_S = 20.0
"""So long the head of a request may take on TCP."""
KEPT_S = 75
KEPT_LOCAL_S = 3_600
"""So long a connection is kept between two requests."""


GOODBYE_S = 1.0
"""So long the rest of what is too much is read and thrown away."""
REFUSED = "ASGI callable returned without completing handshake."
"""uvicorn takes the refusal of a WebSocket for a defect."""
LEAST_DRAIN_S = 0.25
"""What is under way gets so long at least: watchers say good-bye."""


class Upgrading(H11Protocol):
    """What both have in common."""

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        # The WebSocket's own parser takes no more, and would say nothing.
        lines = [len(event.target), *(len(name) + len(value) for name, value in event.headers)]
        if len(lines) > MOST_LINES or max(lines) > LONGEST_LINE:
            self.send_400_response("The head of this request is too long.")
        else:
            super().handle_websocket_upgrade(event)


class Local(Upgrading):
    """On the unix socket: the user's own processes (and root's) only."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        sock = transport.get_extra_info("socket")
        if sock is None or not is_own(sock):
            transport.abort()


class Remote(Upgrading):
    """On TCP: who sends half a request and waits is sent away."""

    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._look()

    def handle_events(self) -> None:
        super().handle_events()
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._late is not None:
            self._late.cancel()

    def _look(self) -> None:
        """Wait for a head; the body and the next request have their own times."""
        waiting = self.conn.their_state is h11.IDLE and self.transport.get_protocol() is self
        if waiting and self._late is None and self.timeout_keep_alive_task is None:
            self._late = self.loop.call_later(HEAD_S, self.transport.close)
        elif not waiting and self._late is not None:
            self._late.cancel()
            self._late = None


class Complaints(logging.Handler):
    """What uvicorn has to say goes where our own complaints go: never to the terminal."""

    def __init__(self, complain: Callable[[str], object]) -> None:
        super().__init__(logging.ERROR)
        self._complain = complain

    def emit(self, record: logging.LogRecord) -> None:
        told = self.format(record)
        if told != REFUSED:
            self._complain(told)


@contextlib.contextmanager
def complaining(complain: Callable[[str], object]) -> Iterator[None]:
    """Also keeps `logging` from falling back to stderr."""
    logger = logging.getLogger("uvicorn.error")
    handler, before = Complaints(complain), logger.propagate
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = before


class Shared(Config):
    """Of the connections of one listener."""

    def __init__(self, app: Any, **options: Any) -> None:
        super().__init__(app, **options)
        self.gone = asyncio.Event()
        """Set when a WebSocket is gone."""


class Watched(WebSocketsSansIOProtocol):
    """Whoever sends too much is told so: closed at once, its bytes unread, it would see the line break.
    Whoever takes nothing is cut off: a close that waits behind what it did not take would never end."""

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if not self.close_sent:  # the application has not begun yet
            self.scope["state"]["abort"] = self.transport.abort

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if isinstance(self.config, Shared):
            self.config.gone.set()

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self.transport.abort()

    def handle_parser_exception(self) -> None:
        if self.close_timer is None:
            self.close_timer = self.loop.call_later(GOODBYE_S, self.transport.close)
            close = self.conn.close_sent
            code, reason = (close.code, close.reason) if close is not None else (1006, "")
            self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.close_sent = True

    def data_received(self, data: bytes) -> None:
        if self.conn.parser_exc is None:
            super().data_received(data)


class Listener:
    """One listening socket, and its connections."""

    def __init__(self, app: Any, sock: socket.socket, *, local: bool, tls: ssl.SSLContext | None) -> None:
        self._sock = sock
        self._tls = tls
        self.state = ServerState()
        self._config = Shared(
            app,
            http=Local if local else Remote,
            ws=Watched,
            ws_max_size=LONGEST_FRAME,
            ws_per_message_deflate=False,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            timeout_keep_alive=KEPT_LOCAL_S if local else KEPT_S,
            h11_max_incomplete_event_size=LONGEST_HEAD,
            limit_concurrency=None if local else _room_for(),
        )
        self._config.load()
        self._server: asyncio.Server | None = None

    def _connect(self) -> asyncio.Protocol:
        protocol: type[H11Protocol] = self._config.http_protocol_class  # type: ignore[assignment]  # typed as any protocol
        return protocol(config=self._config, server_state=self.state, app_state={})

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connect, sock=self._sock, ssl=self._tls)

    async def adopt(self, sock: socket.socket) -> None:
        """A connection that was accepted before there was a loop."""
        await asyncio.get_running_loop().connect_accepted_socket(self._connect, sock)

    async def close(self, drain_s: float) -> None:
        """Take no more; let requests under way end for at most so long; close what is left."""
        if self._server is not None:
            self._server.close()
        await self._goodbyes()
        for connection in list(self.state.connections):
            connection.shutdown()
        if self.state.tasks:
            _, left = await asyncio.wait(self.state.tasks, timeout=max(drain_s, LEAST_DRAIN_S))
            for task in left:
                task.cancel()
            if left:
                await asyncio.wait(left, timeout=1)
        for connection in list(self.state.connections):
            if (transport := connection.transport) is not None:
                transport.abort()

    async def _goodbyes(self) -> None:
        """Those that were told to go may answer that they do: cut off, they could lose what came before."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LEAST_DRAIN_S):
                while any(isinstance(c, Watched) and c.close_sent for c in self.state.connections):
                    self._config.gone.clear()
                    await self._config.gone.wait()


def _room_for() -> int:
    """How many connections TCP may hold: files and programs of runs need descriptors, too."""
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 60_000 if soft == resource.RLIM_INFINITY else max(soft - 512, soft // 2, 32)
