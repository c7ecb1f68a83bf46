"""The `:` line, with what it could become above it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Input
from textual.widgets.option_list import Option

from aethermind.domain.errors import InvalidError
from aethermind.infra.sanitize import clean_line
from aethermind.tui import commands
from aethermind.tui.actions import REGISTRY, summon
from aethermind.tui.screens.choices import Choices, Typing
from aethermind.tui.screens.dialog import Dialog, Line, safe_line

if TYPE_CHECKING:
    from aethermind.tui.context import Context


class CommandScreen(Dialog[None]):
    """Tab takes the line that is marked; enter does what the line says; up, above the first mark, brings back
    what was typed before.
    """

    AUTO_FOCUS = "Input"

    def __init__(self, context: Context, *, line: str = "") -> None:
        super().__init__()
        self.context = context
        self.line = line
        self._suggestions: list[commands.Suggestion] = []
        self._recalled = ""

    def compose(self) -> ComposeResult:
        with Vertical(classes="bottom"):
            choices = Choices(id="command-choices", markup=False, compact=True)
            choices.can_focus = False
            yield choices
            yield Line("", id="command-problem")
            with Horizontal(classes="prompt command"):
                yield Line(":", classes="label")
                yield Typing(self.line, moves="#command-choices", recall=self.recall)

    def on_mount(self) -> None:
        self.query_one(Input).cursor_position = len(self.line)
        self._suggest(self.line)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if event.value != self._recalled:
            self.context.history.rest()
        self.query_one("#command-problem", Line).show("")
        self._suggest(event.value)

    def _suggest(self, line: str) -> None:
        self._suggestions = commands.suggest(REGISTRY, line, self.context)
        choices = self.query_one("#command-choices", Choices)
        choices.set_options([Option(_content(s), id=str(n)) for n, s in enumerate(self._suggestions)])
        choices.display = bool(self._suggestions)
        choices.highlighted = 0 if self._suggestions else None

    def on_key(self, event: events.Key) -> None:
        if event.key in {"tab", "shift+tab"}:
            event.stop()
            event.prevent_default()
            self._take()

    def recall(self, key: str) -> bool:
        """Whether an arrow was one through the lines of before; else it moves in the list."""
        history, field = self.context.history, self.query_one(Input)
        at = self.query_one("#command-choices", Choices).highlighted
        if not history.walking and (key != "up" or at not in {None, 0}):
            return False
        line = history.older(field.value) if key == "up" else history.newer()
        if line is not None:
            self._recalled = field.value = line
            field.cursor_position = len(line)
        return True

    def _take(self) -> None:
        at = self.query_one("#command-choices", Choices).highlighted
        if at is not None and at < len(self._suggestions):
            field = self.query_one(Input)
            field.value = self._suggestions[at].line
            field.cursor_position = len(field.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        try:
            action, argument = commands.parse(REGISTRY, event.value)
        except InvalidError as error:
            self.query_one("#command-problem", Line).show(safe_line(error.line(), "$text-error"))
            return
        self.context.history.add(event.value.strip())
        self.answer(None)
        self.call_after_refresh(summon, self.context, action.id, argument)

    def on_option_list_option_selected(self, event: Choices.OptionSelected) -> None:
        event.stop()
        self._take()


def _content(suggestion: commands.Suggestion) -> Content:
    label = clean_line(suggestion.label)
    return Content.assemble(
        (f"{label:<24}", "$text-accent"), (clean_line(suggestion.note), "$foreground-muted")
    )
