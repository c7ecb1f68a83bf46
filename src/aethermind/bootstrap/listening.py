"""The engine's door: a server on the socket of the data directory, and on TCP if asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aethermind.bootstrap.composition import Composition
from aethermind.domain.errors import AethermindError
from aethermind.engine.hosting import EngineThread

if TYPE_CHECKING:
    from aethermind.api.server import Server
    from aethermind.api.settings import ServerSettings


def listen(
    composition: Composition,
    engine: EngineThread,
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

    server = Server(
        engine,
        settings=settings or ServerSettings(),
        sock=sockets.bind(composition.home),
        tcp=tcp,
        receipts=SqliteReceipts(composition.home / FILE),
        complain=lambda text: debug_log.write(text, home=composition.home),
    )
    server.start()
    composition.host.watching = lambda: server.watching
    return server


def try_listen(composition: Composition, engine: EngineThread) -> Server | None:
    """The same for an engine that works as well without: where no socket can be made (a file system that has
    none), others can't attach, and the debug log says why."""
    try:
        return listen(composition, engine)
    except AethermindError as error:
        from aethermind.infra import debug_log

        debug_log.write(f"nobody can attach: {error.line()}", home=composition.home)
        return None


def close_door(composition: Composition, server: Server, *, drain_s: float) -> None:
    """End the server and take the socket away, while the lease is still held."""
    from aethermind.infra import sockets

    composition.host.watching = int
    server.stop(drain_s)
    sockets.unbind(composition.home)
