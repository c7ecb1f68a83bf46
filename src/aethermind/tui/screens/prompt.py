"""One line to type, at the bottom of the screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input

from aethermind.definitions.units import micro_usd
from aethermind.domain.errors import InvalidError
from aethermind.tui import format as fmt
from aethermind.tui.screens.dialog import Dialog, Line, safe_line
from aethermind.tui.screens.entry import Entry

if TYPE_CHECKING:
    from aethermind.tui.context import Context


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


async def ask_amount(
    context: Context, label: str, *, hint: str, now: int | None = None, given: str = ""
) -> int | None:
    """US dollars as micro-USD; None if nothing was typed. `now`: what it is; `given`: what was typed already,
    then nobody is asked. Raises `InvalidError` for what is no amount.
    """
    value = fmt.budget(now).removeprefix("$") if now is not None else ""
    text = given or await context.ask(PromptScreen(label, value=value, hint=hint))
    if not text:
        return None
    try:
        return micro_usd(text)
    except ValueError as error:
        raise InvalidError(str(error)) from None
