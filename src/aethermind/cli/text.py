"""Words and numbers as people read them, and plain tables."""

from __future__ import annotations

import shutil
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from aethermind.cli import streams
from aethermind.domain.call_states import CallState
from aethermind.domain.usage import format_usd
from aethermind.infra.sanitize import clean_line

GLYPHS = {
    "pending": ("◷", "."),
    "queued": ("○", "o"),
    "ready": ("○", "o"),
    "running": ("●", ">"),
    "stopping": ("●", ">"),
    "retry_wait": ("↻", "~"),
    "waiting_answer": ("‖", "?"),
    "waiting_budget": ("‖", "?"),
    "paused": ("‖", "?"),
    "parked": ("‽", "!"),
    "in_doubt": ("‽", "!"),
    "interrupted": ("‽", "!"),
    "lost": ("‽", "!"),
    "succeeded": ("✓", "+"),
    "skipped": ("–", "-"),
    "failed": ("✗", "X"),
    "cancelled": ("⊘", "/"),
}
"""Status → (glyph, ASCII word). The shapes differ, so no colour is needed to tell them apart."""

COLOURS = {
    "running": "cyan",
    "stopping": "yellow",
    "retry_wait": "yellow",
    "succeeded": "green",
    "failed": "red",
    "in_doubt": "magenta",
    "parked": "magenta",
    "interrupted": "yellow",
    "waiting_answer": "magenta",
    "waiting_budget": "magenta",
    "paused": "yellow",
    "cancelled": "yellow",
}


def glyph(status: str, *, unicode: bool = True) -> str:
    """Empty where signs are not wanted."""
    return "" if streams.WORDS.is_set() else GLYPHS.get(status, ("?", "?"))[not unicode]


def mark(status: str, stream: streams.Stream) -> str:
    """The sign of a status before words that name it: coloured, with a blank; empty where none is wanted."""
    found = glyph(status, unicode=streams.unicode_fits(stream))
    return f"{paint(found, status, stream)} " if found else ""


def marked(status: str, told: str, stream: streams.Stream) -> str:
    """The sign of a status before words that don't name it; where no signs are wanted, its name."""
    return (
        mark(status, stream) + told if not streams.WORDS.is_set() else f"{status.replace('_', ' ')}: {told}"
    )


def state(status: str, stream: streams.Stream) -> str:
    """`✓ succeeded`, in its colour."""
    found = glyph(status, unicode=streams.unicode_fits(stream))
    return paint(f"{found} {status}".strip(), status, stream)


def took(ms: int | None) -> str:
    """`340ms`, `1.2s`, `2m03s`, `1h02m`; empty for None."""
    if ms is None:
        return ""
    if ms < 1_000:
        return f"{ms}ms"
    if ms < 59_950:
        return f"{ms / 1000:.1f}s"
    seconds = round(ms / 1000)
    if seconds < 3_600:
        return f"{seconds // 60}m{seconds % 60:02}s"
    return f"{seconds // 3_600}h{seconds % 3_600 // 60:02}m"


def tokens(count: int) -> str:
    """`512`, `41.2k`, `1.3M`."""
    if count < 1_000:
        return str(count)
    return f"{count / 1_000:.1f}k" if count < 999_950 else f"{count / 1_000_000:.1f}M"


def many(count: int, word: str) -> str:
    """`1 run`, `3 runs`."""
    return f"{count} {word}{'' if count == 1 else 's'}"


def money(micro: int | None, *, unpriced: int = 0) -> str:
    """`$0.4127`; six places below a cent; what has no price is said, never shown as nothing."""
    if micro is None:
        return "unpriced" if unpriced else "—"
    text = format_usd(micro, places=6 if micro < 10_000 and micro % 100 else 4)
    return f"{text} + {unpriced} unpriced" if unpriced else text


def cached(calls: Sequence[CallState]) -> str:
    """`cached, saved $0.0012`, of calls that were answered from the record."""
    saved = sum(call.cost.saved_micro_usd for call in calls if call.cost is not None)
    return f"cached, saved {money(saved)}" if saved else "cached"


def moment(at: int | None) -> str:
    """Local time to the second."""
    return datetime.fromtimestamp(at / 1000).astimezone().strftime("%Y-%m-%d %H:%M:%S") if at else ""


def clock(at: int) -> str:
    return datetime.fromtimestamp(at / 1000).astimezone().strftime("%H:%M:%S")


def columns() -> int:
    return shutil.get_terminal_size((100, 24)).columns


def width(text: str) -> int:
    """Cells that a harmless text takes on a terminal."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text
    )


def shorten(text: str, cells: int) -> str:
    return text if len(text) <= cells else text[: max(cells - 1, 0)] + "…"


def as_text(value: Any) -> str:
    """An output as text: a string as it is, null as nothing, anything else as JSON."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def inline(value: Any) -> str:
    """A value on one line: a string as it is, anything else as compact JSON."""
    return value if isinstance(value, str) else json_line(value)


def json_line(value: Any) -> str:
    """One compact line of JSON."""
    return msgspec.json.encode(value).decode()


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> list[str]:
    """Aligned columns, the last one cut at the terminal's edge. Texts are made harmless here."""
    cells = [[clean_line(cell) for cell in row] for row in rows]
    widths = [max(width(row[i]) for row in [list(heads), *cells]) for i in range(len(heads))]
    last = len(heads) - 1
    room = columns() if streams.OUT.terminal and not streams.PLAIN.is_set() else 1_000_000

    def line(row: Sequence[str]) -> str:
        found = []
        for i, cell in enumerate(row):
            gap = " " * (widths[i] - width(cell))
            found.append(gap + cell if i in right else cell if i == last else cell + gap)
        return shorten("  ".join(found), room).rstrip()

    return [line(heads), *map(line, cells)]


def show_table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> None:
    """Print a table on stdout, its head dimmed on a terminal."""
    head, *body = table(heads, rows, right=right)
    streams.say(dim(head) if streams.colours(streams.OUT) else head)
    for line in body:
        streams.say(line)


def dim(text: str) -> str:
    return f"\x1b[2m{text}\x1b[0m"


def paint(text: str, status: str, stream: streams.Stream) -> str:
    """A status word in its colour, where the stream has colours."""
    codes = {"red": 31, "green": 32, "yellow": 33, "magenta": 35, "cyan": 36}
    code = codes.get(COLOURS.get(status, ""))
    return f"\x1b[{code}m{text}\x1b[0m" if code is not None and streams.colours(stream) else text
