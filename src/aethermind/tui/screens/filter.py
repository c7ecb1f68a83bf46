"""The line at the bottom that filters a pane while one types, and the one that finds a text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.widgets import Input

from aethermind.tui.actions import REGISTRY
from aethermind.tui.screens.prompt import PromptScreen

if TYPE_CHECKING:
    from aethermind.tui.context import Context


class FilterScreen(PromptScreen):
    """Filters as one types. Enter keeps the filter, escape puts back the one before."""

    def __init__(self, context: Context) -> None:
        pane = context.main.focused_pane
        super().__init__(f"filter {pane}:", value=context.main.filter_text)
        self.context = context
        self._before = context.main.filter_text

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.context.main.set_filter(event.value)

    def action_dismiss_dialog(self) -> None:
        self.context.main.set_filter(self._before)
        super().action_dismiss_dialog()


class FindScreen(PromptScreen):
    """Enter goes to the first line with the text; n and N go on from there."""

    def __init__(self, context: Context) -> None:
        super().__init__("find:")
        self.context = context

    def submitted(self, text: str) -> None:
        self.answer(text)
        if text:
            self.call_after_refresh(self._find, text)

    def _find(self, text: str) -> None:
        REGISTRY["find.find"].run(self.context, text)
