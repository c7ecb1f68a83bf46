"""The feed: recorded events in the order of their seq, and droppable signals, to any number of readers.

A reader never slows the engine. Its buffer is bounded: when it overflows, recorded events are dropped
from it and read again from the store once the reader comes back; signals are lost.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import contextmanager

from aethermind.domain.events import Recorded
from aethermind.domain.ids import run_stream
from aethermind.engine.client import FeedItem, Notice, TokenDelta
from aethermind.engine.ports import EventStore

BUFFER = 20_000
CATCH_UP = 1_000


class Feed:
    """One per engine; all methods belong to the engine's event loop."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._readers: list[Reader] = []
        self._pending: list[Recorded] = []
        self._standing: Notice | None = None
        """What who begins to read must hear, too."""

    def publish(self, recorded: Sequence[Recorded]) -> None:
        """Hand on committed events. Batches of one loop turn are delivered together, ordered by seq."""
        if not self._readers:
            return
        if not self._pending:
            asyncio.get_running_loop().call_soon(self._flush)
        self._pending.extend(recorded)

    def _flush(self) -> None:
        batch, self._pending = self._pending, []
        batch.sort(key=_seq)
        for reader in self._readers:
            reader.offer(batch)

    def signal(self, signal: TokenDelta) -> None:
        for reader in self._readers:
            reader.hint(signal)

    def notice(self, notice: Notice) -> None:
        """Tell every reader whom it concerns; also one that has fallen behind."""
        if notice.run_id is None:
            self._standing = None if notice.kind == "over" else notice
        for reader in self._readers:
            reader.tell(notice)

    @property
    def watched(self) -> bool:
        return bool(self._readers)

    async def follow(self, *, after: int | None = None, run_id: str | None = None) -> AsyncIterator[FeedItem]:
        """Recorded events after seq `after` (None: from now on), then live; of one run or of all."""
        with self._reading(run_id) as reader:
            await self._begin(reader, after)
            while True:
                for item in await reader.next():
                    yield item

    async def batches(
        self, *, after: int | None = None, run_id: str | None = None
    ) -> AsyncGenerator[list[FeedItem], None]:
        """The same as it comes: what was committed together, together."""
        with self._reading(run_id) as reader:
            await self._begin(reader, after)
            while True:
                yield await reader.next()

    @contextmanager
    def _reading(self, run_id: str | None) -> Iterator[Reader]:
        reader = Reader(self._store, run_id)
        if self._standing is not None:
            reader.tell(self._standing)
        self._readers.append(reader)
        try:
            yield reader
        finally:
            self._readers.remove(reader)

    async def _begin(self, reader: Reader, after: int | None) -> None:
        """It listens already and looks back only now: nothing falls between."""
        if after is None:
            reader.position = await self._store.last_seq()
        else:
            reader.position = after
            reader.behind = True


def _seq(recorded: Recorded) -> int:
    return recorded.seq


class Reader:
    """One reader's bounded buffer."""

    def __init__(self, store: EventStore, run_id: str | None) -> None:
        self._store = store
        self._run_id = run_id
        self._stream = run_stream(run_id) if run_id is not None else None
        self._buffer: deque[FeedItem] = deque()
        self._notices: list[Notice] = []
        self._waiter: asyncio.Future[None] | None = None
        self.position = 0
        """The seq of the last recorded event handed out."""
        self.behind = False
        """Recorded events must be read from the store before the buffer is worth anything."""

    def offer(self, batch: Sequence[Recorded]) -> None:
        if self.behind:
            self._wake()
            return
        stream, buffer = self._stream, self._buffer
        if len(buffer) + len(batch) > BUFFER:
            buffer.clear()
            self.behind = True
        elif stream is None:
            buffer.extend(batch)
        else:
            buffer.extend(r for r in batch if r.stream == stream)
        if buffer or self.behind:
            self._wake()

    def tell(self, notice: Notice) -> None:
        if notice.run_id is None or self._run_id is None or notice.run_id == self._run_id:
            self._notices.append(notice)
            self._wake()

    def hint(self, signal: TokenDelta) -> None:
        if self.behind or len(self._buffer) >= BUFFER // 2:
            return
        if self._run_id is None or signal.run_id == self._run_id:
            self._buffer.append(signal)
            self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def next(self) -> list[FeedItem]:
        """At least one item, unless what was missed turned out to be nothing."""
        if self._notices:
            notices, self._notices = self._notices, []
            return list(notices)
        if self.behind:
            found = await self._store.read_all(self.position, limit=CATCH_UP, stream=self._stream)
            if len(found) < CATCH_UP:
                # What is committed while we read is offered again: `behind` ends before the next await.
                self.behind = False
                self._buffer.clear()
                missed = await self._missed(found[-1].seq if found else self.position)
                self.behind |= len(missed) >= CATCH_UP  # or the buffer was full again meanwhile
                found += missed
            if found:
                self.position = found[-1].seq
            return list(found)
        while not self._buffer:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
            if self._fell_behind() or self._notices:
                return []
        items = list(self._buffer)
        self._buffer.clear()
        fresh: list[FeedItem] = []
        for item in items:
            if isinstance(item, Recorded):
                if item.seq <= self.position:
                    continue
                self.position = item.seq
            fresh.append(item)
        return fresh

    def _fell_behind(self) -> bool:
        return self.behind

    async def _missed(self, after: int) -> list[Recorded]:
        """What was committed between the last read and the end of `behind`."""
        return await self._store.read_all(after, limit=CATCH_UP, stream=self._stream)
