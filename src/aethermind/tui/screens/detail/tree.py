"""A JSON value as lines that fold. Pure.

    {
      ▾ "sections": [          3
          "Causes",
      ▸ "sources": […]         12
    }

Containers open at first down to a depth that keeps the tree readable (`fit`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from json.encoder import encode_basestring
from typing import Any, NamedTuple

from aethermind.infra.sanitize import clean, clean_line
from aethermind.tui.glyphs import UNICODE, Glyphs
from aethermind.tui.screens.detail.lines import Line, Span

Json = Any
Path = tuple[str | int, ...]

LONG = 2_000
"""Longer strings are shown shortened; they can be copied whole."""
MOST = 10_000
"""Lines that unfolding everything may make."""
DEEP = 64
"""Nothing deeper is shown."""


class TreeLine(NamedTuple):
    line: Line
    path: Path
    foldable: bool


class JsonTree:
    """A value and which of its containers are folded."""

    def __init__(self, value: Json, *, fit: int = 200, glyphs: Glyphs = UNICODE) -> None:
        self.value = value
        self._glyphs = glyphs
        self.folded: set[Path] = set()
        self._fit(fit)
        self.lines: list[TreeLine] = list(self._lines())

    def toggle(self, path: Path) -> None:
        """Fold or unfold one container; only its own lines are made anew."""
        self.folded.symmetric_difference_update({path})
        begin = next(n for n, tree_line in enumerate(self.lines) if tree_line.path == path)
        end = begin + 1
        while end < len(self.lines) and self.lines[end].path[: len(path)] == path:
            end += 1
        head, comma = self._around(path)
        self.lines[begin:end] = self._value(self.at(path), path, len(path), head=head, comma=comma)

    def _around(self, path: Path) -> tuple[Line, str]:
        """What stands before and after the value of this path."""
        if not path:
            return (), ""
        outer, key = self.at(path[:-1]), path[-1]
        if isinstance(outer, dict):
            return _label(str(key)), "" if next(reversed(outer)) == key else ","
        return (), "" if key == len(outer) - 1 else ","

    def fold_all(self) -> None:
        """Only the outermost container stays open."""
        self.folded = {path for path, _ in _containers(self.value) if path}
        self.lines = list(self._lines())

    def unfold_all(self) -> None:
        """Everything, as far as that is not too much to look at."""
        self.folded.clear()
        self._fit(MOST)
        self.lines = list(self._lines())

    def at(self, path: Path) -> Json:
        found = self.value
        for part in path:
            found = found[part]
        return found

    def _fit(self, limit: int) -> None:
        """Fold the deepest levels until about `limit` lines are left."""
        levels: dict[int, list[Path]] = {}
        sizes: dict[int, int] = {}
        for path, value in _containers(self.value):
            depth = len(path)
            sizes[depth] = sizes.get(depth, 0) + len(value) + 2
            levels.setdefault(depth, []).append(path)
        shown = 0
        for depth in sorted(sizes):
            shown += sizes[depth]
            if shown > limit and depth:
                for deeper in range(depth, max(sizes) + 1):
                    self.folded.update(levels[deeper])
                return

    def _lines(self) -> Iterable[TreeLine]:
        yield from self._value(self.value, (), 0, head=(), comma="")

    def _value(self, value: Json, path: Path, depth: int, *, head: Line, comma: str) -> Iterable[TreeLine]:
        pad = Span("  " * depth)
        if not isinstance(value, dict | list) or not value:
            yield TreeLine(
                (pad, Span("  "), *head, *scalar(value, self._glyphs.ellipsis), Span(comma, "dim")),
                path,
                False,
            )
            return
        opening, closing = "{}" if isinstance(value, dict) else "[]"
        if path in self.folded or depth >= DEEP:
            inside = Span(f"{opening}{self._glyphs.ellipsis}{closing}{comma}", "dim")
            count = Span(f"  {len(value):,}", "dim")
            yield TreeLine(
                (pad, Span(f"{self._glyphs.closed} ", "accent"), *head, inside, count), path, depth < DEEP
            )
            return
        yield TreeLine(
            (pad, Span(f"{self._glyphs.opened} ", "accent"), *head, Span(opening, "dim")), path, True
        )
        items = list(value.items()) if isinstance(value, dict) else list(enumerate(value))
        for number, (key, inner) in enumerate(items):
            following = "," if number + 1 < len(items) else ""
            label = _label(str(key)) if isinstance(value, dict) else ()
            yield from self._value(inner, (*path, key), depth + 1, head=label, comma=following)
        yield TreeLine((pad, Span("  "), Span(closing + comma, "dim")), path, False)


def scalar(value: Json, ellipsis: str = "…") -> Line:
    """One value without parts, as JSON writes it."""
    match value:
        case str():
            if len(value) > LONG:
                rest = len(value) - LONG
                return (
                    Span(quoted(value[:LONG])[:-1], "string"),
                    Span(f"{ellipsis} {rest:,} more characters", "dim"),
                )
            return (Span(quoted(value), "string"),)
        case bool() | None:
            return (Span(json.dumps(value), "warn"),)
        case int() | float():
            return (Span(json.dumps(value), "number"),)
        case _:
            return (Span(clean_line(json.dumps(value, ensure_ascii=False)), "dim"),)


def _label(key: str) -> Line:
    return (Span(quoted(key), "key"), Span(": ", "dim"))


def quoted(text: str) -> str:
    return clean(encode_basestring(text))


def _containers(value: Json, path: Path = ()) -> Iterable[tuple[Path, Json]]:
    stack: list[tuple[Path, Json]] = [(path, value)]
    while stack:
        here, found = stack.pop()
        if not isinstance(found, dict | list) or not found:
            continue
        yield here, found
        items = found.items() if isinstance(found, dict) else enumerate(found)
        stack.extend(((*here, key), inner) for key, inner in items if isinstance(inner, dict | list))
