"""Inputs of a run: from `-i`, from a JSON file, from stdin; what is missing is asked for on a terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aethermind.cli import streams
from aethermind.cli.asking import ask_field
from aethermind.definitions.inputs import parse_inputs
from aethermind.domain.errors import InvalidError, NotFoundError
from aethermind.domain.workflow import InputDef

Json = Any
MAX_BYTES = 64 << 20
"""Of one input that is read from a file or a pipe."""


def given_inputs(
    definitions: Mapping[str, InputDef], pairs: Sequence[str], file: Path | None, *, ask: bool = True
) -> dict[str, Json]:
    """Values for a run, checked. `-i` goes before the file. Raises `InvalidError`, `NotFoundError`."""
    given: dict[str, Json] = _from_file(file) if file is not None else {}
    given |= from_pairs(pairs)
    missing = [name for name, d in definitions.items() if d.required and name not in given]
    if missing and ask and streams.can_ask():
        for name in missing:
            given[name] = _ask(name, definitions[name])
    return parse_inputs(definitions, given)


def from_pairs(pairs: Sequence[str]) -> dict[str, str]:
    """`k=v`, `k=@FILE`, `k=-` (stdin, once); `k=@@v` is the text `@v`."""
    given: dict[str, str] = {}
    piped: str | None = None
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise InvalidError(f"-i {pair!r}", hint="write name=value, name=@file or name=-")
        if value == "-":
            if piped is not None:
                raise InvalidError(f"-i {name}=-: stdin was already given to {piped}")
            piped = name
            given[name] = _decode(_read_stdin(), f"-i {name}=-")
        elif value.startswith("@@"):
            given[name] = value[1:]
        elif value.startswith("@"):
            given[name] = _decode(_read(Path(value[1:]).expanduser()), value[1:])
        else:
            given[name] = value
    return given


def _from_file(path: Path) -> dict[str, Json]:
    text = _decode(_read_stdin() if str(path) == "-" else _read(path), str(path))
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidError(
            f"not JSON: {error.msg}", file=str(path), line_no=error.lineno, column=error.colno
        ) from None
    except (ValueError, RecursionError):
        raise InvalidError("not JSON that can be read", file=str(path)) from None
    if not isinstance(found, dict):
        raise InvalidError("inputs are one JSON object: {name: value}", file=str(path))
    return found


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise NotFoundError(f"{path} does not exist") from None
    except OSError as error:
        raise InvalidError(f"cannot be read: {error.strerror}", file=str(path)) from None
    return _checked(raw, str(path))


def _read_stdin() -> bytes:
    if sys.stdin.isatty():
        streams.note("reading an input from the terminal; end it with Ctrl-D")
    return _checked(sys.stdin.buffer.read(MAX_BYTES + 1), "stdin")


def _checked(raw: bytes, name: str) -> bytes:
    if len(raw) > MAX_BYTES:
        raise InvalidError(f"{name} is larger than 64 MiB")
    return raw


def _decode(raw: bytes, name: str) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise InvalidError("not UTF-8", file=name, line_no=line) from None


def _ask(name: str, definition: InputDef) -> Json:
    def check(value: Json) -> Json:
        return parse_inputs({name: definition}, {name: value})[name]

    return ask_field(name, definition.schema, check=check, about=definition.description)
