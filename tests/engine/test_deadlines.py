"""Deadlines: cancel on time, in any order of lengths; ended and extended ones do not."""

from __future__ import annotations

import asyncio

from aethermind.engine.deadlines import Deadline, Deadlines


async def _work(deadlines: Deadlines, ms: int, began: asyncio.Queue[Deadline]) -> bool:
    """Whether it was cancelled by its deadline."""
    deadline = deadlines.begin(ms)
    began.put_nowait(deadline)
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        return deadline.passed
    return False


async def test_each_passes_by_itself() -> None:
    deadlines, began = Deadlines(), asyncio.Queue[Deadline]()
    tasks = [asyncio.create_task(_work(deadlines, ms, began)) for ms in (30, 5, 30, 5, 1)]
    assert await asyncio.wait_for(asyncio.gather(*tasks), 5) == [True] * 5
    again = asyncio.create_task(_work(deadlines, 5, began))  # the row of this length was given up
    assert await asyncio.wait_for(again, 5)


async def test_an_ended_one_cancels_nobody_and_the_next_is_still_on_time() -> None:
    deadlines, began = Deadlines(), asyncio.Queue[Deadline]()
    first = asyncio.create_task(_work(deadlines, 20, began))
    (await began.get()).end()
    second = asyncio.create_task(_work(deadlines, 20, began))
    assert await asyncio.wait_for(second, 5)
    assert not first.done()
    first.cancel()
    assert await first is False


async def test_one_that_stands_still_passes_when_it_has_gone_on() -> None:
    deadlines, began = Deadlines(), asyncio.Queue[Deadline]()
    first = asyncio.create_task(_work(deadlines, 5, began))
    held = await began.get()
    held.suspend()
    held.suspend()
    second = asyncio.create_task(_work(deadlines, 5, began))
    assert await asyncio.wait_for(second, 5)
    held.go_on()
    assert await asyncio.wait_for(asyncio.create_task(_work(deadlines, 5, began)), 5)
    assert not first.done()
    held.go_on()
    assert await asyncio.wait_for(first, 5)
