from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aethermind.definitions.units import LONGEST_MS, duration_ms, format_duration, micro_usd


@pytest.mark.parametrize(
    "text,ms",
    [
        ("0s", 0),
        ("500ms", 500),
        ("10s", 10_000),
        ("10m", 600_000),
        ("24h", 86_400_000),
        ("1h30m", 5_400_000),
        ("1.5h", 5_400_000),
        ("2d12h", 216_000_000),
        ("0.001s", 1),
        (" 90s ", 90_000),
    ],
)
def test_durations(text: str, ms: int) -> None:
    assert duration_ms(text) == ms


@pytest.mark.parametrize(
    "text,fragment",
    [
        ("90", "has no unit (write 90s"),
        ("-90", "write 90s"),
        ("1:30", "write 90s or 1m30s"),
        ("0:45", "write 45s"),
        ("1:02:03", "write 1h2m3s"),
        ("10 minutes", "500ms, 90s, 10m"),
        ("30m1h", "largest first"),
        ("1m1m", "each unit once"),
        ("", "missing"),
        ("0.5ms", "finer than a millisecond"),
        ("400d", "longer than a year"),
        ("9" * 400 + "s", "no duration"),
        ("١٠s", "no duration"),
        ("-5s", "no duration"),
        ("1e3s", "no duration"),
    ],
)
def test_what_is_no_duration(text: str, fragment: str) -> None:
    with pytest.raises(ValueError, match=r".+") as caught:
        duration_ms(text)
    assert fragment in str(caught.value)


@given(st.integers(0, LONGEST_MS))
def test_formatted_durations_read_back(ms: int) -> None:
    assert duration_ms(format_duration(ms)) == ms


@pytest.mark.parametrize(
    "amount,micro",
    [
        ("0.50", 500_000),
        ("$1.25", 1_250_000),
        (0.1, 100_000),
        (2, 2_000_000),
        ("1e-6", 1),
        ("0.0000005", 0),
        ("0.0000015", 2),
        ("0", 0),
    ],
)
def test_money_is_exact(amount: str | float, micro: int) -> None:
    assert micro_usd(amount) == micro


@pytest.mark.parametrize(
    "amount", ["-1", "nan", "inf", "1e999", "ten", "", "1,5", float("nan"), float("inf"), "2e9"]
)
def test_what_is_no_money(amount: str | float) -> None:
    with pytest.raises(ValueError, match=r"US dollars|negative"):
        micro_usd(amount)
