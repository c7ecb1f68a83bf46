"""What is directly below a step or run, one line each. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from aethermind.domain.state import Node
from aethermind.domain.tree import label
from aethermind.infra.sanitize import clean_line
from aethermind.tui import format as fmt
from aethermind.tui.glyphs import Glyphs
from aethermind.tui.rows.cells import fit
from aethermind.tui.screens.detail.lines import Line, Span
from aethermind.tui.screens.detail.timeline import TONE

MOST_STEPS = 500
"""Lines of the list of steps: it is made anew with each frame."""


def step_lines(node: Node, now: int, width: int, glyphs: Glyphs) -> Iterable[Line]:
    for inner in node.children[:MOST_STEPS]:
        end = inner.finished_at or now
        took = fmt.duration(end - inner.started_at, live=not inner.over) if inner.started_at else ""
        cost = fmt.usd(inner.tally.cost) if inner.tally is not None else ""
        tried = f"try {len(inner.attempts)}" if len(inner.attempts) > 1 else ""
        why = inner.error.message if inner.error is not None else inner.reason or ""
        name = fit(clean_line(label(inner)), max(min(width // 3, 40), 12), ellipsis=glyphs.ellipsis)
        yield (
            Span(glyphs.status_of(inner.status) + " ", TONE.get(inner.status, "dim")),
            Span(name),
            Span(inner.status.replace("_", " ").ljust(15), "dim"),
            Span(took.rjust(7)),
            Span(cost.rjust(10)),
            Span("  " + tried, "warn"),
            Span("  " + clean_line(why), "bad" if inner.error is not None else "dim"),
        )
    if len(node.children) > MOST_STEPS:
        yield (Span(f"{len(node.children) - MOST_STEPS:,} more: the trace has them all", "dim"),)
