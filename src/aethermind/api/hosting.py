"""What the API needs of whoever hosts an engine: `EngineThread`, or `InLoop` around a client of the SDK."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from aethermind.engine.client import Client
from aethermind.engine.hosting import Subscription

T = TypeVar("T")


class Hosting(Protocol):
    """An engine in another thread. `ask` raises what the client raises, `RuntimeError` when it is gone."""

    async def ask(self, ask: Callable[[Client], Awaitable[T]]) -> T: ...

    def subscribe(
        self,
        *,
        run_id: str | None = None,
        after: int | None = None,
        wake: Callable[[], None] | None = None,
        bound: int = 10_000,
    ) -> Subscription: ...


class InLoop:
    """A client that lives in an event loop of somebody else's: an SDK program's."""

    def __init__(self, client: Client, loop: asyncio.AbstractEventLoop) -> None:
        self._client = client
        self._loop = loop
        self._closed = False

    async def ask(self, ask: Callable[[Client], Awaitable[T]]) -> T:
        if self._closed or self._loop.is_closed():
            raise RuntimeError("the engine is not running")

        async def run() -> T:
            return await ask(self._client)

        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(run(), self._loop))

    def subscribe(
        self,
        *,
        run_id: str | None = None,
        after: int | None = None,
        wake: Callable[[], None] | None = None,
        bound: int = 10_000,
    ) -> Subscription:
        subscription = Subscription(self._loop, wake, bound, ending=lambda: self._closed)
        subscription.start(self._client, run_id=run_id, after=after)
        return subscription

    def close(self) -> None:
        """The program closes its engine: nothing more is asked."""
        self._closed = True
