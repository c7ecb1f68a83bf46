"""The wall clock of a process: it follows corrections, never jumps, and never goes back."""

from __future__ import annotations

import time

import pytest

from aethermind.infra.clock import SystemClock, steady_ns

S = 1_000_000_000
YEARS = 10 * 365 * 86_400 * S
START = 1_790_000_000 * S


class Machine:
    def __init__(self) -> None:
        self.wall = START
        self.steady = 5_000 * S

    def clock(self) -> SystemClock:
        return SystemClock(wall=lambda: self.wall, steady=lambda: self.steady)

    def run(self, seconds: float, *, wall: float | None = None) -> None:
        self.steady += int(seconds * S)
        self.wall += int((seconds if wall is None else wall) * S)


def test_it_is_the_machines_to_begin_with() -> None:
    clock = SystemClock()
    assert abs(clock.now() - time.time() * 1000) < 1_000
    assert clock.now() <= clock.now()
    before = steady_ns()
    assert before / S <= clock.monotonic() <= before / S + 5


@pytest.mark.parametrize("jump", [YEARS, -YEARS, 3_600 * S, -3_600 * S])
def test_a_jump_is_not_followed(jump: int) -> None:
    machine = Machine()
    clock = machine.clock()
    machine.run(10)
    assert clock.now() == (START + 10 * S) // 1_000_000
    machine.wall += jump
    for n in range(1, 100):
        machine.run(60)
        assert clock.now() == (START + (10 + 60 * n) * S) // 1_000_000


@pytest.mark.parametrize("off", [2.0, -2.0, 0.05, -0.05])
def test_a_correction_is_followed_a_little_at_a_time(off: float) -> None:
    machine = Machine()
    clock = machine.clock()
    machine.wall += int(off * S)
    before = clock.now()
    for _ in range(3_000):
        machine.run(0.1)
        now = clock.now()
        assert 0 <= now - before <= 160
        before = now
    assert abs(before - machine.wall // 1_000_000) <= 1


def test_a_drift_is_followed_for_ever() -> None:
    machine = Machine()
    clock = machine.clock()
    for _ in range(24 * 60):
        machine.run(60, wall=60.01)  # a steady clock that loses 14 seconds a day
        assert abs(clock.now() - machine.wall // 1_000_000) < 30


def test_it_never_goes_back() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.run(100)
    before = clock.now()
    machine.wall -= 30 * S
    for _ in range(2_000):
        machine.run(0.001)
        assert clock.now() >= before
        before = clock.now()
    machine.run(5)
    assert clock.now() >= before


def test_time_asleep_counts() -> None:
    machine = Machine()
    clock = machine.clock()
    before = clock.now(), clock.monotonic()
    machine.run(8 * 3_600)
    assert clock.now() - before[0] == 8 * 3_600_000
    assert clock.monotonic() - before[1] == 8 * 3_600
