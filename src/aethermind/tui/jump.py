"""Short labels for many places, so that two keys go anywhere on the screen. Pure."""

from __future__ import annotations

LETTERS = "fjdkslaghrueiwoqptyvncmxbz"
"""The easiest to reach first."""


def labels(count: int) -> list[str]:
    """So many labels, all of one length, so that none is the beginning of another."""
    length = 1
    while len(LETTERS) ** length < count:
        length += 1
    return [_label(n, length) for n in range(count)]


def _label(number: int, length: int) -> str:
    found = ""
    for _ in range(length):
        number, at = divmod(number, len(LETTERS))
        found = LETTERS[at] + found
    return found
