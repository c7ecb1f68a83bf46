"""A question with consequences: it names its target, the safe answer has the cursor, and keys that came
before anybody can have read it (a paste, a key held down) are not answers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from aethermind.infra.sanitize import clean, clean_line
from aethermind.tui.screens.detail.lines import Line as DrawnLine
from aethermind.tui.screens.detail.lines import text_lines
from aethermind.tui.screens.detail.view import TextView
from aethermind.tui.screens.dialog import Dialog, Guard, Line, safe_line, seen

SHORT = 24
"""Rows of a terminal below which a dialog has no margin of its own."""


class Choice(NamedTuple):
    key: str
    """A letter that chooses it."""
    label: str
    value: str


class ConfirmScreen(Dialog[str]):
    """Answers the value of the choice, or None."""

    def __init__(
        self,
        question: str,
        *,
        choices: Sequence[Choice],
        note: str = "",
        show: str = "",
        refuse: str = "no",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self.question = question
        self.note = note
        self.show_text = show
        """What the decision is about, for reading (scrolls)."""
        self.choices = list(choices)
        self.refuse = refuse
        self._clock = clock
        self._guard = Guard(clock)

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog confirm"):
            yield Line(safe_line(seen(self.question), "bold"), classes="question")
            if self.note:
                yield Line(self.note, classes="note")
            if self.show_text:
                yield Shown(self.show_text)
            options = [Option(_label(c.key, c.label), id=c.value) for c in self.choices]
            yield OptionList(*options, Option(_label("esc", self.refuse), id="dialog-refuse"), markup=False)

    def on_mount(self) -> None:
        self._guard = Guard(self._clock)
        options = self.query_one(OptionList)
        options.highlighted = len(self.choices)
        options.focus()

    def on_resize(self, event: events.Resize) -> None:
        """What there is to choose is always seen; what is said about it gives way."""
        self.set_class(self.size.height < SHORT, "-short")
        if self.note:
            taken = len(self.choices) + (self.size.height // 3 if self.show_text else 0)
            self.query_one(".note").styles.max_height = max(self.size.height - taken - 9, 1)

    def on_key(self, event: events.Key) -> None:
        for choice in self.choices:
            if event.key == choice.key:
                event.stop()
                event.prevent_default()
                self._answer(choice.value)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        if event.option.id == "dialog-refuse":
            self.answer(None)
        else:
            self._answer(str(event.option.id))

    def _answer(self, value: str) -> None:
        if self._guard.open:
            self.answer(value)


class Shown(TextView):
    """A text to read before one decides; as high as it needs, up to a third of the screen."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._source = text

    def on_mount(self) -> None:
        lines = shown_lines(clean(self._source))
        self.set_lines(lines)
        self.styles.height = max(1, min(len(lines) + 2, self.screen.size.height // 3))


_DIFF = {"+": "good", "-": "bad", "@": "key"}


def shown_lines(text: str) -> list[DrawnLine]:
    """The lines of a clean text; in a unified diff what comes and what goes has its colour."""
    if "\n@@ " not in f"\n{text}":
        return text_lines(text)
    return [line for part in text.split("\n") for line in text_lines(part, _DIFF.get(part[:1], ""))]


def _label(key: str, label: str) -> Content:
    return Content.assemble((clean_line(f"{key:>3}  "), "bold $accent"), clean_line(label))
