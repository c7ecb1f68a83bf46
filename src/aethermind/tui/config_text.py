"""Changing one value of a config file and nothing else: comments, order and blanks stay. Pure."""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any

from aethermind.domain.errors import InvalidError

_HEADER = re.compile(r"\s*\[\s*([^\[\]]+?)\s*\]\s*(?:#.*)?$")
_COMMENT = re.compile(r"""^((?:[^#"']|"(?:[^"\\]|\\.)*"|'[^']*')*?)(\s*#.*)?$""")


def with_value(text: str, table: str, key: str, value: str | bool) -> str:
    """The file's text with `key` of `[table]` set: in its line if it has one, else in a new one.

    Raises `InvalidError` if that can't be done without rewriting more (the table is written inline, say).
    """
    written = json.dumps(value, ensure_ascii=False)  # TOML reads texts and booleans as JSON does
    lines = text.splitlines()
    at, first, last = _place(lines, table, key)
    if at is not None:
        lines[at] = _changed(lines[at], key, written)
    elif first is not None:
        lines.insert(last, f"{key} = {written}")
    else:
        if lines and lines[-1].strip():
            lines.append("")
        lines += [f"[{table}]", f"{key} = {written}"]
    found = "\n".join(lines) + "\n"
    _check(text, found, table, key, value)
    return found


def _place(lines: list[str], table: str, key: str) -> tuple[int | None, int | None, int]:
    """(line of the key, line of its table's header, line where a new key of the table goes)"""
    first: int | None = None
    inside = False
    last = 0
    assigned = re.compile(rf"""\s*(?:{re.escape(key)}|"{re.escape(key)}"|'{re.escape(key)}')\s*=""")
    for number, line in enumerate(lines):
        header = _HEADER.match(line)
        if header is not None or line.lstrip().startswith("[["):
            inside = header is not None and "".join(header[1].split()) == table
            if inside:
                first, last = number, number + 1
        elif inside:
            if assigned.match(line):
                return number, first, last
            if line.strip() and not line.lstrip().startswith("#"):
                last = number + 1
    return None, first, last


def _changed(line: str, key: str, written: str) -> str:
    head, _, rest = line.partition("=")
    found = _COMMENT.match(rest)
    comment = (found[2] or "") if found is not None else ""
    return f"{head}= {written}{comment}"


def _check(before: str, after: str, table: str, key: str, value: str | bool) -> None:
    """What is read from the file afterwards is what was read before, but for this value."""
    try:
        wanted: dict[str, Any] = tomllib.loads(before)
        target = wanted
        for part in table.split("."):
            target = target.setdefault(part, {})
        target[key] = value
        if tomllib.loads(after) == wanted:
            return
    except (tomllib.TOMLDecodeError, AttributeError, TypeError):
        pass
    raise InvalidError(
        f"{table}.{key} can't be set in this file without rewriting it",
        hint=f"set {key} = {json.dumps(value)} under [{table}] by hand",
    )
