"""Templates that need no template engine, and the rules of access that both ways share.

Most templates are text with plain paths in it (`Plan {{ inputs.depth }} sections`). They are taken apart
here, so that Jinja2 (0.1 s to import, 20 µs to render) is loaded only for a file that uses more.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from aethermind.definitions.hints import did_you_mean, show

Json = Any

_TAG = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z][A-Za-z0-9_]*)*)\s*\}\}")
_WORDS: Final = frozenset({
    "true", "false", "none", "True", "False", "None", "not", "and", "or", "in", "is", "if", "else",
    "loop", "self", "super", "caller", "varargs", "kwargs", "range", "dict", "cycler", "joiner", "namespace",
})  # fmt: skip
"""Names that mean something to Jinja2 itself."""

Path = tuple[str, ...]


class Missing(Exception):  # a signal inside this package, turned into StepFailure
    """A path leads to nothing. `str()` says what, `hint` what there is instead."""

    def __init__(self, message: str, hint: str | None) -> None:
        super().__init__(message)
        self.hint = hint


def has_tags(template: str) -> bool:
    return "{{" in template or "{%" in template or "{#" in template


def split(template: str) -> list[str | Path] | None:
    """Text and paths in order, or None if the template needs Jinja2. Adjacent to nothing is left out."""
    if "{%" in template or "{#" in template or "\r" in template:
        return None
    parts: list[str | Path] = []
    position = 0
    while (start := template.find("{{", position)) >= 0:
        match = _TAG.match(template, start)
        if match is None:
            return None
        path = tuple(match[1].split("."))
        if path[0] in _WORDS:
            return None
        if start > position:
            parts.append(template[position:start])
        parts.append(path)
        position = match.end()
    if position < len(template):
        parts.append(template[position:])
    return parts


def follow(path: Path, scope: Mapping[str, Json]) -> Json:
    """The value at `path`; access through null is null. Raises `Missing`."""
    try:
        value = scope[path[0]]
    except KeyError:
        raise Missing(f"`{path[0]}` is not defined", None) from None
    for number, name in enumerate(path[1:], start=1):
        if value is None:
            return None
        if not isinstance(value, Mapping):
            raise Missing(f"`{'.'.join(path[:number])}` is {kind_of(value)}: it has no `{name}`", None)
        try:
            value = value[name]
        except KeyError:
            raise Missing(*missing_key(value, name, ".".join(path[:number]))) from None
    return value


def missing_key(value: Mapping[str, Json], name: str, owner: str = "the value") -> tuple[str, str | None]:
    """Message and hint for a key that a mapping has not."""
    owner = f"`{owner}`" if owner != "the value" else owner
    keys = list(value)[:200]
    hint = did_you_mean(name, keys, label="it has")
    return f"{owner} has no `{show(name)}`", hint if keys else "it is empty"


def kind_of(value: Json) -> str:
    """What a value is, in words."""
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "text"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    return "null" if value is None else "no JSON value"


def render(value: Json) -> str:
    """A value inside text: text as it is, null as nothing, all else as JSON."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    return json.dumps(value, ensure_ascii=False)


def reword(message: str) -> str:
    """A syntax error of Jinja2 in plainer words."""
    text = message.rstrip(".")
    if "unexpected end of template" in text and "print statement" in text:
        return "an expression is not closed: `}}` is missing"
    if "unexpected 'end of print statement'" in text or "Expected an expression, got 'end of" in text:
        return "the expression ends too early"
    return show(text.replace("print statement", "expression"), 160)
