"""What waits for a person, over all runs: one row for each thing to decide. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from aethermind.domain.holding import GUARD
from aethermind.domain.run import Run
from aethermind.domain.state import Node
from aethermind.domain.views import open_questions
from aethermind.tui import format as fmt
from aethermind.tui.glyphs import Glyphs
from aethermind.tui.rows.cells import Cells, Line

About = Literal["question", "approval", "tool", "in doubt", "run budget", "day budget", "guard"]

_STYLE: dict[About, str] = {
    "question": "gate",
    "approval": "gate",
    "tool": "gate",
    "in doubt": "doubt",
    "run budget": "money",
    "day budget": "money",
    "guard": "note.bad",
}
_SIGN: dict[About, str] = {"in doubt": "in_doubt"}


@dataclass(frozen=True, slots=True)
class Waiting:
    """One thing to decide. `since`: epoch ms, None if nobody recorded it; `step` "" is the run itself."""

    run_id: str
    workflow: str
    step: str
    about: About
    message: str
    since: int | None
    simulated: bool = False
    needed: int = 0
    """Micro-USD that its next call may cost at most, where a budget has no room for it."""


def waiting(run: Run) -> list[Waiting]:
    """What this run waits for a person for, in the order of its tree."""
    found = [row for node in open_questions(run) if (row := _of(run, node)) is not None]
    guarded = run.finished is None and run.pause is not None and run.pause.by == GUARD
    if guarded and not any(one.about == "guard" for one in found):
        reason = run.pause.reason if run.pause is not None else ""
        found.append(_row(run, "", "guard", reason or "the run repeats itself", None))
    return found


def _of(run: Run, node: Node) -> Waiting | None:
    """None: it is decided, and about to go on."""
    held = run.held.get(node.path)
    if node.status == "waiting_budget":
        since = held.since if held is not None else None
        match held.scope if held is not None else "run":
            case "guard":
                why = run.pause.reason if run.pause is not None else ""
                return _row(run, node.path, "guard", why or "the run repeats itself", since)
            case "day":
                about: About = "day budget"
            case _:
                about = "run budget"
        needed = held.needed if held is not None else 0
        return _row(run, node.path, about, f"wants {fmt.usd(needed)} for its next call", since, needed)
    # A decided one stays with its node, which may wait for something else by now.
    question = node.question if node.question is not None and node.question.values is None else None
    if node.status == "in_doubt":
        ended = node.attempts[-1].finished_at if node.attempts else None
        message = question.message if question is not None else ""
        since = question.asked_at if question is not None else ended
        return _row(run, node.path, "in doubt", message or "nobody saw how it ended", since)
    if question is None:
        return None
    kind: About = (
        "tool"
        if question.about == "tool"
        else "approval"
        if set(question.fields) == {"approved"}
        else "question"
    )
    return _row(run, node.path, kind, question.message, question.asked_at)


def _row(run: Run, step: str, about: About, message: str, since: int | None, needed: int = 0) -> Waiting:
    created = run.created
    return Waiting(run.id, created.workflow, step, about, message, since, created.simulated, needed)


def ordered(found: Sequence[Waiting]) -> list[Waiting]:
    """What waits longest comes first; what nobody dated, last."""
    return sorted(found, key=lambda w: (w.since is None, w.since or 0, w.run_id, w.step))


@dataclass(frozen=True)
class Columns:
    """Widths in cells; 0 leaves a column out."""

    workflow: int
    step: int

    @staticmethod
    def of(width: int) -> Columns:
        if width >= 100:
            return Columns(16, 24)
        return Columns(0, 20 if width >= 70 else 14)


def head(width: int) -> Cells:
    columns = Columns.of(width)
    line = Line().field(" SINCE", 8, "head").field("RUN", 8, "head")
    if columns.workflow:
        line.field("WORKFLOW", columns.workflow, "head")
    return line.field("STEP", columns.step, "head").add("WHAT", "head").to(width).cells


def cells(row: Waiting, width: int, now: int, glyphs: Glyphs) -> Cells:
    columns = Columns.of(width)
    line = Line(ellipsis=glyphs.ellipsis)
    style = _STYLE[row.about]
    sign = glyphs.status_of(_SIGN.get(row.about, "waiting_answer"))
    ago = fmt.ago(now - row.since) if row.since is not None else glyphs.dash
    line.add(" ").add(sign, style).field(ago, 5, "time", right=True).add(" ")
    line.say(row.run_id[:6], "id", width=7).add(" ")
    if columns.workflow:
        line.say(row.workflow, "", width=columns.workflow - 1).add(" ")
    line.say(row.step or "the run", "strong", width=columns.step - 1).add(" ")
    line.add(row.about, style).add("  ")
    if row.simulated:
        line.add("sim  ", "sim")
    return line.say(row.message).to(width).cells


def drawn(rows: Sequence[Waiting], now: Callable[[], int], glyphs: Glyphs) -> Callable[[int, int], Cells]:
    return lambda index, width: cells(rows[index], width, now(), glyphs)
