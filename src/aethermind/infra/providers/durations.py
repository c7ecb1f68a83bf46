"""Durations as people write them."""

from __future__ import annotations

import re
from decimal import Decimal

_UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_PART = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)(ms|s|m|h|d)")


def parse_ms(value: object) -> int:
    """`"300ms"`, `"1.5s"`, `"1h30m"` or a number of seconds → milliseconds. Raises `ValueError`."""
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        if 0 <= value < 1e9:  # False for NaN
            return round(value * 1_000)
        raise ValueError("a duration is not negative and below 10⁹ seconds")
    if isinstance(value, str):
        text = value.strip().lower().replace(" ", "")
        parts = _PART.findall(text)
        if parts and "".join(number + unit for number, unit in parts) == text:
            return round(sum(Decimal(number) * _UNITS[unit] for number, unit in parts))
    raise ValueError(f"{value!r:.40} is no duration (write 300ms, 1.5s, 10m, 1h30m)")
