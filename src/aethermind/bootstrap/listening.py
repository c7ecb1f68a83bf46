"""The engine's door: a server on the socket of the data directory, and on TCP if asked."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import msgspec

from aethermind.bootstrap.composition import DATABASE, Composition
from aethermind.domain.errors import AethermindError, InvalidError
from aethermind.engine.client import Client

if TYPE_CHECKING:
    from aethermind.api.hosting import Hosting
    from aethermind.api.room import Library
    from aethermind.api.server import Server
    from aethermind.api.settings import ServerSettings
    from aethermind.api.web.server import WebServer


def listen(
    composition: Composition,
    engine: Hosting,
    *,
    tcp: tuple[str, int] | None = None,
    settings: ServerSettings | None = None,
) -> Server:
    """Answer on the socket of the data directory, which `engine` owns, and on TCP if asked. The server is
    started; it imports its framework when somebody comes. Raises `StoreError`, `InvalidError`."""
    from aethermind.api.server import Server
    from aethermind.api.settings import ServerSettings
    from aethermind.infra import debug_log, sockets
    from aethermind.infra.receipts import FILE, SqliteReceipts

    def library() -> Library:
        from aethermind.bootstrap.library import Files

        return Files(composition)

    server = Server(
        engine,
        settings=_configured(composition, settings or ServerSettings()),
        sock=sockets.bind(composition.home),
        tcp=tcp,
        library=library,
        receipts=SqliteReceipts(composition.home / FILE),
        complain=lambda text: debug_log.write(text, home=composition.home),
    )
    try:
        server.start()
    except BaseException:
        close_door(composition, server, drain_s=0)
        raise
    composition.host.watching = lambda: server.watching
    return server


def _configured(composition: Composition, given: ServerSettings) -> ServerSettings:
    """With what the config says besides."""
    config = composition.config.server
    return msgspec.structs.replace(
        given,
        hosts=tuple(dict.fromkeys(name.lower() for name in (*given.hosts, *config.hosts))),
        origins=tuple(dict.fromkeys((*given.origins, *config.origins))),
        rate_limit=config.rate_limit,
        rate_window_s=max(config.rate_window_ms // 1000, 1),
    )


def try_listen(composition: Composition, engine: Hosting) -> Server | None:
    """The same for an engine that works as well without: where no socket can be made (a file system that has
    none), others can't attach, and the debug log says why."""
    try:
        return listen(composition, engine)
    except AethermindError as error:
        from aethermind.infra import debug_log

        debug_log.write(f"nobody can attach: {error.line()}", home=composition.home)
        return None


@asynccontextmanager
async def open_door(composition: Composition, client: Client) -> AsyncIterator[None]:
    """While the block lasts, other processes can attach to the engine of this client, which lives in the
    running event loop and owns the data directory."""
    from aethermind.api.hosting import InLoop

    inside = InLoop(client, asyncio.get_running_loop())
    server = try_listen(composition, inside)
    try:
        yield
    finally:
        inside.close()
        if server is not None:  # in a thread: what it has under way asks this loop
            await asyncio.to_thread(close_door, composition, server, drain_s=0)


def close_door(composition: Composition, server: Server, *, drain_s: float) -> None:
    """End the server and take the socket away, while the lease is still held."""
    from aethermind.infra import sockets

    composition.host.watching = int
    server.stop(drain_s)
    sockets.unbind(composition.home)


def holder(composition: Composition) -> int | None:
    """The pid of the process whose engine owns the data; 0 if it has not said so yet, None: there is none."""
    from aethermind.infra.stores.lease import Lease

    return Lease.holder(composition.home, f"{DATABASE}.lease")


def place(composition: Composition) -> str:
    """Where the engine of this data listens, for a person."""
    from aethermind.infra import sockets

    return str(sockets.locate(composition.home) or composition.home)


def open_web(
    composition: Composition, engine: Hosting, address: tuple[str, int], settings: ServerSettings
) -> WebServer:
    """The terminal UI in a browser. Raises `InvalidError` where the extra `server` is not installed, and for
    an address that can't be listened on."""
    try:
        from aethermind.api.web.server import WebServer
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "textual_serve":
            raise
        hint = "pip install 'aethermind[server]'"
        raise InvalidError("--web needs textual-serve, which is not installed", hint=hint) from None
    from aethermind.infra import debug_log

    argv = [sys.executable, "-m", "aethermind", "--home", str(composition.home)]
    server = WebServer(
        engine,
        settings=_configured(composition, settings),
        address=address,
        argv=[*argv, "attach", f"unix:{place(composition)}"],
        complain=lambda text: debug_log.write(text, home=composition.home),
    )
    server.start()
    return server
