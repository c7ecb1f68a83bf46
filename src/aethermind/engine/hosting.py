"""The engine's own thread and event loop, and the bounded bridge from it to a user interface.

Rules
- The engine never waits for its reader: a `Subscription` stops pulling when it is full, the feed drops
  what it buffered for it, and it catches up from the store when it is drained again.
- User interfaces hold no engine object: they `call`, `ask` and `drain`.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import sys
import threading
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from typing import TypeVar

from aethermind.domain.errors import AethermindError, StoreError
from aethermind.engine.client import Attachment, Batched, Client, FeedItem

T = TypeVar("T")
SWITCH_INTERVAL = 0.0005
"""Seconds. With the default of 5 ms the bridge's wake-up took ten times as long beside a busy engine."""

GARBAGE = (5_000, 10, 10)
"""Thresholds of the garbage collector, for a process of our own: an SDK program's is its user's. What is
there when the engine has opened, mostly modules, stays and is not looked at again (`freeze`). With Python's
own numbers a crowd of runs spent a quarter of its time on garbage, and the loop stood still for 50 ms at a
time; with much higher ones single pauses grow as long."""


class EngineThread:
    """Hosts a `Client` and its event loop in a thread of its own."""

    def __init__(self, open_client: Callable[[], AbstractAsyncContextManager[Client]]) -> None:
        self._open_client = open_client
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._client: Client | None = None
        self._opened: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._stop: asyncio.Event | None = None
        self._drain_s = 10.0
        self._attached: Attachment | None = None

    def start(self) -> None:
        """Open the client; blocks until it is open and raises what opening it raised."""
        sys.setswitchinterval(SWITCH_INTERVAL)
        self._thread = threading.Thread(target=self._main, name="aethermind-engine", daemon=True)
        self._thread.start()
        self._opened.result()
        gc.freeze()
        gc.set_threshold(*GARBAGE)

    def _main(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            if not self._opened.done():
                self._opened.set_exception(error)
            else:
                raise

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        async with self._open_client() as client:
            self._client = client
            self._attached = client.attached
            self._opened.set_result(None)
            await self._stop.wait()
            self._client = None
            await client.drain(self._drain_s)

    def call(self, ask: Callable[[Client], Awaitable[T]]) -> concurrent.futures.Future[T]:
        """Run `ask(client)` in the engine's loop; from any thread."""
        loop, client = self._loop, self._client
        if loop is None or client is None:
            raise RuntimeError("the engine is not running")

        async def run() -> T:
            return await ask(client)

        return asyncio.run_coroutine_threadsafe(run(), loop)

    async def ask(self, ask: Callable[[Client], Awaitable[T]]) -> T:
        """The same, awaited from the caller's own event loop."""
        return await asyncio.wrap_future(self.call(ask))

    def subscribe(
        self,
        *,
        run_id: str | None = None,
        after: int | None = None,
        wake: Callable[[], None] | None = None,
        bound: int = 10_000,
    ) -> Subscription:
        """Follow the feed. `wake` is called from the engine's thread, at most once until the next drain."""
        loop, client = self._loop, self._client
        if loop is None or client is None:
            raise RuntimeError("the engine is not running")
        subscription = Subscription(loop, wake, bound, ending=lambda: self._client is None)
        subscription.start(client, run_id=run_id, after=after)
        return subscription

    def stop(self, *, drain_s: float = 10.0) -> None:
        """Close the client (which drains what runs) and end the thread. Idempotent."""
        loop, stop, thread = self._loop, self._stop, self._thread
        if loop is None or stop is None or thread is None or not thread.is_alive():
            return
        self._drain_s = drain_s
        loop.call_soon_threadsafe(stop.set)
        thread.join(timeout=drain_s + 20.0)

    @property
    def attached(self) -> Attachment | None:
        """Where the engine is, if it is another process's; None for one of our own."""
        return self._attached

    @property
    def alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive() and self._client is not None


async def _batches(
    client: Client, after: int | None, run_id: str | None
) -> AsyncGenerator[Sequence[FeedItem], None]:
    """The feed, by as many items at once as the client gives."""
    if isinstance(client, Batched):
        found = client.batches(after=after, run_id=run_id)
        async with aclosing(found) as batches:  # type: ignore[type-var]  # so are these
            async for batch in batches:
                yield batch
        return
    follow = client.feed(after=after, run_id=run_id)
    async with aclosing(follow) as items:  # type: ignore[type-var]  # feeds are async generators
        async for item in items:
            yield (item,)


class Subscription:
    """A bounded buffer between the engine's loop and one reader in another thread."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        wake: Callable[[], None] | None,
        bound: int,
        *,
        ending: Callable[[], bool] = lambda: False,
    ) -> None:
        self._ending = ending
        """Whether the engine is being stopped: then a feed that breaks off is no error."""
        self._loop = loop
        self._wake = wake
        self._bound = bound
        self._items: deque[FeedItem] = deque()
        self._filled = threading.Event()
        self._drained: asyncio.Event | None = None
        self._pump: concurrent.futures.Future[None] | None = None
        self._error: AethermindError | None = None
        self.closed = False

    def start(self, client: Client, *, run_id: str | None, after: int | None) -> None:
        listening: concurrent.futures.Future[None] = concurrent.futures.Future()

        async def pump() -> None:
            self._drained = asyncio.Event()
            async with aclosing(_batches(client, after, run_id)) as batches:
                self._loop.call_soon(listening.set_result, None)
                async for batch in batches:
                    self._items.extend(batch)
                    if batch and not self._filled.is_set():
                        self._ring()
                    if len(self._items) >= self._bound:
                        self._drained.clear()
                        if len(self._items) >= self._bound:
                            await self._drained.wait()

        self._pump = asyncio.run_coroutine_threadsafe(pump(), self._loop)
        listening.result(timeout=30)
        self._pump.add_done_callback(self._broke_off)

    def _ring(self) -> None:
        self._filled.set()
        if self._wake is not None:
            self._wake()

    def _broke_off(self, pump: concurrent.futures.Future[None]) -> None:
        """Nothing comes any more. Whoever reads on is told why, after what had come."""
        if self.closed or pump.cancelled() or (error := pump.exception()) is None or self._ending():
            return
        told = error if isinstance(error, AethermindError) else f"{type(error).__name__}: {error}"
        self._error = StoreError(f"the feed of events broke off: {told}")
        self._ring()

    def drain(self, limit: int = 5_000) -> list[FeedItem]:
        """What has come, oldest first; never blocks. Raises `StoreError`, each time, when all is taken and
        no more can come because the feed broke."""
        self._filled.clear()
        if self._error is not None:
            self._filled.set()
            if not self._items:
                raise StoreError(self._error.message)
        items = self._items
        taken = [items.popleft() for _ in range(min(limit, len(items)))]
        if items:
            self._filled.set()
        drained = self._drained
        if drained is not None and taken and not drained.is_set() and not self.closed:
            self._loop.call_soon_threadsafe(drained.set)
        return taken

    def wait(self, timeout: float) -> bool:
        """Block this thread until something is there; False after `timeout` seconds."""
        return self._filled.wait(timeout)

    def close(self) -> None:
        self.closed = True
        if self._pump is not None:
            self._pump.cancel()
