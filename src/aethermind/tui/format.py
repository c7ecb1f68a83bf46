"""Numbers as a screen shows them: short, of a known width, never a lie. Pure.

Durations come in milliseconds, money in micro-USD, times in epoch milliseconds.
"""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise

_KILO = (("", 1), ("k", 1_000), ("M", 1_000_000), ("G", 1_000_000_000))


def duration(ms: int | None, *, live: bool = False) -> str:
    """`8.2s`, `21s`, `01:31`, `1h02m`, `3d04h` (at most 6 cells). `live` ones have no tenths, so that they
    change once a second only. None is empty.
    """
    if ms is None:
        return ""
    ms = max(ms, 0)
    if ms < 9_950:
        return f"{ms // 1000}s" if live else f"{ms / 1000:.1f}s"
    seconds = ms // 1000 if live else (ms + 500) // 1000
    if seconds < 60:
        return f"{seconds}s"
    if seconds < 3_600:
        return f"{seconds // 60:02}:{seconds % 60:02}"
    if seconds < 100 * 3_600:
        return f"{seconds // 3_600}h{seconds % 3_600 // 60:02}m"
    return f"{seconds // 86_400}d{seconds % 86_400 // 3_600:02}h"


def short(number: int) -> str:
    """`987`, `9.9k`, `41.2k`, `412k`, `1.2M` (at most 5 cells)."""
    if number < 1_000:
        return str(number)
    for (_, small), (sign, size) in pairwise(_KILO):
        if number < size * 999.5 or size == _KILO[-1][1]:
            value = number / size
            if value < 99.95 and size > small:
                return f"{value:.1f}{sign}"
            return f"{value:.0f}{sign}"
    return str(number)


def grouped(number: int) -> str:
    """`8 412`."""
    return f"{number:,}".replace(",", " ")


def usd(micro: int | None, *, unknown: str = "—") -> str:
    """`$0.4127`, `$12.34`, `$1,234` (at most 8 cells up to a million dollars)."""
    if micro is None:
        return unknown
    if micro and abs(micro) < 50:
        return "<$0.0001"
    dollars = micro / 1_000_000
    if abs(dollars) < 9.99995:
        return f"${dollars:.4f}"
    if abs(dollars) < 999.995:
        return f"${dollars:.2f}"
    return f"${dollars:,.0f}"


def usd_short(micro: int | None, *, unknown: str = "—") -> str:
    """`$.11`, `$1.20`, `$12` (at most 5 cells up to $9999)."""
    if micro is None:
        return unknown
    cents = (micro + 5_000) // 10_000
    if micro and not cents:
        return "<$.01"
    if cents < 100:
        return f"$.{cents:02}"
    if cents < 1_000:
        return f"${cents / 100:.2f}"
    return f"${round(cents / 100)}"


def budget(micro: int) -> str:
    """`$2.00`, `$0.0005`."""
    return f"${micro / 1_000_000:.2f}" if micro % 10_000 == 0 else usd(micro)


def clock(at: int) -> str:
    """Time of day here: `06:21:09`."""
    return f"{datetime.fromtimestamp(at / 1000).astimezone():%H:%M:%S}"


def ago(ms: int) -> str:
    """`now`, `12s`, `3m`, `2h`, `5d`."""
    seconds = max(ms, 0) // 1000
    for sign, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        if seconds >= size:
            return f"{seconds // size}{sign}"
    return "now"


def model(name: str | None) -> str:
    """A model's name without its provider: `openai:gpt-5` → `gpt-5`."""
    return (name or "").rpartition(":")[2]
