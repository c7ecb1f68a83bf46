"""Lanes and their pace: pure, time is a number."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aethermind.domain.errors import ErrorInfo, ErrorKind
from aethermind.domain.retry import RETRY_AFTER_CAP_MS
from aethermind.domain.usage import Usage
from aethermind.engine.lane import WINDOW_MS, Lane, LaneLimits
from aethermind.engine.pace import WINDOW_S, Pace


def error(kind: ErrorKind = "rate_limit", *, after: int | None = None, retryable: bool = True) -> ErrorInfo:
    return ErrorInfo(kind=kind, message="no", retryable=retryable, retry_after_ms=after)


def lane(**limits: int) -> Lane:
    return Lane("v:m", LaneLimits(**limits))


# --- Retry-After -------------------------------------------------------------------------------


def test_one_refusal_closes_the_lane_and_one_probe_goes_first() -> None:
    it = lane()
    one, two = it.begin(0, 0), it.begin(0, 0)
    it.failed(one, error(after=2_000), 1.0)
    it.left(one)
    assert (it.may(2.9, 0).go, it.may(2.9, 0).at, it.may(2.9, 0).refuse) == (False, 3.0, False)
    it.failed(two, error(after=2_000), 1.5)  # was under way: the time counts, it closes nothing anew
    it.left(two)
    assert it.may(3.4, 0).at == 3.5
    assert it.may(3.5, 0).go
    probe = it.begin(3.5, 0)
    assert not it.may(3.6, 0).go
    assert it.may(3.6, 0).at is None, "only the probe's end can tell"
    assert it.heard(probe)
    assert it.may(3.6, 0).go


def test_a_late_answer_of_before_does_not_open_it() -> None:
    it = lane()
    old, refused = it.begin(0, 0), it.begin(0, 0)
    it.failed(refused, error(after=5_000), 1.0)
    it.answered(old, None, 1.1)
    it.left(old)
    assert not it.may(2.0, 0).go


def test_a_probe_that_is_refused_closes_it_again_one_that_is_given_up_does_not() -> None:
    it = lane()
    first = it.begin(0, 0)
    it.failed(first, error(after=1_000), 0)
    it.left(first)
    assert it.may(1.0, 0).go
    given_up = it.begin(1.0, 0)
    it.left(given_up)
    assert it.may(1.0, 0).go
    probe = it.begin(1.0, 0)
    it.failed(probe, error(after=1_000), 1.2)
    it.left(probe)
    assert it.may(1.3, 0).at == 2.2


def test_without_a_time_the_windows_grow_up_to_the_cap() -> None:
    it, now, windows = lane(), 0.0, []
    for _ in range(12):
        assert it.may(now, 0).go
        ticket = it.begin(now, 0)
        it.failed(ticket, error(), now)
        it.left(ticket)
        windows.append(round((it.until - now) * 1000))
        now = it.until
    assert windows[:3] == [WINDOW_MS, 2 * WINDOW_MS, 4 * WINDOW_MS]
    assert windows[-1] == RETRY_AFTER_CAP_MS


def test_a_day_of_waiting_is_capped() -> None:
    it = lane()
    it.failed(it.begin(0, 0), error(after=86_400_000), 0)
    assert it.may(0, 0).at == RETRY_AFTER_CAP_MS / 1000


# --- the breaker -------------------------------------------------------------------------------


def test_failures_in_a_row_open_the_circuit_and_a_probe_closes_it() -> None:
    it = lane(failures=3, break_ms=5_000)
    for now in (0.0, 1.0, 2.0):
        assert it.may(now, 0).go
        ticket = it.begin(now, 0)
        it.failed(ticket, error("server"), now)
        it.left(ticket)
    assert (it.may(2.1, 0).refuse, it.may(2.1, 0).at) == (True, 7.0)
    probe = it.begin(7.0, 0) if it.may(7.0, 0).go else None
    assert probe is not None
    assert not it.heard(probe), "a beginning proves nothing: streams break later"
    assert not it.may(7.1, 0).go
    assert not it.may(7.1, 0).refuse
    it.answered(probe, None, 8.0)
    it.left(probe)
    assert it.may(8.0, 0).go
    ticket = it.begin(8.0, 0)
    it.failed(ticket, error("server"), 8.0)
    assert it.may(8.0, 0).go, "it counts from the beginning again"


def test_a_probe_that_fails_opens_the_circuit_for_longer() -> None:
    it = lane(failures=1, break_ms=5_000)
    it.failed(it.begin(0, 0), error("connection"), 0)
    assert it.may(5.0, 0).go
    it.failed(it.begin(5.0, 0), error("connection"), 5.0)
    assert it.may(5.0, 0).at == 15.0


@pytest.mark.parametrize("kind", ["auth", "bad_request", "quota", "context_length"])
def test_what_is_the_callers_fault_breaks_nothing(kind: ErrorKind) -> None:
    it = lane(failures=2)
    for failure in (error("server"), error(kind, retryable=False), error("server")):
        it.failed(it.begin(0, 0), failure, 0)
    assert it.may(0, 0).go
    it.failed(it.begin(0, 0), error("server"), 0)
    assert it.may(0, 0).refuse


def test_no_breaker_if_it_is_switched_off() -> None:
    it = lane(failures=0, concurrency=100)
    for _ in range(50):
        it.failed(it.begin(0, 0), error("server"), 0)
    assert it.may(0, 0).go


# --- limits ------------------------------------------------------------------------------------


def test_concurrency() -> None:
    it = lane(concurrency=2)
    first = it.begin(0, 0)
    it.begin(0, 0)
    assert (it.may(0, 0).go, it.may(0, 0).why) == (False, "concurrency")
    it.left(first)
    assert it.may(0, 0).go


def test_requests_per_minute() -> None:
    it = lane(rpm=2)
    it.begin(0, 0)
    it.begin(10, 0)
    assert (it.may(59, 0).why, it.may(59, 0).at) == ("requests", 60.0)
    assert it.may(60, 0).go
    it.begin(60, 0)
    assert it.may(61, 0).at == 70.0


def test_tokens_per_minute_are_put_right_when_they_are_known() -> None:
    it = lane(tpm=1_000)
    ticket = it.begin(0, 900)
    assert (it.may(1, 200).why, it.may(1, 200).at) == ("tokens", 60.0)
    it.answered(ticket, Usage(input_tokens=300, output_tokens=100), 2)
    assert it.may(2, 600).go
    assert not it.may(2, 601).go


def test_who_wants_more_than_the_limit_goes_alone() -> None:
    it = lane(tpm=100)
    it.begin(0, 50)
    assert it.may(1, 5_000).at == 60.0
    assert it.may(60, 5_000).go


@given(
    st.integers(1, 50),
    st.lists(st.tuples(st.floats(0, 30), st.integers(1, 60), st.integers(0, 60)), max_size=60),
)
def test_no_window_ever_holds_more_than_the_limit(limit: int, calls: list[tuple[float, int, int]]) -> None:
    pace, now = Pace(limit), 0.0
    taken: list[list[float]] = []
    for gap, wanted, used in calls:
        now += gap
        amount = min(wanted, limit)
        truth = min(used, amount)
        now = max(now, pace.free_at(now, amount))
        assert pace.free_at(now, amount) == now
        within = sum(part for at, part in taken if at + WINDOW_S > now)
        assert within + amount <= limit
        assert pace.used == within
        pace.settle(pace.take(now, amount), truth, now)
        taken.append([now, truth])
