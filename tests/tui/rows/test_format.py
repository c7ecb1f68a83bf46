from __future__ import annotations

import pytest

from aethermind.tui import format as fmt


@pytest.mark.parametrize(
    "ms, shown",
    [
        (None, ""),
        (0, "0.0s"),
        (8_249, "8.2s"),
        (9_949, "9.9s"),
        (9_950, "10s"),
        (59_499, "59s"),
        (59_500, "01:00"),
        (91_000, "01:31"),
        (3_599_499, "59:59"),
        (3_600_000, "1h00m"),
        (99 * 3_600_000, "99h00m"),
        (100 * 3_600_000, "4d04h"),
        (-5, "0.0s"),
    ],
)
def test_durations(ms: int | None, shown: str) -> None:
    assert fmt.duration(ms) == shown
    assert len(shown) <= 6


def test_live_durations_change_once_a_second_only() -> None:
    for begin in (0, 5_000, 59_000, 3_599_000):
        assert len({fmt.duration(begin + ms, live=True) for ms in range(0, 1_000, 7)}) == 1


@pytest.mark.parametrize(
    "number, shown",
    [
        (0, "0"),
        (999, "999"),
        (1_000, "1.0k"),
        (41_230, "41.2k"),
        (99_949, "99.9k"),
        (99_950, "100k"),
        (999_499, "999k"),
        (999_500, "1.0M"),
        (12_345_678, "12.3M"),
        (5_000_000_000, "5.0G"),
    ],
)
def test_short_numbers(number: int, shown: str) -> None:
    assert fmt.short(number) == shown
    assert len(shown) <= 5


@pytest.mark.parametrize(
    "micro, shown",
    [
        (None, "—"),
        (0, "$0.0000"),
        (49, "<$0.0001"),
        (50, "$0.0001"),
        (412_700, "$0.4127"),
        (9_999_949, "$9.9999"),
        (9_999_950, "$10.00"),
        (12_345_678, "$12.35"),
        (1_234_567_890, "$1,235"),
    ],
)
def test_money(micro: int | None, shown: str) -> None:
    assert fmt.usd(micro) == shown
    assert len(shown) <= 8


def test_money_that_is_there_never_reads_as_nothing() -> None:
    for micro in (1, 9, 49, 51, 4_999):
        assert fmt.usd(micro) not in {"$0.0000", "$0"}
        assert fmt.usd_short(micro) == "<$.01"
    assert fmt.usd_short(5_000) == "$.01"
    assert fmt.usd_short(110_000) == "$.11"
    assert fmt.usd_short(995_000) == "$1.00"
    assert fmt.usd_short(12_400_000) == "$12"


def test_a_budget_shows_all_that_it_is() -> None:
    assert fmt.budget(2_000_000) == "$2.00"
    assert fmt.budget(500) == "$0.0005"


def test_model_names_without_their_provider() -> None:
    assert fmt.model("openai:gpt-5") == "gpt-5"
    assert fmt.model("qwen3") == "qwen3"
    assert fmt.model(None) == ""


def test_grouped_and_ago() -> None:
    assert fmt.grouped(8_412) == "8 412"
    assert [fmt.ago(s * 1_000) for s in (0, 12, 200, 7_300, 500_000)] == ["now", "12s", "3m", "2h", "5d"]
