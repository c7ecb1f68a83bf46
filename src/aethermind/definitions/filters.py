"""Filters of the sandbox, and what an expression may give.

Imported on first use only, together with Jinja2.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from jinja2.filters import FILTERS
from jinja2.runtime import Undefined

from aethermind.definitions import lookup
from aethermind.definitions.metering import TooMuch, check_join, check_numbers, check_replace, meter, modulo


def _lines(value: Any) -> list[str]:
    """Text → its lines."""
    return _text(value, "lines").splitlines()


def _words(value: Any) -> list[str]:
    """Text → its words."""
    return _text(value, "words").split()


def _text(value: Any, name: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TypeError(f"`{name}` takes text, not {lookup.kind_of(value)}")
    return value


def _json(value: Any, indent: int | None = None) -> str:
    """Any value → JSON text."""
    if indent is not None and not 0 <= indent <= 16:
        raise ValueError("`indent` of JSON is 0 to 16")
    return json.dumps(plain(value), ensure_ascii=False, indent=indent)


def _replace(value: Any, old: str, new: str, count: int | None = None) -> str:
    text = lookup.render(plain(value))
    check_replace(text, old, new)
    return text.replace(old, new, -1 if count is None else count)


def _join(value: Any, d: str = "", attribute: Any = None) -> str:
    items = [_pick(item, attribute) for item in value or ()]
    texts = [lookup.render(plain(item)) for item in items]
    separator = str(d)
    check_join(separator, texts)
    return separator.join(texts)


def _pick(item: Any, attribute: Any) -> Any:
    meter.turn()
    if attribute is None:
        return item
    for name in str(attribute).split("."):
        item = None if item is None else item[int(name) if name.isdecimal() else name]
    return item


def _format(value: Any, *args: Any, **kwargs: Any) -> str:
    if args and kwargs:
        raise TypeError("`format` takes values or named values, not both")
    return str(modulo(str(value), kwargs or args))


def _indent(value: Any, width: int | str = 4, first: bool = False, blank: bool = False) -> str:
    text = lookup.render(plain(value))
    check_numbers([width])
    prefix = width if isinstance(width, str) else " " * width
    rows = text.split("\n")
    meter.size(len(text) + len(prefix) * len(rows))
    out = [prefix + row if (number or first) and (row or blank) else row for number, row in enumerate(rows)]
    return "\n".join(out)


def join_texts(values: list[Any]) -> str:
    """The operator `~`."""
    texts = [lookup.render(plain(v)) for v in values]
    check_join("", texts)
    return "".join(texts)


def counted(values: Any) -> Iterator[Any]:
    """What a `for` loop goes over."""
    if values is None:
        raise TypeError("there is nothing to loop over: the value is null (write `x or []`)")
    if isinstance(values, int | float):
        raise TypeError("a number is nothing to loop over")
    for value in values:
        meter.turn()
        yield value


def measured(filter_: Callable[..., Any]) -> Callable[..., Any]:
    own = 2 if hasattr(filter_, "jinja_pass_arg") else 1

    @functools.wraps(filter_)
    def measured(*args: Any, **kwargs: Any) -> Any:
        meter.turn()
        check_numbers(args[own:])
        check_numbers(kwargs.values())
        for value in (*args[own:], *kwargs.values()):
            if isinstance(value, str) and len(value) > 10_000 and filter_ not in _TAKE_TEXT:
                raise TooMuch("a text argument of more than 10,000 characters")
        return meter.weigh(filter_(*args, **kwargs))

    return measured


OWN: dict[str, Callable[..., Any]] = {
    "json": _json,
    "tojson": _json,
    "lines": _lines,
    "words": _words,
    "replace": _replace,
    "join": _join,
    "format": _format,
    "indent": _indent,
}
_TAKE_TEXT = frozenset({_replace, _join, _format, _indent, FILTERS["default"]})
DROPPED = frozenset({"random"})  # what a template gives depends on its scope alone


# --- values ---------------------------------------------------------------------------------------


def finalize(value: Any) -> str:
    if type(value) is str:
        return value
    if isinstance(value, Undefined):
        return str(value)  # raises, naming what is missing
    return lookup.render(plain(value))


def whole(text: str) -> str:
    """Itself. Raises `TypeError` for a text that UTF-8, and so JSON, has no bytes for."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise TypeError("the text has half a surrogate pair in it") from None
    return text


def plain(value: Any) -> Any:
    """What an expression gave → a JSON value. Raises `TypeError` for what is none."""
    match value:
        case None | bool():
            return value
        case int():
            if value.bit_length() > 63:
                raise TypeError("the result is larger than 64 bits")
            return value
        case str():
            return whole(value if type(value) is str else str.__str__(value))
        case float():
            if math.isnan(value) or value in {float("inf"), float("-inf")}:
                raise TypeError("the result is no number that JSON knows")
            return value
        case Undefined():
            str(value)
            raise TypeError("the value is not defined")
        case Mapping():
            if not all(isinstance(k, str) for k in value):
                raise TypeError("a mapping's keys must be text")
            return {whole(str.__str__(k)): plain(v) for k, v in value.items()}
        case list() | tuple() | range():
            return [plain(v) for v in value]
        case _ if isinstance(value, Iterator) or type(value).__name__ in {
            "dict_keys",
            "dict_values",
            "dict_items",
            "set",
            "frozenset",
        }:
            return [plain(v) for v in counted(value)]
        case _ if callable(value):
            name = getattr(value, "__name__", "it")
            raise TypeError(f"`{name}` is a function: call it with `()`, or is a key of that name missing?")
        case _:
            raise TypeError(f"the result is no JSON value ({type(value).__name__})")
