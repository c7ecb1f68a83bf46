"""Something to read, over the screen below: found in, copied from, left with escape."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Vertical

from aethermind.tui.actions import REGISTRY, bindings
from aethermind.tui.screens.detail.lines import Line, plain
from aethermind.tui.screens.detail.view import TextView
from aethermind.tui.screens.dialog import Dialog, safe_line


class TextDialog(Dialog[None]):
    """A dialog with one text. A subclass composes it and gives its lines."""

    BINDINGS = bindings(REGISTRY, "text")
    where = "text"
    _sought = ""

    def lines(self) -> Sequence[Line]:
        """The whole text, clean."""
        return ()

    def leave(self) -> None:
        self.answer(None)

    def find(self, text: str) -> bool:
        self._sought = text
        return self.query_one(TextView).find(text)

    def find_next(self, delta: int) -> bool:
        return self.query_one(TextView).find(self._sought, delta=delta)

    def text_to_copy(self) -> str:
        return "\n".join(plain(a_line) for a_line in self.lines())

    def toggle_wrap(self) -> bool:
        return self.query_one(TextView).toggle_wrap()


class ReadingScreen(TextDialog):
    """Lines that are handed over are clean already."""

    def __init__(self, title: str, lines: Sequence[Line]) -> None:
        super().__init__()
        self.reading_title = title
        self._lines = list(lines)

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog reading") as box:
            box.border_title = safe_line(self.reading_title)
            box.border_subtitle = safe_line("/ find   y copy   esc back")
            yield TextView()

    def on_mount(self) -> None:
        super().on_mount()
        view = self.query_one(TextView)
        view.set_lines(self._lines)
        view.focus()

    def lines(self) -> Sequence[Line]:
        return self._lines
