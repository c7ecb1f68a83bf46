"""When an engine without a terminal ends by itself."""

from __future__ import annotations

import signal
import threading

import pytest

from aethermind.cli import headless
from aethermind.cli.headless import Idle, stay


def test_it_is_idle_after_nothing_went_on_for_the_whole_time() -> None:
    idle = Idle(600, 0)
    assert not idle.over(599, busy=False)
    assert not idle.over(1_000, busy=True)  # a run
    assert not idle.over(1_599, busy=False)
    assert not idle.over(1_700, busy=False, used_at=1_650)  # somebody asked something
    assert not idle.over(2_249, busy=False, used_at=1_650)
    assert idle.over(2_250, busy=False, used_at=1_650)


def test_it_is_never_idle_without_a_limit() -> None:
    idle = Idle(None, 0)
    assert not idle.over(1e9, busy=False)
    assert idle.look_in(1e9) == headless.LOOK_S


def test_it_looks_again_when_it_could_be_over() -> None:
    idle = Idle(600, 0)
    assert idle.look_in(0) == headless.LOOK_S
    assert idle.look_in(598) == 2
    assert idle.look_in(700) == headless.SOONEST_S


class Engine:
    """One that works, then is looked at, then is left; each look at it is a second of its clock."""

    def __init__(self, *busy: tuple[int, int]) -> None:
        self.now = 0.0
        self._busy = list(busy)
        self._watching = 0

    def at_work(self) -> int:
        self.now += 1
        runs, self._watching = self._busy.pop(0) if self._busy else (0, 0)
        return runs

    def watching(self) -> int:
        return self._watching

    def used_at(self) -> float:
        return 0.0


class Unhurried(threading.Event):
    """Waiting takes no time."""

    def wait(self, timeout: float | None = None) -> bool:
        return self.is_set()


def test_it_stays_while_something_goes_on() -> None:
    engine = Engine((2, 0), (0, 1), (1, 1))
    stay(engine, idle_s=3, ended=Unhurried(), clock=lambda: engine.now)
    assert engine.now == 3 + 3


def test_it_ends_when_its_data_is_gone() -> None:
    engine = Engine(*[(1, 0)] * 10)
    stay(engine, idle_s=3, ended=Unhurried(), there=lambda: engine.now < 5, clock=lambda: engine.now)
    assert engine.now == 5


def test_it_ends_with_an_engine_that_broke() -> None:
    class Broken(Engine):
        def at_work(self) -> int:
            if super().at_work():
                return 1
            raise RuntimeError("the engine is not running")

    engine = Broken((1, 0), (1, 0))
    stay(engine, idle_s=None, ended=Unhurried(), clock=lambda: engine.now)
    assert engine.now == 3


def test_a_signal_ends_it() -> None:
    with headless.ended_by(signal.SIGTERM) as ended:
        signal.raise_signal(signal.SIGTERM)
        assert ended.by == signal.SIGTERM
        stay(Engine(*[(1, 0)] * 10), idle_s=None, ended=ended)
    assert signal.getsignal(signal.SIGTERM) is not None


@pytest.mark.parametrize("ignored", [True, False])
def test_nohup_is_left_as_it_is(ignored: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[bool] = []
    monkeypatch.setattr(headless, "detach", lambda *, streams: left.append(streams))
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN if ignored else signal.SIG_DFL)
    try:
        with headless.hang_ups():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert left == ([] if ignored else [False])
