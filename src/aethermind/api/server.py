"""The server: a thread with an event loop of its own, between the network and the engine's.

Rules
- Starting costs nothing: the thread sleeps on its sockets, and the rest is imported when the first connection
  comes (or at `warm`).
- The engine's loop is only ever asked (`Hosting.ask`): bodies, JSON and watchers are this thread's.
- `stop` answers what is under way, tells watchers to come again (1012), and ends the thread. Sockets are
  closed; the unix socket's name is its binder's to take away.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from aethermind.api.hosting import Hosting
from aethermind.api.settings import ServerSettings
from aethermind.api.use import Use
from aethermind.domain.errors import InvalidError, StoreError
from aethermind.peers import is_own

if TYPE_CHECKING:
    from aethermind.api.listening import Listener
    from aethermind.api.room import Library
    from aethermind.engine.receipts import Receipts

DEFAULTS = ServerSettings()
OURS = b"\r\nx-aethermind-by:"
GREETING_MS = 50
"""So long the first client's request may take to be here."""


class Server:
    """`sock`: a listening unix socket · `tcp`: host and port to listen on (port 0: any) · `library`: makes
    what knows the workflow files that can be run by name · `receipts`: of idempotent requests (None: in
    memory) · `complain`: takes the text of an error inside · `user`: whose engine it is · `now`: epoch ms.
    """

    def __init__(
        self,
        engine: Hosting,
        *,
        settings: ServerSettings = DEFAULTS,
        sock: socket.socket | None = None,
        tcp: tuple[str, int] | None = None,
        library: Callable[[], Library] | None = None,
        receipts: Receipts | None = None,
        complain: Callable[[str], object] | None = None,
        user: str = "",
        now: Callable[[], int] | None = None,
    ) -> None:
        self._engine = engine
        self._settings = settings
        self._unix = sock
        self._address = tcp
        self._tcp: socket.socket | None = None
        self._tls: ssl.SSLContext | None = None
        self._library = library
        self._receipts = receipts
        self._complain = complain or (lambda text: None)
        self._user = user or _user()
        self._now = now or (lambda: int(time.time() * 1000))
        self._use = Use()
        self._thread: threading.Thread | None = None
        self._bell, self._ear = socket.socketpair()
        self._stopping = threading.Event()
        self._drain_s = 10.0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end: asyncio.Event | None = None
        self.ready = threading.Event()
        """Set when the framework is there and connections are answered."""

    # --- what others ask -----------------------------------------------------------------------

    @property
    def watching(self) -> int:
        """Requests under way and open WebSockets."""
        return self._use.watching

    @property
    def last_used_at(self) -> float:
        """When somebody last asked anything but its health (monotonic seconds)."""
        return self._use.last_used_at

    @property
    def tcp(self) -> tuple[str, int] | None:
        """The address that it listens on, if it does."""
        if self._tcp is None:
            return None
        host, port = self._tcp.getsockname()[:2]
        return host, port

    # --- life ----------------------------------------------------------------------------------

    def start(self) -> None:
        """Listen. Raises `InvalidError` for an address or certificate that can't be used."""
        if self._address is not None:
            self._tls = tls_context(self._settings)
            self._tcp = listening_socket(*self._address)
        self._thread = threading.Thread(target=self._main, name="aethermind-api", daemon=True)
        self._thread.start()

    def warm(self) -> None:
        """Import the framework now: nobody is to wait for it with his first request."""
        with contextlib.suppress(OSError):
            self._bell.send(b"w")

    def stop(self, drain_s: float = 10.0) -> None:
        """Idempotent; blocks until the thread has ended."""
        self._drain_s = drain_s
        self._stopping.set()
        with contextlib.suppress(OSError):
            self._bell.send(b"s")
        loop, end = self._loop, self._end
        if loop is not None and end is not None:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(end.set)
        if self._thread is not None:
            self._thread.join(timeout=drain_s + 10.0)
        for sock in (self._unix, self._tcp, self._bell, self._ear):
            if sock is not None:
                sock.close()
        if self._receipts is not None:
            self._receipts.close()

    def _main(self) -> None:
        try:
            if self._knocked():
                first = self._greeted()
                from aethermind.api.listening import complaining

                with complaining(self._complain):
                    asyncio.run(self._serve(first))
        except BaseException as error:  # the thread has nobody above it
            import traceback

            self._complain(f"the API server ended\n{traceback.format_exc()}")
            if not isinstance(error, Exception):
                raise

    def _knocked(self) -> bool:
        """Wait for the first connection, or to be warmed; False when stopped before."""
        sockets = [sock for sock in (self._unix, self._tcp, self._ear) if sock is not None]
        poll = select.poll()
        for sock in sockets:
            poll.register(sock, select.POLLIN)
        poll.poll()
        return not self._stopping.is_set()

    def _greeted(self) -> socket.socket | None:
        """The first connection on the unix socket. A client of ours is told that somebody is there: on a busy
        machine the import may take longer than it waits for a sign of life."""
        if self._unix is None:
            return None
        try:
            first, _ = self._unix.accept()
        except OSError:
            return None  # it was TCP, or `warm`
        if not is_own(first):
            first.close()
            return None
        poll = select.poll()
        poll.register(first, select.POLLIN)
        poll.poll(GREETING_MS)
        first.setblocking(False)
        with contextlib.suppress(OSError):
            head = first.recv(4_096, socket.MSG_PEEK).lower()
            if OURS in head and b"\r\nupgrade:" not in head:  # others may take it for the answer
                first.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        return first

    async def _serve(self, first: socket.socket | None) -> None:
        from aethermind.api.app import App
        from aethermind.api.door import Door
        from aethermind.api.library import Texts
        from aethermind.api.listening import Listener
        from aethermind.api.room import Room
        from aethermind.api.stream import Hub
        from aethermind.api.watching import Stream
        from aethermind.engine.receipts import MemoryReceipts

        self._loop = asyncio.get_running_loop()
        self._end = asyncio.Event()
        self._loop.set_exception_handler(self._report)
        room = Room(
            self._engine,
            self._settings,
            library=self._library() if self._library else Texts(user=self._user, cwd="/"),
            receipts=self._receipts or MemoryReceipts(),
            user=self._user,
            complain=self._complain,
            use=self._use,
            now=self._now,
        )
        room.hub = Hub(room)
        app, stream = App(room), Stream(room)
        listeners: list[Listener] = []
        if self._unix is not None:
            door = Door(room, "unix", app, stream)
            listeners.append(Listener(door, self._unix, local=True, tls=None))
        if self._tcp is not None:
            door = Door(room, "tcp", app, stream, secure=self._tls is not None)
            listeners.append(Listener(door, self._tcp, local=False, tls=self._tls))
        for listener in listeners:
            await listener.open()
        if first is not None:
            await listeners[0].adopt(first)
        self.ready.set()
        if self._stopping.is_set():
            self._end.set()
        await self._end.wait()
        room.ending.set()
        await room.hub.end()
        await asyncio.gather(*(listener.close(self._drain_s) for listener in listeners))
        room.hub.close()

    def _report(self, _loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        error = context.get("exception")
        self._complain(f"{context.get('message')}: {error!r}")


def _user() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def listening_socket(host: str, port: int) -> socket.socket:
    if not 0 <= port <= 65_535:
        raise InvalidError(f"{host}:{port} is no address to listen on: ports end at 65535")
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, proto)
    except (OSError, OverflowError, UnicodeError) as error:
        raise InvalidError(f"{host}:{port} is no address to listen on: {error}") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(1_024)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise StoreError(f"{host}:{port} can't be listened on: {error.strerror or error}") from error
    return listener


def tls_context(settings: ServerSettings) -> ssl.SSLContext | None:
    """TLS with the operator's own certificate. Raises `InvalidError`."""
    if settings.tls_cert is None and settings.tls_key is None:
        return None
    if settings.tls_cert is None:
        raise InvalidError("a TLS key needs its certificate", hint="--tls-cert FILE")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(settings.tls_cert, settings.tls_key)
    except (OSError, ssl.SSLError) as error:
        raise InvalidError(f"{settings.tls_cert}: this certificate can't be used: {error}") from error
    return context
