"""Pages of rows on stdout."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aethermind.cli import streams, text
from aethermind.engine.rows import row_object, run_row

Json = Any


def print_page(items: Iterable[dict[str, Json]], next_: str | None = None) -> None:
    """`{"items": […], "next": cursor|null}`."""
    streams.say(text.json_line({"items": list(items), "next": next_}))


__all__ = ["print_page", "row_object", "run_row"]
