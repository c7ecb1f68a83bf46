from __future__ import annotations

import pytest

from aethermind.tui.pace import PATIENCE, RATES, Pace

WAY_S = 0.02


def told(*seconds: float) -> Pace:
    """One that knows the way there and back, and was told these."""
    pace = Pace()
    for took in (WAY_S, *seconds):
        pace.took(took)
    return pace


def test_a_line_that_takes_everything_at_once_bears_any_rate() -> None:
    pace = told(*[0.001] * 50)
    assert pace.hz is None
    assert pace.least_s == 0


@pytest.mark.parametrize("took, hz", [(0.05, 5), (0.08, 4), (0.2, 1), (0.5, 0.5), (30, 0.5)])
def test_a_frame_may_take_a_third_of_the_line(took: float, hz: float) -> None:
    pace = told(WAY_S + took)
    assert pace.hz == hz
    assert pace.least_s >= min(3 * took, 2)


def test_a_long_way_is_not_a_slow_line() -> None:
    pace = Pace()
    for _ in range(20):
        pace.took(0.4)  # a satellite
    assert pace.hz is None


def test_it_slows_down_at_once_and_speeds_up_with_patience_and_by_steps() -> None:
    pace = told(WAY_S + 0.5)
    assert pace.hz == 0.5
    rates = [pace.hz for _ in range(PATIENCE * len(RATES)) if pace.took(WAY_S)]
    assert rates == [1, 2, 4, 5, 10, None]


def test_one_quick_frame_among_slow_ones_changes_nothing() -> None:
    pace = told(WAY_S + 0.3)
    before = pace.hz
    for n in range(60):
        assert not pace.took(WAY_S if n % 2 else WAY_S + 0.3)
    assert pace.hz == before
