"""Pages of the log that watchers share: one read for many, and nothing missed for it."""

from __future__ import annotations

import asyncio

import pytest

from aethermind.api import pages
from aethermind.api.batch import Batch
from aethermind.api.pages import PAGE, Pages
from aethermind.domain.errors import StoreError
from aethermind.domain.events import LogWritten, Recorded


class Log:
    """A log that counts its readers, and makes them wait for `open`."""

    def __init__(self, length: int) -> None:
        self.length = length
        self.reads: list[int] = []
        self.open = asyncio.Event()
        self.open.set()
        self.broken = False
        self._asked = asyncio.Event()

    async def asked(self, times: int) -> None:
        async with asyncio.timeout(10):
            while len(self.reads) < times:
                self._asked.clear()
                await self._asked.wait()

    async def read(self, after: int, limit: int) -> list[Recorded]:
        self.reads.append(after)
        self._asked.set()
        last = min(self.length, after + limit)
        await self.open.wait()
        if self.broken:
            raise StoreError("gone")
        return [
            Recorded(seq, "run/r", 0, seq, LogWritten(level="info", message="m" * 100))
            for seq in range(after + 1, last + 1)
        ]


async def test_who_comes_at_once_shares_a_read() -> None:
    log = Log(PAGE + 5)
    shared = Pages(log.read)
    log.open.clear()
    coming = [asyncio.ensure_future(shared.after(0, PAGE + 5)) for _ in range(50)]
    await log.asked(1)
    log.open.set()
    found = await asyncio.gather(*coming)
    assert log.reads == [0]
    assert len({id(page) for page in found}) == 1
    assert found[0].seqs == list(range(1, PAGE + 1))


async def test_a_full_page_is_kept_one_that_is_not_serves_no_more_than_it_knew() -> None:
    log = Log(PAGE + 5)
    shared = Pages(log.read)
    await shared.after(0, PAGE + 5)
    assert (await shared.after(PAGE, PAGE + 5)).seqs == list(range(PAGE + 1, PAGE + 6))
    log.length += 10
    assert len((await shared.after(PAGE, PAGE + 5)).seqs) == 5
    assert log.reads == [0, PAGE]
    assert len((await shared.after(PAGE, PAGE + 15)).seqs) == 15
    await shared.after(0, PAGE + 15)
    assert log.reads == [0, PAGE, PAGE]


async def test_who_wants_more_does_not_wait_for_an_older_read() -> None:
    log = Log(5)
    shared = Pages(log.read)
    log.open.clear()
    older = asyncio.ensure_future(shared.after(0, 5))
    await log.asked(1)
    log.length = 9
    newer = asyncio.ensure_future(shared.after(0, 9))
    await log.asked(2)
    log.open.set()
    assert len((await older).seqs) == 5
    assert len((await newer).seqs) == 9


async def test_a_read_that_failed_is_tried_again() -> None:
    log = Log(3)
    shared = Pages(log.read)
    log.broken = True
    with pytest.raises(StoreError):
        await shared.after(0, 3)
    log.broken = False
    assert len((await shared.after(0, 3)).seqs) == 3


async def test_pages_that_are_too_large_together_go(monkeypatch: pytest.MonkeyPatch) -> None:
    log = Log(4 * PAGE)
    shared = Pages(log.read)
    size = (await shared.after(0, 4 * PAGE)).size
    monkeypatch.setattr(pages, "KEPT_BYTES", 2 * size + size // 2)
    for after in (PAGE, 2 * PAGE, 0, PAGE, 2 * PAGE):
        await shared.after(after, 4 * PAGE)
    assert log.reads == [0, PAGE, 2 * PAGE, 0, PAGE, 2 * PAGE]
    assert len(shared._kept) <= 2


def test_a_batch_is_cut_at_both_ends() -> None:
    batch = Batch([1, 2, 3, 4], [b"1", b"2", b"3", b"4"])
    assert batch.up_to(9) is batch
    assert batch.up_to(2).seqs == [1, 2]
    assert batch.up_to(0).text(0) is None
    assert batch.up_to(3).text(1) == '{"type":"events","events":[2,3]}'
    assert Batch([], []).up_to(5).text(0) is None
