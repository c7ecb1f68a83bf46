"""The lines above the text: which step this is, how it stands, and the sections there are. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from aethermind.domain.run import Run
from aethermind.domain.state import LIVE, Node
from aethermind.infra.sanitize import clean_line
from aethermind.tui import format as fmt
from aethermind.tui.glyphs import Glyphs
from aethermind.tui.rows.cells import cut
from aethermind.tui.screens.detail.content import TITLES, Section
from aethermind.tui.screens.detail.lines import Line, Span, width_of
from aethermind.tui.screens.detail.timeline import TONE


def title(
    run: Run,
    node: Node,
    *,
    streaming: bool,
    now: int,
    width: int,
    glyphs: Glyphs,
    interrupted: bool = False,
    waits: str = "",
) -> Line:
    """`● read_papers  running  try 2/3  01:31      22.4k tok  $0.2100 sim  r_8f21`

    `interrupted`: no engine drives the run; the run itself can't know that. `waits`: for what, in short.
    """
    is_run = node.parent is None
    status: str = run.status if is_run else node.status
    if interrupted and not node.over and (is_run or status in LIVE):
        status = "interrupted"
    sign = glyphs.streaming if streaming else glyphs.status_of(status)
    left: list[Span] = [
        Span(f" {sign} ", TONE.get(status, "dim")),
        Span(clean_line(node.path or run.created.workflow), "strong"),
        Span(f"  {status.replace('_', ' ')}", TONE.get(status, "dim")),
    ]
    tries = len(node.attempts)
    most = max(node.step.retry.max_attempts, tries)
    if tries > 1:
        left.append(Span(f"  try {tries}/{most}", "dim"))
    if waits and status == "running":
        left.append(Span(f"  {waits}", "warn"))
    begun = run.started_at if is_run else node.started_at
    ended = run.finished_at if is_run else node.finished_at
    if begun is not None and status != "interrupted":
        left.append(Span(f"  {fmt.duration((ended or now) - begun, live=ended is None)}"))
    right = _right(run, node, glyphs)
    gap = width - width_of(tuple(left)) - width_of(tuple(right))
    if gap < 1:  # money stays, the name gives way
        room = max(width - width_of(tuple(right)) - 1, 8)
        left = [Span(text, style) for text, style in cut(_cells(left), room, ellipsis=glyphs.ellipsis)]
        gap = max(width - width_of(tuple(left)) - width_of(tuple(right)), 1)
    return (*left, Span(" " * gap), *right)


def _cells(spans: Sequence[Span]) -> list[tuple[str, str]]:
    return [(span.text, span.style if isinstance(span.style, str) else "") for span in spans]


def _right(run: Run, node: Node, glyphs: Glyphs) -> list[Span]:
    tally = run.tally if node.parent is None else node.tally
    found: list[Span] = []
    if tally is not None and tally.calls:
        found.append(Span(f"{fmt.short(tally.usage.total_tokens)} tok  ", "dim"))
        found.append(Span(fmt.usd(tally.cost, unknown=glyphs.dash)))
        if tally.in_flight:
            found.append(Span(f" ~{tally.in_flight}", "dim"))
        if tally.unpriced:
            found.append(Span(f" +{tally.unpriced} unpriced", "warn"))
    if run.created.simulated:
        found.append(Span(" sim", "warn"))
    found.append(Span(f"  {run.id[:16]} ", "dim"))
    return found


def tabs(sections: Sequence[Section], current: Section, width: int = 0) -> tuple[Line, list[tuple[int, int]]]:
    """The line of sections, and where each begins and ends (for clicks). Where they do not all fit into
    `width` cells (0: as many as it takes) the names of those that are not shown are cut.
    """
    most = max(len(TITLES[section]) for section in sections)
    line, places = _tabs(sections, current, most)
    while width and most and places[-1][1] > width:
        most -= 1
        line, places = _tabs(sections, current, most)
    return line, places


def _tabs(sections: Sequence[Section], current: Section, most: int) -> tuple[Line, list[tuple[int, int]]]:
    spans: list[Span] = [Span(" ")]
    places: list[tuple[int, int]] = []
    at = 1
    for number, section in enumerate(sections, 1):
        name = TITLES[section] if section == current else TITLES[section][:most]
        text = f" {number} {name} " if name else f" {number} "
        spans.append(Span(text, "tab" if section == current else "dim"))
        places.append((at, at + len(text)))
        at += len(text)
    return tuple(spans), places
