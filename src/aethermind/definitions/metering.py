"""The measure of a template's work: what keeps somebody else's file from eating the machine.

Every loop turn, call and operator is counted, every text that is made is weighed, and an operation that
could be large by itself (`'x' * 10**9`, `'%999999999d'`, `replace`, `join`, …) is measured before it is done.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

MAX_TEXT = 10_000_000
"""Characters in the result or in any text on the way to it."""
MAX_MADE = 50_000_000
"""Characters made in all, in one evaluation."""
MAX_TURNS = 1_000_000
"""Loop turns, calls and operators in one evaluation."""
MAX_NUMBER = 1_000_000
"""Largest number handed to a method or filter."""
MAX_BITS = 100_000
SECONDS = 2.0


class TooMuch(Exception):  # a signal inside this package, turned into StepFailure
    """The template does more than a template should."""


class _Meter(threading.local):
    turns = 0
    made = 0
    deadline = float("inf")

    def begin(self) -> None:
        self.turns = self.made = 0
        self.deadline = time.monotonic() + SECONDS

    def turn(self) -> None:
        self.turns += 1
        if self.turns > MAX_TURNS:
            raise TooMuch(f"it takes more than {MAX_TURNS:,} turns")
        if not self.turns & 255 and time.monotonic() > self.deadline:
            raise TooMuch(f"it takes longer than {SECONDS:.0f} s")

    def size(self, length: int) -> None:
        """Before text of this length is made."""
        if length > MAX_TEXT:
            raise TooMuch(f"it makes a text of more than {MAX_TEXT:,} characters")

    def weigh(self, value: Any) -> Any:
        """After a value was made."""
        if isinstance(value, str):
            self.size(len(value))
            self.made += len(value)
            if self.made > MAX_MADE:
                raise TooMuch(f"it makes more than {MAX_MADE:,} characters of text")
        return value


meter = _Meter()


def check_numbers(values: Iterable[Any]) -> None:
    for value in values:
        if isinstance(value, int) and abs(value) > MAX_NUMBER:
            raise TooMuch(f"the number {str(value)[:12]}… is too large for this")


def check_format(template: str, values: Iterable[Any] = ()) -> None:
    """Widths in a format string: literal ones, and those taken from arguments."""
    if re.search(r"[0-9]{5}", template):
        raise TooMuch("a format wider than 9,999")
    if "*" in template or re.search(r"\{[^{}]*\{", template):
        for value in values:
            if isinstance(value, int) and abs(value) > 9_999:
                raise TooMuch("a format wider than 9,999")


def multiply(left: Any, right: Any) -> Any:
    for one, other in ((left, right), (right, left)):
        if isinstance(one, str | list | tuple) and isinstance(other, int):
            meter.size(len(one) * max(other, 0) * (1 if isinstance(one, str) else 8))
    if isinstance(left, int) and isinstance(right, int) and left.bit_length() + right.bit_length() > MAX_BITS:
        raise TooMuch("the number becomes too large")
    return left * right


def power(left: Any, right: Any) -> Any:
    if isinstance(left, int) and isinstance(right, int) and left.bit_length() * abs(right) > MAX_BITS:
        raise TooMuch("the number becomes too large")
    return left**right


def modulo(left: Any, right: Any) -> Any:
    if isinstance(left, str):
        values = right if isinstance(right, tuple | list) else [right]
        check_format(left, values.values() if isinstance(values, Mapping) else values)
        meter.size(len(left) + 10_000 * left.count("%"))
    return left % right


def add(left: Any, right: Any) -> Any:
    if isinstance(left, str) and isinstance(right, str):
        meter.size(len(left) + len(right))
    elif isinstance(left, list | tuple) and isinstance(right, list | tuple):
        meter.size((len(left) + len(right)) * 8)
    return left + right


OPERATORS: dict[str, Callable[[Any, Any], Any]] = {"*": multiply, "**": power, "%": modulo, "+": add}

_NO_METHODS = frozenset({"encode", "maketrans", "translate"})


def check_method(owner: str, name: str, args: tuple[Any, ...]) -> None:
    """Methods of text that could make a large one out of small arguments."""
    if name in _NO_METHODS:
        raise TooMuch(f"`{name}` is not available")
    if name == "replace" and len(args) >= 2:
        check_replace(owner, *args[:2])
    elif name == "join" and args:
        check_join(owner, args[0])
    elif name == "expandtabs" and args and isinstance(args[0], int):
        meter.size(len(owner) + owner.count("\t") * args[0])


def check_replace(text: str, old: Any, new: Any) -> None:
    if isinstance(old, str) and isinstance(new, str):
        meter.size(len(text) + text.count(old) * len(new))


def check_join(separator: str, items: Any) -> None:
    if isinstance(items, list | tuple):
        meter.size(sum(len(i) for i in items if isinstance(i, str)) + len(separator) * len(items))
