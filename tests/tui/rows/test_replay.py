"""The tape: what has happened by a moment, and how the playhead moves."""

from __future__ import annotations

import pytest

from aethermind.domain import events as e
from aethermind.domain.run import fold
from aethermind.tui.glyphs import ASCII, UNICODE
from aethermind.tui.replay import Replay
from aethermind.tui.rows.cells import plain
from aethermind.tui.rows.replay import LEAD_MS, QUIET_MS, Tape, bar, described
from tests.tui.histories import T0, failed, research


def tape() -> Tape:
    return Tape(research(until="end").history)


def test_it_begins_with_the_first_event_and_ends_with_the_last() -> None:
    found = tape()
    assert (found.count, found.at) == (1, T0)
    found.go_to(found.end)
    assert found.over
    assert isinstance(found.last.event, e.RunSucceeded)
    found.go_to(0)
    assert found.count >= 1
    assert found.at == found.start


def test_events_of_a_moment_have_happened_at_it() -> None:
    found = tape()
    found.go_to(T0 + 8_240)
    assert all(recorded.at <= T0 + 8_240 for recorded in found.history[: found.count])
    assert all(recorded.at > T0 + 8_240 for recorded in found.history[found.count :])


def test_steps_are_single_events_and_stop_at_the_ends() -> None:
    found = tape()
    found.step(-1)
    assert found.count == 1
    found.step(1)
    found.step(1)
    assert found.count == 3
    assert found.at == found.history[2].at
    found.go_to(found.end)
    found.step(1)
    assert found.over


def test_playing_goes_on_by_the_time_that_passed_at_its_speed() -> None:
    found = tape()
    found.go_to(T0 + 8_300)
    found.advance(100, 1)
    assert found.at == T0 + 8_400
    found.advance(100, 16)
    assert found.at == T0 + 10_000


def test_playing_ends_at_the_end() -> None:
    found = tape()
    for _ in range(1_000):
        found.advance(1_000, 1)
    assert found.over
    assert found.at == found.end


def test_a_night_of_waiting_is_left_out() -> None:
    script = failed()
    script.history[-1] = e.Recorded(
        999, "run/r_8f1e", 99, script.start + 36_000_000, script.history[-1].event
    )
    found = Tape(script.history)
    found.go_to(script.start + 8_000)
    found.advance(100, 1)
    assert found.end - found.at == LEAD_MS
    assert not found.over
    near = Tape(script.history)
    near.go_to(script.start + 36_000_000 - QUIET_MS)
    near.advance(100, 1)
    assert near.at == script.start + 36_000_000 - QUIET_MS + 100


def test_a_clock_that_was_set_back_does_not_turn_it_round() -> None:
    script = failed()
    script.history[3] = e.Recorded(script.history[3].seq, "run/r_8f1e", 4, 5, script.history[3].event)
    found = Tape(script.history)
    for count in range(2, len(script.history) + 1):
        before = found.at
        found.step(1)
        assert found.count == count
        assert found.at >= before


def test_a_tape_needs_an_event() -> None:
    with pytest.raises(ValueError, match="without"):
        Tape([])


# --- the fold --------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [(5, 20, 40), (40, 20, 5), (30, 1, 31, 30)], ids=["on", "back", "about"])
def test_the_fold_is_that_of_the_events_before_the_playhead(order: tuple[int, ...]) -> None:
    found = tape()
    replay = Replay("r_8f21", found)
    _ = replay.follow()
    for count in order:
        found.step(count - found.count)
        _ = replay.follow()
        wanted = fold("r_8f21", found.history[:count])
        held = replay.held.run
        assert (held.seq, held.status, held.counts) == (wanted.seq, wanted.status, wanted.counts)
        assert held.tally.cost == wanted.tally.cost
        logs = sum(isinstance(recorded.event, e.LogWritten) for recorded in found.history[1:count])
        assert len(replay.held.logs) == logs


def test_going_back_says_that_all_is_another() -> None:
    found = tape()
    replay = Replay("r_8f21", found)
    assert replay.follow()[3]
    found.step(10)
    assert not replay.follow()[3]
    found.step(-1)
    assert replay.follow()[3]


# --- the line --------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_line_says_where_one_is(width: int) -> None:
    found = tape()
    found.go_to(T0 + 41_000)
    drawn = plain(bar(found, width, UNICODE, playing=True, speed=4))
    assert len(drawn) == width
    assert "PLAY" in drawn
    assert "×4" in drawn
    assert "41s/02:13" in drawn
    assert plain(bar(found, width, ASCII, playing=False, speed=1)).isascii()


def test_events_are_told_in_words() -> None:
    found = failed().history
    assert described(found[0]) == "run created"
    assert described(found[1]) == "attempt started fetch"
    assert any(described(recorded) == "info: cc -c main.c" for recorded in found)
