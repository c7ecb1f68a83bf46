"""A client of each kind on an engine of its own: embedded, and over a real unix socket to a real server."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

from aethermind.api.server import Server
from aethermind.engine.client import Client
from aethermind.engine.hosting import EngineThread
from aethermind.infra import sockets
from aethermind.infra.remote.client import RemoteClient
from aethermind.infra.remote.opening import connect
from aethermind.infra.remote.target import UnixTarget
from tests.engine.harness import Harness

Make = Callable[[], Harness]


class Served:
    """An engine in its thread, with a door."""

    def __init__(self, thread: EngineThread, home: Path) -> None:
        self.thread = thread
        self.home = home
        self.server: Server | None = None
        self.listen()

    @property
    def target(self) -> UnixTarget:
        return UnixTarget(self.home / sockets.NAME)

    def listen(self) -> None:
        self.server = Server(self.thread, sock=sockets.bind(self.home))
        self.server.start()

    def shut(self) -> None:
        """Nobody answers any more; the engine goes on."""
        if self.server is not None:
            self.server.stop(0)
            sockets.unbind(self.home)
            self.server = None


@contextmanager
def served(make: Make = Harness) -> Iterator[Served]:
    @asynccontextmanager
    async def opened() -> AsyncIterator[Client]:
        async with make() as h:
            yield h.client

    with tempfile.TemporaryDirectory(prefix="aeth") as directory:  # a short path: sockets have short names
        thread = EngineThread(opened)
        thread.start()
        engine = Served(thread, Path(directory))
        try:
            yield engine
        finally:
            engine.shut()
            thread.stop(drain_s=0)


@asynccontextmanager
async def remote(make: Make = Harness, *, by: str = "ana") -> AsyncIterator[RemoteClient]:
    async with AsyncExitStack() as stack:
        engine = await asyncio.to_thread(lambda: stack.enter_context(served(make)))
        yield await stack.enter_async_context(connect(engine.target, by=by))


@asynccontextmanager
async def client_of(kind: str, make: Make = Harness) -> AsyncIterator[Client]:
    if kind == "local":
        async with make() as h:
            yield h.client
    else:
        async with remote(make) as client:
            yield client
