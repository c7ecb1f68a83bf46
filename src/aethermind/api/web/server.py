"""The thread of `serve --web`: a listener of its own beside the API's."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Sequence

from aethermind.api.hosting import Hosting
from aethermind.api.listening import Listener, complaining
from aethermind.api.server import listening_socket, tls_context
from aethermind.api.settings import ServerSettings
from aethermind.api.web.app import Web
from aethermind.api.web.terminals import Terminals

START_S = 10.0


class WebServer:
    """`address`: where to listen · `argv`: the program that a page shows."""

    def __init__(
        self,
        engine: Hosting,
        *,
        settings: ServerSettings,
        address: tuple[str, int],
        argv: Sequence[str],
        complain: Callable[[str], object] = lambda text: None,
    ) -> None:
        self._engine = engine
        self._settings = settings
        self._address = address
        self._argv = argv
        self._complain = complain
        self._tls: ssl.SSLContext | None = None
        self._socket: socket.socket | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end: asyncio.Event | None = None
        self._ready = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        assert self._socket is not None
        host, port = self._socket.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        return f"{'https' if self._settings.tls_cert is not None else 'http'}://{shown}:{port}/"

    def start(self) -> None:
        """Listen. Raises `InvalidError`, `StoreError` for an address or certificate that can't be used."""
        self._tls = tls_context(self._settings)
        self._socket = listening_socket(*self._address)
        self._thread = threading.Thread(target=self._main, name="aethermind-web", daemon=True)
        self._thread.start()
        self._ready.wait(START_S)

    def stop(self, drain_s: float = 0) -> None:
        """Close the pages' terminals, which stops no run. Idempotent."""
        loop, end = self._loop, self._end
        if loop is not None and end is not None and not loop.is_closed():
            loop.call_soon_threadsafe(end.set)
        if self._thread is not None:
            self._thread.join(drain_s + 15.0)
        if self._socket is not None:
            self._socket.close()

    def _main(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception as error:  # noqa: BLE001 - the thread has nobody above it
            self._complain(f"the web server ended: {type(error).__name__}: {error}")
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        assert self._socket is not None
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        terminals = Terminals(self._argv)
        web = Web(self._engine, terminals, settings=self._settings, secure=self._tls is not None)
        listener = Listener(web, self._socket, local=False, tls=self._tls)
        with complaining(self._complain):
            await listener.open()
            self._ready.set()
            await self._end.wait()
            await terminals.close()
            await listener.close(0)
