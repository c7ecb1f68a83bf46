"""The line above the footer: what asks for attention, and which key goes there. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from aethermind.domain import views
from aethermind.domain.run import Run
from aethermind.domain.state import Node
from aethermind.tui.glyphs import Glyphs
from aethermind.tui.rows.cells import Cells, Line

_QUESTION = 60
"""Characters of a question; the whole of it is in its form."""
KeyOf = Callable[[str], str]
"""An action's id → how its key is written; "" if it has none."""


def cells(
    run: Run | None,
    failed: Sequence[Node],
    width: int,
    glyphs: Glyphs,
    key: KeyOf,
    *,
    status: str = "",
    note: str = "",
) -> Cells:
    """`note` is a passing message; it comes before everything else."""
    line = Line(ellipsis=glyphs.ellipsis)
    line.add(" ")
    if note:
        line.say(note, "note")
    elif run is not None:
        _about(line, run, failed, glyphs, key, status or run.status)
    return line.to(width).cells


def _asking(line: Line, run: Run, asking: Sequence[Node], glyphs: Glyphs) -> list[tuple[str, str]]:
    """What the first of these waits for; the keys that decide it."""
    node = asking[0]
    line.say(node.path, "strong")
    hints = [("run.answer", "answer")]
    if node.status == "in_doubt":
        line.add(" may or may not have happened")
    elif node.status == "waiting_budget":
        held = run.held.get(node.path)
        match held.scope if held is not None else "run":
            case "guard":
                why = run.pause.reason if run.pause is not None else "the run repeats itself"
                line.add(" is held back: ").say(why, "note")
                hints = [("run.pause", "go on")]
            case "day":
                line.add(" waits for the day's budget: ").say("aethermind budget today USD", "note")
                hints = []
            case _:
                line.add(" waits for budget")
                hints = [("run.budget", "raise it")]
    elif node.question is not None and node.question.message:
        message = node.question.message
        if len(message) > _QUESTION:
            message = message[: _QUESTION - 1].rstrip() + glyphs.ellipsis
        line.add(" asks: ").say(message, "note")
    else:
        line.add(" waits for an answer")
    if len(asking) > 1:
        line.add(f" (and {len(asking) - 1} more)", "faint")
    return hints


def _about(line: Line, run: Run, failed: Sequence[Node], glyphs: Glyphs, key: KeyOf, status: str) -> None:
    dash = f" {glyphs.dash} "
    sign = {True: "!", False: glyphs.status_of(status)}
    hints: list[tuple[str, str]] = []
    if status == "interrupted":
        line.add(f"{sign[True]} ", "doubt").add("this run was interrupted; nothing drives it")
        hints = [("run.pause", "go on")]
    elif run.finished is None and (asking := views.open_questions(run)):
        line.add(f"{sign[True]} ", "gate")
        hints = _asking(line, run, asking, glyphs)
    elif failed:
        line.add(f"{sign[True]} ", "failed")
        if len(failed) == 1:
            line.say(failed[0].path, "strong").add(" failed")
        else:
            line.add(f"{len(failed)} steps failed (").say(failed[0].path, "strong")
            line.add(f"{glyphs.ellipsis})")
        hints = [("find.next_error", "next error")]
        if run.finished is not None:
            hints.append(("run.retry", "retry from here"))
            if run.created.source is not None:
                hints.append(("run.mend", "mend the file"))
    elif status == "paused":
        line.add(f"{sign[False]} ", "gate").add("paused")
        hints = [("run.pause", "go on")]
    elif status == "failed" and run.error is not None:
        line.add(f"{sign[True]} ", "failed").say(run.error.message)
        hints = [("run.retry", "retry")]
        if run.created.source is not None:
            hints.append(("run.mend", "mend the file"))
    elif status == "succeeded":
        line.add(f"{sign[False]} ", "ok").add("done")
        names = ", ".join(views.outputs(run))
        if names:
            line.add(dash).add("outputs: ", "faint").say(names)
        hints = [("run.open", "read the result")]
    elif status == "cancelled":
        line.add(f"{sign[False]} ", "skipped").add("cancelled")
        if run.cancel_reason:
            line.add(dash).say(run.cancel_reason, "faint")
    shown = [(name, what) for action, what in hints if (name := key(action))]
    for n, (name, what) in enumerate(shown):
        line.add(dash if n == 0 else f" {glyphs.dot} ", "faint").add(name, "key").add(f" {what}")
