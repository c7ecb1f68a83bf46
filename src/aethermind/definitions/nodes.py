"""The located tree of a file: what `source` makes and everything else points errors into.

Lines and columns count from 1, columns in characters.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from aethermind.domain.errors import InvalidError

_BREAKS = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
"""What YAML takes for an end of line."""


class Spot(NamedTuple):
    """A place in a text."""

    line: int
    column: int


@dataclass(slots=True)
class Text:
    """A text that was read, under the name that errors show for it."""

    name: str
    text: str
    _lines: list[str] | None = field(default=None, repr=False)

    @property
    def lines(self) -> list[str]:
        if self._lines is None:
            self._lines = _BREAKS.split(self.text)
        return self._lines

    def error(self, message: str, spot: Spot, *, hint: str | None = None) -> InvalidError:
        return InvalidError(message, hint=hint, file=self.name, line_no=spot.line, column=spot.column)


class Odd(NamedTuple):
    """Why a plain scalar is refused: `no`, `1:30`, `007`, `.nan`."""

    message: str
    hint: str


@dataclass(slots=True, eq=False)
class Scalar:
    """`value` is resolved by the YAML 1.2 core schema: str, int, float, bool or None.

    `odd` is set for a plain scalar that other YAML readers take for something else than text; such a value
    is refused wherever it stands.
    """

    source: Text
    start: Spot
    end: Spot
    value: str | int | float | bool | None
    text: str
    plain: bool = True
    odd: Odd | None = None

    def plain_data(self) -> Any:
        return self.value


@dataclass(slots=True, eq=False)
class Seq:
    source: Text
    start: Spot
    end: Spot
    items: list[Node] = field(default_factory=list)
    _data: list[Any] | None = None

    def plain_data(self) -> list[Any]:
        if self._data is None:
            self._data = [item.plain_data() for item in self.items]
        return self._data


@dataclass(slots=True, eq=False)
class Map:
    """`keys` holds where each key stands."""

    source: Text
    start: Spot
    end: Spot
    entries: dict[str, Node] = field(default_factory=dict)
    keys: dict[str, Spot] = field(default_factory=dict)
    _data: dict[str, Any] | None = None

    def plain_data(self) -> dict[str, Any]:
        if self._data is None:
            self._data = {key: node.plain_data() for key, node in self.entries.items()}
        return self._data

    def key_error(self, key: str, message: str, *, hint: str | None = None) -> InvalidError:
        """An error at a key of this mapping (which `--set` may have put there)."""
        return self.entries[key].source.error(message, self.keys[key], hint=hint)


Node = Scalar | Seq | Map


def error(node: Node, message: str, *, hint: str | None = None) -> InvalidError:
    """An error at the start of a node."""
    return node.source.error(message, node.start, hint=hint)


def describe(node: Node) -> str:
    """What a node is, in words: for "should be text, not …"."""
    from aethermind.definitions.hints import show

    if isinstance(node, Map):
        return "a mapping"
    if isinstance(node, Seq):
        return "a list"
    match node.value:
        case None:
            return "empty" if not node.text else "null"
        case bool():
            return f"the boolean {node.text}"
        case int() | float():
            return f"the number {show(node.text, 30)}"
        case _:
            return f"the text {show(node.text, 30)!r}"


def excerpt(node: Scalar) -> list[tuple[int, str, int]]:
    """The raw lines of a scalar: (line number, text, offset of the text in its line)."""
    lines = node.source.lines
    out = []
    for number in range(node.start.line, min(node.end.line, len(lines)) + 1):
        line = lines[number - 1]
        first = node.start.column - 1 if number == node.start.line else 0
        if number == node.start.line and line[first : first + 1] in {'"', "'"}:
            first += 1  # its own quote
        last = node.end.column - 1 if number == node.end.line else len(line)
        out.append((number, line[first:last], first))
    return out


def find_word(node: Scalar, word: str, *, occurrence: str | None = None) -> Spot:
    """Where `word` stands inside a scalar's template tags (else its start).

    `occurrence` is a longer text to look for first, such as `plan.sections`.
    """
    for wanted in (occurrence, word):
        if not wanted:
            continue
        pattern = re.compile(rf"(?<![\w.'\"]){re.escape(wanted)}(?!\w)")
        inside = False
        for number, text, offset in excerpt(node):
            position = 0
            has_tags = "{{" in text or "{%" in text
            while (match := pattern.search(text, position)) is not None:
                opened = max(text.rfind("{{", 0, match.start()), text.rfind("{%", 0, match.start()))
                closed = max(text.rfind("}}", 0, match.start()), text.rfind("%}", 0, match.start()))
                if opened > closed or (opened == closed == -1 and inside):
                    return Spot(number, offset + match.start() + 1)
                position = match.end()
            if has_tags or "}}" in text or "%}" in text:
                last_open = max(text.rfind("{{"), text.rfind("{%"))
                last_close = max(text.rfind("}}"), text.rfind("%}"))
                inside = last_open > last_close
        if "{{" not in node.text and "{%" not in node.text:  # a bare condition
            for number, text, offset in excerpt(node):
                if (match := pattern.search(text)) is not None:
                    return Spot(number, offset + match.start() + 1)
    return node.start


def as_node(value: Any, name: str) -> Node:
    """Plain data as a tree without places, to be read like a file's."""
    source, spot = Text(name, ""), Spot(1, 1)
    if isinstance(value, dict):
        entries = {str(k): as_node(v, name) for k, v in value.items()}
        return Map(source, spot, spot, entries, dict.fromkeys(entries, spot))
    if isinstance(value, list | tuple):
        return Seq(source, spot, spot, [as_node(v, name) for v in value])
    if value is not None and not isinstance(value, str | int | float | bool):
        raise InvalidError(f"{name}: {type(value).__name__} is no JSON value")
    return Scalar(source, spot, spot, value, "" if value is None else str(value), plain=False)
