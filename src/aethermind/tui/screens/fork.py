"""The form of a fork: what is to be different in the new run."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content

from aethermind.domain.run import Run
from aethermind.domain.usage import micro_usd
from aethermind.domain.workflow import InputDef
from aethermind.infra.sanitize import clean_line
from aethermind.tui.again import forked, named
from aethermind.tui.screens.dialog import Dialog, Line, safe_line
from aethermind.tui.screens.fields import Field, fields_of, written
from aethermind.tui.screens.form import Form

Json = Any


@dataclass(frozen=True)
class Wanted:
    """`budget` in micro-USD; None: as the run that is forked had none of its own."""

    inputs: dict[str, Json]
    model: str | None
    budget: int | None


class ForkScreen(Dialog[Wanted]):
    """Answers what the new run is to be given; it begins with what the old one was given."""

    AUTO_FOCUS = "#fork-options Input"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s,ctrl+r", "start", "Run", show=False, id="form.fork"),
    ]

    def __init__(self, run: Run, path: str) -> None:
        super().__init__()
        self.run_id = run.id
        self.path = path
        self.course = forked(run, path)
        self._inputs = fields_of(run.definition.inputs)
        given = run.created.inputs
        self._values = {f.name: written(f, given[f.name]) for f in self._inputs if f.name in given}
        self._simulated = run.created.simulated

    def compose(self) -> ComposeResult:
        options = _options(simulated=self._simulated)
        width = min(max(len(f.label) for f in [*self._inputs, *options]) + 2, 22)
        with Vertical(classes="dialog start") as box:
            box.border_title = safe_line(f"Fork {self.run_id} at {self.path}")
            box.border_subtitle = safe_line("tab next   ^s run   esc back")
            yield Line(self._course(), id="start-about")
            with VerticalScroll(id="start-scroll", can_focus=False):
                yield Form(options, id="fork-options", label_width=width)
                yield Line("", classes="rule")
                yield Form(self._inputs, values=self._values, id="fork-inputs", label_width=width)

    def _course(self) -> Content:
        lines = (
            ("runs        ", self.course.runs),
            ("takes over  ", self.course.keeps),
        )
        return Content("\n").join(
            Content.assemble((clean_line(word), "bold"), named(names, clean=clean_line))
            for word, names in lines
        )

    def on_resize(self, event: events.Resize) -> None:
        self.query_one("#start-scroll").styles.max_height = max(self.size.height - 10, 3)

    def on_form_submitted(self, event: Form.Submitted) -> None:
        event.stop()
        if self._inputs and self.query_one("#fork-options", Form).has_focus_within:
            self.focus_next()
        else:
            self.action_start()

    def action_start(self) -> None:
        options = self.query_one("#fork-options", Form).values()
        inputs = self.query_one("#fork-inputs", Form).values() if self._inputs else {}
        if options is None or inputs is None:
            return
        budget = options.get("budget")
        self.answer(
            Wanted(
                inputs,
                str(options.get("model") or "").strip() or None,
                micro_usd(Decimal(str(budget))) if budget is not None else None,
            )
        )


def _options(*, simulated: bool) -> list[Field]:
    """What can be different in every run."""
    about = "one model for every step that runs, in place of what the file says"
    return [
        Field(
            "model",
            InputDef(
                schema={"type": "string"},
                required=False,
                description=f"{about}; simulated, as the run was" if simulated else about,
            ),
            "text",
            label="model",
        ),
        Field(
            "budget",
            InputDef(
                schema={"type": "number", "exclusiveMinimum": 0},
                required=False,
                description="US dollars, for the new run alone",
            ),
            "number",
            label="budget $",
        ),
    ]
