from __future__ import annotations

from aethermind.tui.precedence import MOST_S, Precedence


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_key_is_first_until_it_is_shown() -> None:
    keys = Precedence(Clock())
    seen = [keys.first]
    keys.came()
    seen.append(keys.first)
    keys.shown()
    seen.append(keys.first)
    assert seen == [False, True, False]


def test_a_key_that_shows_nothing_is_first_for_a_moment_only() -> None:
    clock = Clock()
    keys = Precedence(clock)
    keys.came()
    clock.now += MOST_S + 0.001
    assert not keys.first


def test_such_keys_leave_half_of_the_time_to_others() -> None:
    clock = Clock()
    keys = Precedence(clock)
    held = 0
    for _ in range(1_000):  # one held down, at the end of a list
        keys.came()
        held += keys.first
        clock.now += 0.001
    assert 400 <= held <= 520


def test_keys_that_show_something_are_each_first() -> None:
    clock = Clock()
    keys = Precedence(clock)
    for _ in range(10):
        keys.came()
        assert keys.first
        keys.shown()
        clock.now += 0.001
