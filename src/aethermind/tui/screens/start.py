"""The form that starts a run: made from the workflow's inputs, with what its models mean here."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content

from aethermind.domain.errors import AethermindError, DeniedError
from aethermind.domain.usage import micro_usd
from aethermind.domain.workflow import InputDef, WorkflowDef
from aethermind.engine.consent import model_names, ran_before
from aethermind.infra.sanitize import clean_line
from aethermind.tui import abroad
from aethermind.tui import format as fmt
from aethermind.tui.actions.target import by
from aethermind.tui.screens.confirm import Choice, ConfirmScreen
from aethermind.tui.screens.dialog import Dialog, Line, safe_line
from aethermind.tui.screens.fields import Field
from aethermind.tui.screens.form import Form
from aethermind.tui.screens.found import Found
from aethermind.tui.screens.trusting import trusted
from aethermind.tui.spending import estimate_of, range_text, used_before

if TYPE_CHECKING:
    from aethermind.definitions.loader import LoadedWorkflow
    from aethermind.engine.client import RunRequest
    from aethermind.engine.history import History
    from aethermind.tui.context import Context

Json = Any
_MODEL_LINES = 5


class StartScreen(Dialog[str]):
    """Answers the id of the run that was started."""

    AUTO_FOCUS = "Input, Pick, Area"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s,ctrl+r", "start", "Run", show=False, id="form.start"),
    ]

    def __init__(self, context: Context, flow: Found, loaded: LoadedWorkflow) -> None:
        super().__init__()
        self.context = context
        self.flow = flow
        self.loaded = loaded
        self._starting = False
        self._history: History | None = None

    @property
    def definition(self) -> WorkflowDef:
        return self.loaded.definition

    def compose(self) -> ComposeResult:
        from aethermind.tui.screens.fields import fields_of

        inputs, options = fields_of(self.definition.inputs), self._options()
        width = min(max((len(f.label) for f in [*inputs, *options]), default=8) + 2, 22)
        with Vertical(classes="dialog start") as box:
            box.border_title = safe_line(f"Run {self.definition.name}")
            box.border_subtitle = safe_line("tab next   ^s run   esc back")
            with VerticalScroll(id="start-scroll", can_focus=False):
                yield Line(safe_line(self.definition.description, "$foreground-muted"), id="start-about")
                yield Form(inputs, id="start-inputs", label_width=width)
                yield Line("", classes="rule")
                yield Form(options, id="start-options", label_width=width)
            yield Line("", id="start-models")
            yield Line("", id="start-cost")
            yield Line("", id="start-problem")

    def _options(self) -> list[Field]:
        """What can be said about every run."""
        budget = self.definition.budget
        given = fmt.budget(budget.micro_usd).removeprefix("$") if budget is not None else None
        simulated = bool(self.context.composition.options.sim)
        return [
            Field(
                "sim",
                InputDef(
                    schema={"type": "boolean"},
                    required=True,
                    default=simulated,
                    description="answers come from a script: nothing is called, nothing is spent",
                ),
                "boolean",
                label="simulate",
            ),
            Field(
                "model",
                InputDef(
                    schema={"type": "string"},
                    required=False,
                    description="one model for every step, in place of what the file says",
                ),
                "text",
                label="model",
            ),
            Field(
                "budget",
                InputDef(
                    schema={"type": "number", "exclusiveMinimum": 0},
                    required=False,
                    default=float(given) if given is not None else None,
                    description="US dollars; the run pauses before it would cost more",
                ),
                "number",
                label="budget $",
            ),
        ]

    def on_mount(self) -> None:
        self._show_models()

    # --- what the models mean here ---------------------------------------------------------------

    def on_form_changed(self, event: Form.Changed) -> None:
        self._show_models()

    def _show_models(self) -> None:
        texts = self.query_one("#start-options", Form).texts()
        override = texts.get("model", "").strip()
        sim = texts.get("sim") == "true"
        lines: list[Content] = []
        arrow = "->" if self.context.glyphs.ascii else "→"
        for name in [override] if override else model_names(self.definition):
            try:
                meant = self.context.composition.models.resolve(name, sim=sim)
            except AethermindError as error:
                lines.append(safe_line(error.line(), "$text-error"))
            else:
                lines.append(_meaning(name, meant, arrow))
        self.query_one("#start-models", Line).show(Content("\n").join(lines[:_MODEL_LINES]))
        self._fit(len(lines))
        cost = partial(self._show_cost, override, sim=sim)
        _ = self.run_worker(cost, group="cost", exclusive=True, exit_on_error=False)

    async def _show_cost(self, model: str, *, sim: bool) -> None:
        """Off the screen's thread: the first look at prices takes a while."""
        inputs = self._inputs()
        history = await self._used_before()
        found = await asyncio.to_thread(
            estimate_of, self.context, self.definition, inputs, model=model, sim=sim, history=history
        )
        if self.is_mounted:
            told = range_text(found) if found is not None else ""
            line = self.query_one("#start-cost", Line)
            line.show(safe_line(self._plain(told), "$foreground-muted"))
            line.display = bool(told)

    async def _used_before(self) -> History:
        """Read once: the form asks for an estimate with every key."""
        if self._history is None:
            self._history = await used_before(self.context, self.definition.name)
        return self._history

    def _plain(self, text: str) -> str:
        return text.replace("–", "-") if self.context.glyphs.ascii else text

    def _inputs(self) -> dict[str, Json]:
        """As typed: for their size alone."""
        return dict(self.query_one("#start-inputs", Form).texts())

    def on_resize(self, event: events.Resize) -> None:
        self._show_models()

    def _fit(self, models: int) -> None:
        """What is below the fields is always seen; the fields scroll."""
        room = self.size.height - 4 - min(models, _MODEL_LINES) - 3
        self.query_one("#start-scroll").styles.max_height = max(room, 3)

    # --- starting --------------------------------------------------------------------------------

    def on_form_submitted(self, event: Form.Submitted) -> None:
        event.stop()
        if self.query_one("#start-options", Form).has_focus_within:
            self.action_start()
        else:
            self.focus_next()

    def on_key(self, event: events.Key) -> None:
        if event.key == "ctrl+enter":
            event.stop()
            self.action_start()

    def action_start(self) -> None:
        """Check everything, ask for trust if the file starts programs, and run."""
        inputs = self.query_one("#start-inputs", Form).values()
        options = self.query_one("#start-options", Form).values()
        if inputs is None or options is None or self._starting:
            return
        self._starting = True
        self._say("starting")
        _ = self.context.spawn(self._start(inputs, options))

    async def _start(self, inputs: Mapping[str, Json], options: Mapping[str, Json]) -> None:
        from aethermind import bootstrap

        try:
            if not await trusted(self.context, self.loaded):
                raise DeniedError(f"{self.flow.path.name} was not trusted")
            given = options.get("budget")
            sim, model = bool(options.get("sim")), options.get("model") or None
            budget = micro_usd(Decimal(str(given))) if given is not None else None
            away = abroad.is_abroad(self.context)
            request: RunRequest
            if away:
                request = abroad.request(self.loaded, inputs, sim=sim, model=model, budget=budget)
            else:
                request = bootstrap.submission(
                    self.context.composition,
                    self.loaded,
                    inputs,
                    cwd=Path.cwd(),
                    sim=sim,
                    model=model,
                    budget_micro_usd=budget,
                    origin="tui",
                )
            if not await self._affordable(request):
                raise DeniedError("not started: nothing was spent")
            if away:
                run_id = await abroad.start(self.context, self.flow.name, request, by=by(self.context))
            else:
                run_id = await self.context.engine.ask(lambda client: client.start_run(request))
        except AethermindError as error:
            self._say(error.line(), bad=True)
        else:
            self.answer(run_id)
        finally:
            self._starting = False

    async def _affordable(self, request: RunRequest) -> bool:
        """The first time that a file runs on priced models, somebody says yes to what it may cost."""
        found = await asyncio.to_thread(
            estimate_of,
            self.context,
            self.definition,
            request.inputs,
            model=request.model or "",
            sim=request.simulated,
            history=await self._used_before(),
        )
        if found is None or not (found.high or found.unpriced):
            return True
        name, source = self.definition.name, request.source
        if await self.context.engine.ask(lambda client: ran_before(client, name, source)):
            return True
        answer = await self.context.ask(
            ConfirmScreen(
                self._plain(f"{range_text(found)}: run it?"),
                note=str(self.query_one("#start-models", Line).content),
                choices=[Choice("y", "run it; this file is not asked about again", "yes")],
                refuse="do not run it",
            )
        )
        return answer is not None

    def _say(self, text: str, *, bad: bool = False) -> None:
        if self.is_mounted:
            line = self.query_one("#start-problem", Line)
            line.set_class(bad, "-bad")
            line.show(text)


def _meaning(name: str, meant: str, arrow: str) -> Content:
    sim = meant.startswith("sim:")
    note = "  simulated" if sim else ""
    if name == meant:
        return Content.assemble(clean_line(meant), (note, "$text-warning"))
    return Content.assemble(
        (clean_line(f"{name} {arrow} "), "$foreground-muted"), clean_line(meant), (note, "$text-warning")
    )
