"""The line on top: which run, how it goes, what it costs. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from aethermind.domain.run import Run
from aethermind.tui import format as fmt
from aethermind.tui.glyphs import Glyphs
from aethermind.tui.rows.cells import Cells, Line, cut
from aethermind.tui.rows.draw import STYLE, elapsed
from aethermind.tui.rows.gantt import spark

SPARK = 8
STATUS_WORDS = {
    "waiting_answer": "WAITS FOR AN ANSWER",
    "waiting_budget": "WAITS FOR BUDGET",
    "in_doubt": "IN DOUBT",
}


def cells(
    run: Run | None,
    width: int,
    now: int,
    glyphs: Glyphs,
    *,
    status: str = "",
    rate: Sequence[int] = (),
    flowing: int = 0,
    pace: str = "",
    place: str = "",
    away: bool = False,
    held: str = "",
) -> Cells:
    """`pace` is how often the screen is renewed (`live 10Hz`); `flowing` tokens in flight; `away`: the
    engine is another process's, so its place matters; `held`: what is wrong with it. Where there is no room,
    what is least needed goes first; run, status and money stay.
    """
    room = _MOST_ROOM
    slack = _slack(run, now, status, flowing) if run is not None else 0
    while True:
        left, right = _halves(
            run,
            now,
            glyphs,
            room,
            status=status,
            rate=rate,
            flowing=flowing,
            pace=pace,
            place=place,
            away=away,
            held=held,
        )
        if left.width + right.width + slack < width or not room:
            break
        room -= 1
    left.to(max(width - right.width, left.width))
    return cut([*left.cells, *right.cells], width, ellipsis=glyphs.ellipsis)


_MOST_ROOM = 6


def _halves(
    run: Run | None,
    now: int,
    glyphs: Glyphs,
    room: int,
    *,
    status: str,
    rate: Sequence[int],
    flowing: int,
    pace: str,
    place: str,
    away: bool,
    held: str,
) -> tuple[Line, Line]:
    """Left and right part; the more `room`, the more is said."""
    left = Line(ellipsis=glyphs.ellipsis)
    right = Line(ellipsis=glyphs.ellipsis)
    left.add(" AETHERMIND " if room >= 4 else " AETHER ", "brand").add(" ")
    if held:
        left.add(held, "head.failed").add("  ")
    if run is not None:
        if room >= 5:
            left.say(_file(run), "").add("  ")
        left.say(run.id[:10] if room >= 4 else run.id[:6], "id").add("  " if room >= 4 else " ")
        status = status or run.status
        word = STATUS_WORDS.get(status, status.replace("_", " ").upper())
        left.add(f"{glyphs.status_of(status)} {word}", "head." + STYLE.get(status, "running"))
        left.add(" " + elapsed(run.created_at, run.finished_at, now), "strong")
        _money(right, run, glyphs, wide=room >= 5)
        if rate and room >= 3:
            right.add(" ").add(spark(rate, glyphs), "spark")
        if room >= 1:
            tokens = run.tally.usage.total_tokens + flowing
            right.add("  ").add(("~" if flowing else "") + fmt.short(tokens) + " tok", "tokens")
    if pace and room >= 2:
        right.add("  ").add(pace, "faint")
    if place and room >= (2 if away else 6):
        right.add("  ").say(place, "faint")
    right.add(" ")
    return left, right


def _slack(run: Run, now: int, status: str, flowing: int) -> int:
    """Cells to keep free for numbers and words that grow, so that nothing comes and goes while they do."""
    status = status or run.status
    tokens = ("~" if flowing else "") + fmt.short(run.tally.usage.total_tokens + flowing)
    shown = (
        (STATUS_WORDS.get(status, status), 9),
        (elapsed(run.created_at, run.finished_at, now), 5),
        (fmt.usd(run.tally.cost or 0), 7),
        (tokens, 6),
    )
    return sum(max(most - len(text), 0) for text, most in shown)


def _file(run: Run) -> str:
    return PurePath(run.created.source).name if run.created.source else run.created.workflow


def _money(line: Line, run: Run, glyphs: Glyphs, *, wide: bool) -> None:
    tally = run.tally
    if run.created.simulated:
        line.add("sim ", "sim")
    if tally.cost is None and tally.unpriced:
        line.add("unpriced", "unpriced")
    else:
        cost = tally.cost or 0
        mark = glyphs.at_least if tally.unpriced else ""
        line.add(mark + fmt.usd(cost), "money")
    if run.budget_micro_usd is not None:
        over = (tally.cost or 0) >= run.budget_micro_usd
        line.add("/" + fmt.budget(run.budget_micro_usd), "failed" if over else "faint")
    if tally.unpriced and tally.cost is not None and wide:
        line.add(f" +{tally.unpriced} unpriced", "unpriced")


def tiny(run: Run | None, width: int, now: int, glyphs: Glyphs, *, status: str = "") -> Cells:
    """Everything on one line, for a terminal too small for panes."""
    line = Line(ellipsis=glyphs.ellipsis)
    if run is None:
        return line.add("aethermind: no run", "faint").to(width).cells
    status = status or run.status
    line.add(glyphs.status_of(status) + " ", STYLE.get(status, "")).say(run.id[:6], "id")
    line.add(" " + elapsed(run.created_at, run.finished_at, now), "strong")
    done = sum(run.counts.get(s, 0) for s in ("succeeded", "failed", "skipped", "cancelled"))
    total = sum(run.counts.values())
    line.add(f" {done}/{total}")
    if failed := run.counts.get("failed", 0):
        line.add(f" {glyphs.status_of('failed')}{failed}", "failed")
    line.add(" ")
    _money(line, run, glyphs, wide=False)
    return line.to(width).cells
