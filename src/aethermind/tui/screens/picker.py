"""Which workflow to run: what is here, the user's own, the samples. Typing narrows it down."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.fuzzy import FuzzySearch
from textual.widgets import Input
from textual.widgets.option_list import Option

from aethermind.domain.errors import AethermindError, InvalidError
from aethermind.infra.sanitize import clean_line
from aethermind.tui import abroad
from aethermind.tui.screens.choices import Choices, Typing
from aethermind.tui.screens.dialog import Dialog, Line, safe_line
from aethermind.tui.screens.found import Found, find, workflows
from aethermind.tui.screens.start import StartScreen

if TYPE_CHECKING:
    from aethermind.definitions.loader import LoadedWorkflow
    from aethermind.tui.context import Context


_SHOWN = 60
"""Characters of a path that is none; a paste may be long."""


class PickerScreen(Dialog[None]):
    """Enter opens the start form of what is marked, ctrl+o its file in the editor, at the line that is wrong.
    `wanted`: a name or file, then the form opens at once. `then` is told the id of the run that was started.
    """

    AUTO_FOCUS = "Input"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+o", "edit", "Edit", show=False, id="picker.edit"),
    ]

    def __init__(
        self,
        context: Context,
        *,
        wanted: str = "",
        then: Callable[[str], Awaitable[None]] | None = None,
    ) -> None:
        super().__init__()
        self._then = then
        self.context = context
        self.wanted = wanted
        self._all: list[Found] = []
        self._shown: list[Found] = []
        self._fuzzy = FuzzySearch()
        self._wrong: tuple[Path, int | None] | None = None
        """The file that is wrong, and its line."""

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog picker") as box:
            box.border_title = safe_line("Run a workflow")
            edits = "" if abroad.is_abroad(self.context) else "   ^o edit"
            box.border_subtitle = safe_line(f"{self.context.glyphs.enter} choose{edits}   esc back")
            yield Typing(self.wanted, moves="#picker-choices", placeholder="a name, or the path of a file")
            choices = Choices(id="picker-choices", markup=False, compact=True)
            choices.can_focus = False
            yield choices
            yield Line("", id="picker-note")
            yield Line("", id="picker-problem", classes="-bad")

    def on_mount(self) -> None:
        self._problem("")
        if abroad.is_abroad(self.context):
            _ = self.context.spawn(self._ask_there())
            return
        self._all = workflows(self.context)
        self._show(self.wanted)
        if self.wanted and (flow := find(self.context, self.wanted)) is not None:
            self._open(flow)

    async def _ask_there(self) -> None:
        """The engine is elsewhere: what it knows is offered."""
        self._all = await abroad.flows(self.context)
        self._show(self.query_one(Input).value)
        flow = next((one for one in self._all if one.name == self.wanted), None)
        if flow is not None:
            self._open(flow)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._wrong = None
        self._problem("")
        self._show(event.value)

    def _show(self, query: str) -> None:
        scored = []
        for number, flow in enumerate(self._all):
            score = self._fuzzy.match(query, flow.name)[0] if query else 1.0
            if score or query.casefold() in flow.description.casefold():
                scored.append((-score, number, flow))
        self._shown = [flow for _, _, flow in sorted(scored, key=lambda s: s[:2])]
        choices = self.query_one("#picker-choices", Choices)
        choices.set_options([Option(_content(flow), id=str(n)) for n, flow in enumerate(self._shown)])
        choices.highlighted = 0 if self._shown else None
        if not self._shown:
            self._note("no workflow is called like that; enter takes it as the path of a file")
        elif not query:
            self._note("")

    def on_option_list_option_highlighted(self, event: Choices.OptionHighlighted) -> None:
        event.stop()
        if event.option_index >= len(self._shown):
            return  # of a list that has become shorter meanwhile
        flow = self._shown[event.option_index]
        self._note("\n".join(part for part in (flow.description, _tilde(flow.path)) if part))

    def _note(self, text: str) -> None:
        self.query_one("#picker-note", Line).show(text)

    def _problem(self, text: str) -> None:
        line = self.query_one("#picker-problem", Line)
        line.show(text)
        line.display = bool(text)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if (flow := self._meant()) is not None:
            self._open(flow)

    def _meant(self) -> Found | None:
        """What is marked, or the file that was typed; why there is none is said."""
        at = self.query_one("#picker-choices", Choices).highlighted
        if at is not None and at < len(self._shown):
            return self._shown[at]
        typed = self.query_one(Input).value.strip()
        if abroad.is_abroad(self.context):
            self._problem("files of this machine are not there: choose what the engine knows")
        elif (flow := find(self.context, typed)) is not None:
            return flow
        else:
            shown = typed if len(typed) <= _SHOWN else typed[: _SHOWN - 1] + self.context.glyphs.ellipsis
            self._problem(f"there is no file {shown!r}")
        return None

    def action_edit(self) -> None:
        if (flow := self._meant()) is None:
            return
        if abroad.is_abroad(self.context):
            self._problem("its file is where the engine is: edit it there")
        elif flow.place == "sample":
            key = self.context.app.key_of("run.new")
            self._problem(f"a sample stays as it is: esc, then {key} makes a copy of your own")
        else:
            _ = self.context.spawn(self._edit(flow))

    async def _edit(self, flow: Found) -> None:
        from aethermind.tui import editor

        wrong, self._wrong = self._wrong, None
        line = wrong[1] if wrong is not None and wrong[0] == flow.path else None
        await editor.edit(self.context, flow.path, line=line)
        self._problem("")
        self._open(flow)

    def on_option_list_option_selected(self, event: Choices.OptionSelected) -> None:
        event.stop()
        if event.option_index < len(self._shown):
            self._open(self._shown[event.option_index])

    @work(thread=True, exclusive=True, exit_on_error=False)
    def _open(self, flow: Found) -> None:
        """Read and check the file, off the screen's thread; what is wrong with it is shown here."""
        from aethermind import bootstrap

        try:
            if abroad.is_abroad(self.context):
                loaded = abroad.load(self.context, flow.name)
            else:
                loaded = bootstrap.load_workflow(self.context.composition, flow.path)
        except AethermindError as error:
            self.app.call_from_thread(self._refused, flow, error)
            return
        self.app.call_from_thread(self._form, flow, loaded)

    def _refused(self, flow: Found, error: AethermindError) -> None:
        line = None
        if isinstance(error, InvalidError) and error.file == str(flow.path):
            line = error.line_no
        self._wrong = (flow.path, line)
        if not self._shown:
            self._note("")  # it is a file, though no workflow's name
        self._problem(error.line())

    def _form(self, flow: Found, loaded: LoadedWorkflow) -> None:
        _ = self.app.push_screen(StartScreen(self.context, flow, loaded), self._started)

    def _started(self, run_id: str | None) -> None:
        if run_id is not None:
            self.answer(None)
            self.context.main.open_run(run_id)
            if self._then is not None:
                _ = self.context.spawn(self._then(run_id))


def _content(flow: Found) -> Content:
    return Content.assemble(
        (clean_line(f"{flow.name:<22} "), "bold"),
        (clean_line(f"{flow.place:<12} "), "$foreground-muted"),
        clean_line(flow.description),
    )


def _tilde(path: Path) -> str:
    home = Path.home()
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)
