"""The governor on a virtual clock: who goes when, and that nobody is forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest

from aethermind.domain.errors import ErrorInfo, ErrorKind, ProviderError
from aethermind.engine.governor import Governor
from aethermind.engine.lane import LaneLimits, LaneState
from aethermind.engine.lane_words import waits
from tests.simulation.loop import VirtualLoop

T = TypeVar("T")
MODEL = "v:m"
START = 1_767_225_600_000


class LoopClock:
    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def now(self) -> int:
        return START + round(self.monotonic() * 1000)


def play(main: Coroutine[Any, Any, T]) -> T:
    loop = VirtualLoop()
    task = loop.create_task(main)
    while not task.done():
        assert loop.step() or task.done(), "everybody waits, and no timer is set"
    assert not loop.complaints
    loop.close()
    return task.result()


def governed(**limits: int) -> Governor:
    return Governor(LoopClock(), limits=lambda _model: LaneLimits(**limits))


def error(kind: ErrorKind = "rate_limit", after: int | None = None) -> ErrorInfo:
    return ErrorInfo(kind=kind, message="503: no", retryable=True, retry_after_ms=after)


async def call(
    governor: Governor, log: list[tuple[float, str]], name: str, seconds: float = 1.0, **how: Any
) -> None:
    async with governor.admit(MODEL, **how) as place:
        log.append((asyncio.get_running_loop().time(), name))
        await asyncio.sleep(seconds)
        place.heard()
        place.answered(None)


def test_a_storm_of_429_costs_one_probe_per_window_and_all_finish() -> None:
    async def main() -> tuple[list[float], int]:
        loop, governor = asyncio.get_running_loop(), governed(concurrency=1_000)
        sent: list[float] = []
        done = 0

        async def agent() -> None:
            nonlocal done
            while True:
                async with governor.admit(MODEL) as place:
                    sent.append(loop.time())
                    await asyncio.sleep(0.05)
                    if loop.time() < 20:
                        place.failed(error(after=2_000))
                        continue
                    place.heard()
                    place.answered(None)
                    done += 1
                    return

        await asyncio.gather(*(agent() for _ in range(100)))
        return sent, done

    sent, done = play(main())
    assert done == 100
    storm = [at for at in sent if at < 20]
    assert len(storm) <= 100 + 10
    for window in range(1, 9):  # after the first burst
        assert len([at for at in storm if 0.1 + 2 * window <= at < 0.1 + 2 * window + 2]) <= 1


def test_arrival_decides_and_a_priority_goes_before() -> None:
    async def main() -> list[str]:
        governor, log = governed(concurrency=1), list[tuple[float, str]]()
        calls = [("a", 0), ("b", 0), ("c", 0), ("urgent", 1), ("d", 0)]
        tasks = [
            asyncio.ensure_future(call(governor, log, name, priority=priority)) for name, priority in calls
        ]
        await asyncio.gather(*tasks)
        return [name for _, name in log]

    assert play(main()) == ["a", "urgent", "b", "c", "d"]


def test_a_priority_does_not_starve_the_others() -> None:
    async def main() -> list[str]:
        governor, log = governed(concurrency=1), list[tuple[float, str]]()
        tasks = [asyncio.ensure_future(call(governor, log, name)) for name in ("first", "patient")]

        async def pushing() -> None:
            for number in range(20):
                tasks.append(asyncio.ensure_future(call(governor, log, f"urgent {number}", priority=1)))
                await asyncio.sleep(1)

        await pushing()
        await asyncio.gather(*tasks)
        return [name for _, name in log]

    assert play(main()).index("patient") <= 12


def test_requests_per_minute_with_one_timer() -> None:
    async def main() -> list[float]:
        governor, log = governed(rpm=3), list[tuple[float, str]]()
        await asyncio.gather(*(call(governor, log, str(n)) for n in range(8)))
        return [at for at, _ in log]

    starts = play(main())
    assert [round(at) for at in starts] == [0, 0, 0, 60, 60, 60, 120, 120]


def test_one_who_gives_up_while_he_waits_takes_nobodys_place() -> None:
    async def main() -> list[str]:
        governor, log = governed(concurrency=1), list[tuple[float, str]]()
        tasks = [asyncio.ensure_future(call(governor, log, name)) for name in "abc"]
        await asyncio.sleep(0.5)
        tasks[1].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert governor.states() == [LaneState(lane=MODEL)]
        return [name for _, name in log]

    assert play(main()) == ["a", "c"]


def test_one_who_is_stopped_in_the_moment_he_is_let_through_gives_the_place_on() -> None:
    async def main() -> list[str]:
        governor, log = governed(concurrency=1), list[tuple[float, str]]()
        async with governor.admit(MODEL):
            tasks = [asyncio.ensure_future(call(governor, log, name)) for name in "ab"]
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        tasks[0].cancel()  # its place is given, it does not know yet
        await asyncio.gather(*tasks, return_exceptions=True)
        return [name for _, name in log]

    assert play(main()) == ["b"]


def test_a_probe_that_is_stopped_lets_the_next_one_probe() -> None:
    async def main() -> list[str]:
        governor, log = governed(), list[tuple[float, str]]()
        governor.hold(MODEL, 2_000)
        tasks = [asyncio.ensure_future(call(governor, log, name)) for name in "abc"]
        await asyncio.sleep(2.5)
        assert [name for _, name in log] == ["a"]
        tasks[0].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return [f"{name} {at:.1f}" for at, name in log]

    assert play(main()) == ["a 2.0", "b 2.5", "c 3.5"]


def test_an_open_circuit_refuses_those_who_wait_and_says_until_when() -> None:
    async def main() -> tuple[list[ErrorInfo], float, LaneState]:
        governor, log = governed(failures=1, break_ms=10_000, concurrency=1), list[tuple[float, str]]()

        async def fails() -> None:
            async with governor.admit(MODEL) as place:
                await asyncio.sleep(1)
                place.failed(error("server"))

        tasks = [asyncio.ensure_future(fails())]
        await asyncio.sleep(0.5)
        tasks += [asyncio.ensure_future(call(governor, log, name)) for name in "ab"]
        results = await asyncio.gather(*tasks, return_exceptions=True)
        refused = [one.info for one in results if isinstance(one, ProviderError)]
        state = governor.states()[0]
        await asyncio.sleep(10)
        await asyncio.gather(*(call(governor, log, name) for name in "cd"))
        return refused, log[1][0] - log[0][0], state

    refused, gap, state = play(main())
    assert [info.kind for info in refused] == ["circuit_open", "circuit_open"]
    assert all(info.retryable and info.retry_after_ms == 10_000 for info in refused)
    assert refused[0].message == "v:m failed too often in a row, asked again in 10 s: 503: no"
    assert (state.state, state.why, state.free_at) == ("closed", "circuit", START + 11_000)
    assert gap == pytest.approx(1.0), "the second waits for the probe's answer"


def test_who_has_another_model_does_not_wait_for_a_closed_lane() -> None:
    async def main() -> ErrorInfo:
        governor, log = governed(concurrency=1), list[tuple[float, str]]()
        async with governor.admit(MODEL) as place:
            waiting = asyncio.ensure_future(call(governor, log, "a", patient=False))
            await asyncio.sleep(1)
            assert not waiting.done(), "a place will be free: that is worth waiting for"
            place.failed(error(after=30_000))
        with pytest.raises(ProviderError):
            await waiting
        with pytest.raises(ProviderError) as caught:
            await call(governor, log, "b", patient=False)
        return caught.value.info

    info = play(main())
    assert (info.kind, info.retryable, info.retry_after_ms) == ("rate_limit", True, 30_000)


def test_lanes_of_one_account_are_one() -> None:
    async def main() -> list[str]:
        governor = Governor(
            LoopClock(), limits=lambda _m: LaneLimits(concurrency=1), account=lambda m: m.partition(":")[2]
        )
        log = list[str]()

        async def one(model: str) -> None:
            async with governor.admit(model):
                log.append(f"{model} {asyncio.get_running_loop().time():.0f}")
                await asyncio.sleep(1)

        await asyncio.gather(one("x:m"), one("y:m"), one("x:n"))
        return log

    assert play(main()) == ["x:m 0", "x:n 0", "y:m 1"]


def test_the_state_and_what_a_step_is_told() -> None:
    async def main() -> tuple[list[str | None], list[str], LaneState]:
        governor, log = governed(), list[tuple[float, str]]()
        told: list[str | None] = []
        changes: list[str] = []
        governor.changed = lambda state: changes.append(state.state)
        governor.hold(MODEL, 12_000)

        def hears(state: LaneState) -> None:
            told.append(waits(state, LoopClock().now()))

        tasks = [asyncio.ensure_future(call(governor, log, name, waits=hears)) for name in "ab"]
        await asyncio.sleep(1)
        state = governor.states()[0]
        await asyncio.gather(*tasks)
        return told, changes, state

    told, changes, state = play(main())
    assert told == ["waits for v:m: the provider limits the rate, 12 s"] * 2
    assert changes == ["closed", "half_open", "open"]
    assert state == LaneState(
        lane=MODEL, state="closed", why="rate_limit", waiting=2, in_flight=0, free_at=START + 12_000
    )
