"""One line to type, at the bottom of the screen."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input

from aethermind.tui.screens.dialog import Dialog, Line, safe_line
from aethermind.tui.screens.entry import Entry


class PromptScreen(Dialog[str]):
    """Answers what was typed, or None."""

    def __init__(self, label: str, *, value: str = "", hint: str = "") -> None:
        super().__init__()
        self.label = label
        self.value = value
        self.hint = hint

    def compose(self) -> ComposeResult:
        with Vertical(classes="prompt"):
            yield Line(safe_line(self.label), classes="label")
            yield Entry(self.value)
            if self.hint:
                yield Line(safe_line(self.hint), classes="hint")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.submitted(event.value)

    def submitted(self, text: str) -> None:
        """Enter was pressed."""
        self.answer(text)
