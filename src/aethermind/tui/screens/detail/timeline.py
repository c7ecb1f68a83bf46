"""A step's attempts and calls as lines, and the stops that `[` and `]` go through. Pure."""

from __future__ import annotations

from typing import NamedTuple

from aethermind.domain.call_states import CallState
from aethermind.domain.state import AttemptState, Node
from aethermind.domain.tool_views import tool_status, tool_title
from aethermind.infra.sanitize import clean_line
from aethermind.tui import format as fmt
from aethermind.tui.glyphs import Glyphs
from aethermind.tui.rows.cells import fit
from aethermind.tui.screens.detail.lines import Line, Span, wrap

TONE = {
    "succeeded": "good",
    "failed": "bad",
    "lost": "warn",
    "in_doubt": "warn",
    "cancelled": "dim",
    "skipped": "dim",
    "running": "accent",
    "ready": "accent",
    "retry_wait": "warn",
    "waiting_answer": "warn",
    "waiting_budget": "warn",
    "paused": "warn",
    "parked": "warn",
    "interrupted": "warn",
    "stopping": "warn",
}
"""Status → style of its sign."""


class Stop(NamedTuple):
    """What is shown: a call of an attempt, or an attempt that has none. (0, None): nothing has started."""

    attempt: int
    call: int | None


class Entry(NamedTuple):
    """A line of the timeline, and the stop it belongs to (None: it can't be shown by itself)."""

    line: Line
    stop: Stop | None


def stops(node: Node) -> list[Stop]:
    found: list[Stop] = []
    for attempt in node.attempts:
        if attempt.calls:
            found += [Stop(attempt.n, call.n) for call in attempt.calls]
        else:
            found.append(Stop(attempt.n, None))
    return found


def find(node: Node, stop: Stop) -> tuple[AttemptState | None, CallState | None]:
    attempt = next((a for a in node.attempts if a.n == stop.attempt), None)
    if attempt is None:
        return None, None
    return attempt, next((c for c in attempt.calls if c.n == stop.call), None)


def entries(node: Node, *, now: int, width: int, glyphs: Glyphs) -> list[Entry]:
    """`width` cells at most; errors wrap into lines of their own."""
    found: list[Entry] = []
    for attempt in node.attempts:
        first = Stop(attempt.n, attempt.calls[0].n if attempt.calls else None)
        found.append(Entry(_attempt(attempt, now, width, glyphs), None if attempt.calls else first))
        for call in attempt.calls:
            found.append(Entry(_call(call, now, width, glyphs), Stop(attempt.n, call.n)))
            for tool in call.tools:
                took = fmt.duration((tool.finished_at or now) - tool.started_at, live=not tool.finished_at)
                name = f"{glyphs.elbow} {tool_title(tool)}"
                found.append(Entry(_row(4, tool_status(tool), name, "", took, width, glyphs), None))
        error = attempt.error
        if error is not None:
            found += [Entry(row, None) for row in _error(error.message, width)]
        if attempt.billed_twice:
            found.append(Entry((Span("    possibly billed twice", "warn"),), None))
        if attempt.retry_at is not None and attempt.finished_at is not None:
            found.append(Entry(_wait(node, attempt, now, width, glyphs), None))
    return found


def _attempt(attempt: AttemptState, now: int, width: int, glyphs: Glyphs) -> Line:
    took = fmt.duration((attempt.finished_at or now) - attempt.started_at, live=attempt.finished_at is None)
    at = fmt.clock(attempt.started_at)
    return _row(0, attempt.status, f"try {attempt.n}", at, took, width, glyphs, style="strong")


def _call(call: CallState, now: int, width: int, glyphs: Glyphs) -> Line:
    took = fmt.duration((call.finished_at or now) - call.started_at, live=call.finished_at is None)
    return _row(2, call.status, f"call {call.n}", call.model, took, width, glyphs)


def _row(
    indent: int, status: str, name: str, note: str, took: str, width: int, glyphs: Glyphs, *, style: str = ""
) -> Line:
    room = max(width - indent - 2 - len(name) - 2 - 7, 0)
    return (
        Span(" " * indent),
        Span(glyphs.status_of(status) + " ", TONE.get(status, "dim")),
        Span(clean_line(name), style),
        Span("  " + fit(clean_line(note), room, ellipsis=glyphs.ellipsis), "dim"),
        Span(took.rjust(7)),
    )


def _wait(node: Node, attempt: AttemptState, now: int, width: int, glyphs: Glyphs) -> Line:
    following = next((a for a in node.attempts if a.n == attempt.n + 1), None)
    begin, due = attempt.finished_at or now, attempt.retry_at or now
    if following is not None:
        took, text = fmt.duration(following.started_at - begin), "waited"
    else:
        left = max(due - now, 0)
        took, text = fmt.duration(left, live=True), "tries again in"
    return _row(0, "retry_wait", text, "", took, width, glyphs)


def _error(message: str, width: int) -> list[Line]:
    rows = wrap((Span(clean_line(message), "bad"),), max(width - 4, 8))
    return [(Span("    "), *row) for row in rows[:3]]
