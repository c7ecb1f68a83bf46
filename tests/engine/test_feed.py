"""The feed: catching up and live without a gap or a double, and readers that never slow the engine."""

from __future__ import annotations

import asyncio
from typing import Any

from aethermind.domain.events import Draft, LogWritten, Recorded
from aethermind.engine import feed as feeds
from aethermind.engine.client import TokenDelta
from aethermind.engine.feed import Feed
from aethermind.infra.stores.memory import InMemoryStore


async def write(store: InMemoryStore, feed: Feed, count: int, stream: str = "run/r_a") -> None:
    drafts = [Draft(stream, 1, LogWritten(level="info", message=str(n))) for n in range(count)]
    feed.publish(await store.append(drafts, {}))


async def listening(feed: Feed) -> None:
    for _ in range(100):
        await asyncio.sleep(0)
    assert feed.watched


async def take(feed: Feed, count: int, **where: Any) -> list[Recorded]:
    found: list[Recorded] = []
    async for item in feed.follow(**where):
        if isinstance(item, Recorded):
            found.append(item)
        if len(found) >= count:
            return found
    return found


async def test_it_catches_up_and_goes_on_live_without_gap_or_double() -> None:
    store = InMemoryStore()
    feed = Feed(store)
    await write(store, feed, 2_500)
    reading = asyncio.create_task(take(feed, 3_000, after=0))
    for _ in range(10):
        await asyncio.sleep(0)
        await write(store, feed, 50)
    found = await asyncio.wait_for(reading, 10)
    assert [r.seq for r in found] == list(range(1, 3_001))


async def test_from_now_on_and_of_one_run() -> None:
    store = InMemoryStore()
    feed = Feed(store)
    await write(store, feed, 5)
    reading = asyncio.create_task(take(feed, 3, run_id="r_b"))
    await listening(feed)
    await write(store, feed, 5)
    await write(store, feed, 3, "run/r_b")
    found = await asyncio.wait_for(reading, 5)
    assert {r.stream for r in found} == {"run/r_b"}
    assert [r.seq for r in found] == [11, 12, 13]


async def test_a_reader_that_sleeps_loses_signals_but_no_event(monkeypatch: Any) -> None:
    monkeypatch.setattr(feeds, "BUFFER", 100)
    store = InMemoryStore()
    feed = Feed(store)
    awake = asyncio.Event()
    seqs: list[int] = []
    signals = 0

    async def read() -> None:
        nonlocal signals
        async for item in feed.follow(after=0):
            await awake.wait()
            if isinstance(item, Recorded):
                seqs.append(item.seq)
            else:
                signals += 1
            if seqs and seqs[-1] == 2_000:
                return

    reading = asyncio.create_task(read())
    for n in range(40):
        await asyncio.sleep(0)
        await write(store, feed, 50)
        feed.signal(TokenDelta("r_a", "s", 1, 1, n, "x"))
    awake.set()
    await asyncio.wait_for(reading, 10)
    assert seqs == list(range(1, 2_001))
    assert signals < 40


async def test_batches_of_one_turn_are_ordered_by_seq() -> None:
    store = InMemoryStore()
    feed = Feed(store)
    reading = asyncio.create_task(take(feed, 4))
    await listening(feed)
    log = LogWritten(level="info", message="x")
    one = await store.append([Draft("run/r_a", 1, log), Draft("run/r_a", 1, log)], {})
    two = await store.append([Draft("run/r_b", 1, log), Draft("run/r_b", 1, log)], {})
    feed.publish(two)
    feed.publish(one)
    assert [r.seq for r in await asyncio.wait_for(reading, 5)] == [1, 2, 3, 4]


async def test_what_overflows_while_it_catches_up_is_not_lost() -> None:
    class Slow(InMemoryStore):
        """While the last page is read, more is committed than a buffer holds."""

        reads = 0

        async def read_all(self, *args: Any, **where: Any) -> list[Recorded]:
            found = await super().read_all(*args, **where)
            self.reads += 1
            if self.reads == 2:
                for _ in range(3):
                    await write(self, feed, feeds.BUFFER // 2)
                    await asyncio.sleep(0)
            return found

    store = Slow()
    feed = Feed(store)
    await write(store, feed, 3)
    wanted = 3 + 3 * (feeds.BUFFER // 2)
    reading = asyncio.create_task(take(feed, wanted + 1, after=0))
    await listening(feed)
    for _ in range(1_000):
        await asyncio.sleep(0)
    await write(store, feed, 1)
    found = await asyncio.wait_for(reading, 10)
    assert [r.seq for r in found] == list(range(1, wanted + 2))
