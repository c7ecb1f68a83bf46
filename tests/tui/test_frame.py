from __future__ import annotations

import asyncio
import threading

from aethermind.tui.frame import FrameClock


async def test_many_requests_are_one_frame() -> None:
    frames: list[float] = []
    came = asyncio.Event()
    loop = asyncio.get_running_loop()

    def frame() -> None:
        frames.append(loop.time())
        came.set()

    clock = FrameClock(20, frame)
    clock.start()
    for _ in range(10):
        clock.request()
    await asyncio.wait_for(came.wait(), 5)
    assert len(frames) == 1
    came.clear()
    for _ in range(10):
        clock.request()
    await asyncio.wait_for(came.wait(), 5)
    assert len(frames) == 2
    assert frames[1] - frames[0] >= 0.045  # no sooner than the period allows
    clock.stop()


async def test_it_sleeps_while_nothing_is_wanted() -> None:
    clock = FrameClock(100, lambda: None)
    clock.request()  # not started: nothing happens
    clock.start()
    assert clock._next is None
    assert clock._tick is None
    clock.stop()


async def test_another_thread_may_ask() -> None:
    came = asyncio.Event()
    clock = FrameClock(100, came.set)
    clock.start()
    thread = threading.Thread(target=clock.request_soon)
    thread.start()
    await asyncio.wait_for(came.wait(), 5)
    thread.join()
    clock.stop()


async def test_a_tick_is_replaced_and_taken_back() -> None:
    came = asyncio.Event()
    clock = FrameClock(1_000, came.set)
    clock.start()
    clock.tick_in(3_600)
    clock.tick_in(0.001)
    await asyncio.wait_for(came.wait(), 5)
    clock.tick_in(3_600)
    clock.no_tick()
    assert clock._tick is None
    clock.stop()
    clock.request_soon()  # after its end nothing happens
