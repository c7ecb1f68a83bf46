"""The rate of a token, with a clock of the test's."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from aethermind.api.rate import KEPT, Rate


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_so_many_and_then_none_until_it_says() -> None:
    clock = Clock()
    rate = Rate(10, 60, clock)
    verdicts = [rate.ask("a") for _ in range(11)]
    assert [v.allowed for v in verdicts] == [True] * 10 + [False]
    assert [v.left for v in verdicts] == [*range(9, -1, -1), 0]
    assert verdicts[-1].headers()["retry-after"] == str(verdicts[-1].reset_s)
    assert rate.ask("b").allowed
    clock.now += verdicts[-1].reset_s
    assert rate.ask("a").allowed


@settings(max_examples=50)
@given(
    limit=st.integers(1, 20),
    steps=st.lists(st.floats(0, 30, allow_nan=False), min_size=1, max_size=60),
)
def test_in_no_fixed_window_are_there_more(limit: int, steps: list[float]) -> None:
    clock = Clock()
    rate = Rate(limit, 60, clock)
    allowed: dict[int, int] = {}
    for step in steps:
        clock.now += step
        verdict = rate.ask("a")
        window = int(clock.now // 60)
        allowed[window] = allowed.get(window, 0) + verdict.allowed
        assert 0 <= verdict.left <= limit
        assert 1 <= verdict.reset_s <= 120
    assert max(allowed.values()) <= limit


@settings(max_examples=50)
@given(limit=st.integers(1, 20), burst=st.integers(1, 40), later=st.floats(0, 100, allow_nan=False))
def test_after_what_it_says_one_more_is_allowed(limit: int, burst: int, later: float) -> None:
    clock = Clock()
    rate = Rate(limit, 60, clock)
    for _ in range(burst):
        rate.ask("a")
    clock.now += later
    verdict = rate.ask("a")
    if not verdict.allowed:
        clock.now += verdict.reset_s
        assert rate.ask("a").allowed


def test_it_does_not_grow_with_what_it_is_asked() -> None:
    rate = Rate(1, 60, Clock())
    for n in range(KEPT + 50):
        rate.ask(str(n))
    assert len(rate._counts) == KEPT
