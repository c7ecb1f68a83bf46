"""Durations and money as people write them. All raise `ValueError` with a line for people."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from fractions import Fraction

from aethermind.definitions.hints import show

DURATION_PATTERN = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h|d))+$"
"""For the JSON Schema of workflow files."""

_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")
_UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_ORDER = ("d", "h", "m", "s", "ms")
LONGEST_MS = 366 * 86_400_000
"""No duration is longer than a year."""


def duration_ms(text: str) -> int:
    """`500ms`, `10s`, `1m30s`, `1.5h`, `2d` → whole milliseconds (0 to one year).

    Larger units come first and none twice; a bare number is refused, since it does not say its unit.
    """
    stripped = text.strip()
    if not stripped:
        raise ValueError("a duration is missing (write 90s, 10m or 1h30m)")
    if re.fullmatch(r"[+-]?[0-9]+(\.[0-9]+)?", stripped):
        number = show(stripped.lstrip("+-"), 20)
        raise ValueError(f"the duration {show(stripped, 20)} has no unit (write {number}s, or ms, m, h)")
    if match := re.fullmatch(r"([0-9]{1,4}):([0-9]{1,2})(?::([0-9]{1,2}))?", stripped):
        raise ValueError(f"{show(stripped)} is no duration (write {_from_clock(match)})")
    total = Fraction(0)
    position, last = 0, -1
    while position < len(stripped):
        match = _PART.match(stripped, position)
        if match is None or len(match[1]) > 15:
            raise ValueError(f"{show(stripped)} is no duration (write 500ms, 90s, 10m or 1h30m)")
        rank = _ORDER.index(match[2])
        if rank <= last:
            raise ValueError(f"{show(stripped)} is no duration (each unit once, the largest first: 1h30m)")
        last, position = rank, match.end()
        total += Fraction(match[1]) * _UNITS[match[2]]
    if total > LONGEST_MS:
        raise ValueError(f"{show(stripped)} is longer than a year")
    if total.denominator != 1:
        raise ValueError(f"{show(stripped)} is finer than a millisecond")
    return int(total)


def _from_clock(match: re.Match[str]) -> str:
    first, second, third = match[1].lstrip("0"), match[2].lstrip("0"), (match[3] or "").lstrip("0")
    if match[3] is not None:
        parts = [f"{first}h" if first else "", f"{second}m" if second else "", f"{third}s" if third else ""]
        return "".join(parts) or "0s"
    seconds = int(match[1]) * 60 + int(match[2])
    long = (f"{first}m" if first else "") + (f"{second}s" if second else "")
    return f"{seconds}s or {long}" if long and long != f"{seconds}s" else f"{seconds}s"


def format_duration(ms: int) -> str:
    """The inverse of `duration_ms`: 90_000 → `1m30s`."""
    if ms <= 0:
        return "0s"
    out = []
    for unit in _ORDER:
        count, ms = divmod(ms, _UNITS[unit])
        if count:
            out.append(f"{count}{unit}")
    return "".join(out)


def micro_usd(amount: str | float) -> int:
    """US dollars → integer micro-USD, half-even. `0.5`, `"0.50"`, `"$0.50"`; not negative, at most 1e9."""
    text = amount.strip().removeprefix("$").strip() if isinstance(amount, str) else repr(amount)
    if not re.fullmatch(r"[+-]?([0-9]{1,30}(\.[0-9]{0,30})?|\.[0-9]{1,30})([eE][+-]?[0-9]{1,3})?", text):
        raise ValueError(f"{show(str(amount), 30)} is no amount of US dollars (write 0.50)")
    try:
        usd = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{show(str(amount), 30)} is no amount of US dollars (write 0.50)") from None
    if usd < 0:
        raise ValueError(f"an amount of money cannot be negative: {show(text, 30)}")
    if usd > 1_000_000_000:
        raise ValueError(f"{show(text, 30)} US dollars is more than a billion")
    return int((usd * 1_000_000).to_integral_value(rounding="ROUND_HALF_EVEN"))
