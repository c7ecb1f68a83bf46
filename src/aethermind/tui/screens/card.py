"""What stands at the end of a run, in place of a dead screen: how it went, and what to do next."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets.option_list import Option

from aethermind.domain.run import Run
from aethermind.domain.state import RunStatus
from aethermind.domain.views import outputs
from aethermind.infra.sanitize import clean, clean_line
from aethermind.tui import format as fmt
from aethermind.tui.actions import perform
from aethermind.tui.actions.mending import is_file
from aethermind.tui.glyphs import Glyphs
from aethermind.tui.screens.choices import Choices
from aethermind.tui.screens.detail import markdown
from aethermind.tui.screens.detail.body_view import AT_ONCE, MARKDOWN_STYLES
from aethermind.tui.screens.detail.content import pretty
from aethermind.tui.screens.detail.lines import BLANK, Line, Span, text_lines, wrap
from aethermind.tui.screens.detail.timeline import TONE
from aethermind.tui.screens.detail.view import Lines
from aethermind.tui.screens.dialog import Dialog, Guard, safe_line

if TYPE_CHECKING:
    from aethermind.tui.context import Context

WIDTH = 80
PREVIEW = (4, 16)
"""Lines of one output: at least, at most."""
OTHER_LINES = 22
"""What stands on the screen besides: the card's other lines, its frame, some of what is below."""
Rendered = Callable[[str], "list[Line] | None"]
"""Markdown as lines; None where it would take too long."""
_LINES = 1_000
"""Of an output: of the others the card only tells how many there are."""
_KEY = re.compile(r'^(\s*)("(?:[^"\\]|\\.)*")(: ?)(.*)$')


