"""Rows as JSON objects and back: one shape for `--json`, the API and a client on another engine.

All fields are there, also null ones; those named `at` or `*_at` are ISO 8601 UTC outside and epoch
milliseconds inside.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeVar

import msgspec

from aethermind.domain import views
from aethermind.engine.queries import RunRow

Json = Any
R = TypeVar("R", bound=msgspec.Struct)


def is_time(name: str) -> bool:
    return name == "at" or name.endswith("_at")


def row_object(row: msgspec.Struct) -> dict[str, Json]:
    found: dict[str, Json] = msgspec.to_builtins(row)
    for name, value in found.items():
        if is_time(name) and isinstance(value, int):
            found[name] = views.iso(value)
    return found


def run_row(row: RunRow) -> dict[str, Json]:
    """A line of the run list, with the names of `show --json`."""
    return {**row_object(row), "duration_ms": views.duration(row.created_at, row.finished_at)}


def epoch_ms(text: str) -> int:
    """`2026-01-02T03:04:05.678Z` → epoch milliseconds. Raises `ValueError`."""
    return int(datetime.fromisoformat(text).timestamp() * 1000 + 0.5)


def read_row(cls: type[R], found: dict[str, Json]) -> R:
    """The row that `row_object` wrote. Raises `msgspec.ValidationError`, `ValueError`."""
    inside = {
        name: epoch_ms(value) if is_time(name) and isinstance(value, str) else value
        for name, value in found.items()
    }
    return msgspec.convert(inside, cls)
