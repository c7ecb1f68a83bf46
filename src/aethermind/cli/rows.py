"""Rows and pages as JSON objects: times in ISO 8601 UTC, all fields, also null ones."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from aethermind.cli import streams, text
from aethermind.domain import views
from aethermind.engine.queries import RunRow

Json = Any


def row_object(row: msgspec.Struct) -> dict[str, Json]:
    found: dict[str, Json] = msgspec.to_builtins(row)
    for name, value in found.items():
        if isinstance(value, int) and (name == "at" or name.endswith("_at")):
            found[name] = views.iso(value)
    return found


def run_row(row: RunRow) -> dict[str, Json]:
    """A line of the run list, with the names of `show --json`."""
    return {**row_object(row), "duration_ms": views.duration(row.created_at, row.finished_at)}


def print_page(items: Iterable[dict[str, Json]], next_: str | None = None) -> None:
    """`{"items": […], "next": cursor|null}`."""
    streams.say(text.json_line({"items": list(items), "next": next_}))