class CardScreen(Dialog[None]):
    """Of one finished run. Escape goes back to the run itself. It comes up by itself, so keys that were meant
    for what was there before are no answers (`Guard`).
    """

    AUTO_FOCUS = "Choices"

    def __init__(self, context: Context, run_id: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._guard = Guard(clock)
        self.context = context
        self.run_id = run_id

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog card") as box:
            box.border_subtitle = safe_line(f"{self.context.glyphs.enter} do it   esc back to the run")
            yield Lines(id="card-text")
            yield Choices(id="card-choices", markup=False, compact=True)

    def on_mount(self) -> None:
        self.redraw()

    def on_resize(self) -> None:
        self.redraw()

    def redraw(self) -> None:
        run = self.context.run(self.run_id)
        if run is None:
            return
        self.query_one(".card", Vertical).border_title = safe_line(run.created.workflow)
        width = min(WIDTH, self.size.width * 96 // 100) - 6  # frame and padding
        least, most = PREVIEW
        preview = max(min(self.size.height - OTHER_LINES, most), least)
        text = self.query_one("#card-text", Lines)
        rendered = partial(self._rendered, text, width)
        lines = list(
            card_lines(run, width=width, preview=preview, glyphs=self.context.glyphs, rendered=rendered)
        )
        text.styles.height = len(lines) + 1
        text.show(lines)
        choices = self.query_one(Choices)
        at = choices.highlighted or 0
        choices.set_options(
            [
                Option(safe_line(f"{key:>{len(self.context.glyphs.enter) + 1}}  {words}"), id=id)
                for key, words, id in self._choices(run)
            ]
        )
        choices.highlighted = min(at, choices.option_count - 1)

    def _rendered(self, text: Lines, width: int, prose: str) -> list[Line] | None:
        if len(prose) > AT_ONCE or not markdown.ready():
            return None
        styles = {name: text.style_of(name) for name in MARKDOWN_STYLES}
        dark, ascii = self.app.current_theme.dark, self.context.glyphs.ascii
        return markdown.render(prose, width=width, dark=dark, styles=styles, ascii=ascii)

    def _choices(self, run: Run) -> Iterable[tuple[str, str, str]]:
        """(key, words, id)"""
        enter = self.context.glyphs.enter
        if run.status == "succeeded":
            yield enter, "read the result", "read"
        else:
            yield enter, f"look at {run.error_step or 'what happened'}", "read"
            yield "R", "retry what failed; what succeeded is kept", "retry"
            if run.created.source is not None and is_file(run.created.source):
                yield "M", "mend the file, and go on from there", "mend"
        yield "r", "run it again, with other inputs", "again"
        yield "i", "make your own workflow", "own"
        yield "?", "keys", "keys"

    def on_key(self, event: Any) -> None:
        ids = {"R": "retry", "M": "mend", "r": "again", "i": "own", "question_mark": "keys"}
        id = ids.get(event.key)
        if event.key in {"q", "ctrl+c"}:  # as the footer below says
            event.stop()
            event.prevent_default()
            self._do("quit")
        elif id is not None and any(option.id == id for option in self.query_one(Choices).options):
            event.stop()
            event.prevent_default()
            self._do(id)

    def on_option_list_option_selected(self, event: Choices.OptionSelected) -> None:
        event.stop()
        self._do(str(event.option.id))

    def _do(self, id: str) -> None:
        from aethermind.tui.screens.detail.screen import DetailScreen

        context, run = self.context, self.context.run(self.run_id)
        if run is None or not self._guard.open:
            return
        match id:
            case "read":
                path = run.error_step if run.error_step in run.nodes else ""
                self.answer(None)
                self.call_after_refresh(context.push, DetailScreen(context, self.run_id, path or ""))
            case "retry":
                self.answer(None)
                self.call_after_refresh(perform, context, "run.retry")
            case "mend":
                self.answer(None)
                self.call_after_refresh(perform, context, "run.mend")
            case "again":
                self.answer(None)
                wanted = run.created.source or run.created.workflow
                self.call_after_refresh(perform, context, "run.start", wanted)
            case "own":
                self.answer(None)
                self.call_after_refresh(perform, context, "run.new")
            case "quit":
                self.answer(None)
                self.call_after_refresh(perform, context, "global.quit")
            case _:
                self.answer(None)
                self.call_after_refresh(perform, context, "global.help")


def card_lines(
    run: Run, *, width: int, preview: int, glyphs: Glyphs, rendered: Rendered = lambda prose: None
) -> Iterable[Line]:
    """How the run went, in at most `width` cells. `rendered` lays out outputs that are texts."""
    status: RunStatus = run.status
    took = fmt.duration((run.finished_at or run.created_at) - (run.started_at or run.created_at))
    yield (
        Span(f"{glyphs.status_of(status)} {status}", TONE.get(status, "dim")),
        Span(f"  in {took}   {_steps(run)}", ""),
        Span(f"   {run.id}", "dim"),
    )
    yield from wrap(_cost(run, glyphs), width)
    if run.error is not None:
        yield BLANK
        where = f"{run.error_step}: " if run.error_step else ""
        yield from wrap((Span(clean_line(where + run.error.message), "bad"),), width)
        if run.error.hint:
            yield from wrap((Span(clean_line(run.error.hint), "good"),), width)
    for name, value in outputs(run).items():
        yield BLANK
        yield (Span(clean_line(name), "heading"),)
        lines, left = _lines_of(value, rendered)
        rows = [row for a_line in lines for row in wrap(a_line, width)]
        yield from rows[:preview]
        if len(rows) > preview:
            yield (Span(f"{glyphs.ellipsis} {len(rows) - preview + left} more lines", "dim"),)


def _lines_of(value: Any, rendered: Rendered) -> tuple[list[Line], int]:
    """A value's lines as they are shown, and how many more it has than are worth to be made."""
    if isinstance(value, str) and (lines := rendered(value)) is not None:
        return lines, 0
    text = clean(pretty(value)).split("\n")
    first = "\n".join(text[:_LINES])
    left = max(len(text) - _LINES, 0)
    return (text_lines(first) if isinstance(value, str) else _json(first)), left


def _json(text: str) -> list[Line]:
    """The lines of a value, its keys set off."""
    lines: list[Line] = []
    for line in text.split("\n"):
        found = _KEY.match(line)
        if found is None:
            lines.append((Span(line),) if line else BLANK)
        else:
            indent, key, colon, rest = found.groups()
            lines.append((Span(indent), Span(key, "key"), Span(colon, "dim"), Span(rest)))
    return lines


def _steps(run: Run) -> str:
    leaves = [node for node in run.walk() if node.mode == "leaf"]
    done = sum(node.status == "succeeded" for node in leaves)
    retried = sum(max(len(node.attempts) - 1, 0) for node in leaves)
    words = f"{done} of {len(leaves)} steps"
    return f"{words}, {retried} retried" if retried else words


def _cost(run: Run, glyphs: Glyphs) -> Line:
    tally = run.tally
    if not tally.calls:
        return (Span("no model was called", "dim"),)
    spans = [Span(fmt.usd(tally.cost, unknown=glyphs.dash), "strong")]
    if run.created.simulated:
        spans.append(Span(" sim, nothing was spent", "warn"))
    calls = f"{tally.calls} call{'s' if tally.calls != 1 else ''}"
    spans.append(Span(f"   {fmt.short(tally.usage.total_tokens)} tokens in {calls}"))
    if tally.unpriced:
        spans.append(Span(f"   {tally.unpriced} unpriced", "warn"))
    if run.budget_micro_usd is not None:
        spans.append(Span(f"   of {fmt.budget(run.budget_micro_usd)}", "dim"))
    return tuple(spans)
