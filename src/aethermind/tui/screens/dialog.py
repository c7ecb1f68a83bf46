"""What all dialogs share: a box over a dimmed screen, keys that the registry does not know, a guard against
pasted input.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, ClassVar, Generic, TypeVar

from textual.app import App
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from aethermind.infra.sanitize import clean, clean_line
from aethermind.tui.glyphs import UNICODE, Glyphs

T = TypeVar("T")
GUARD_S = 0.5
"""A key that comes sooner after a question appeared was not an answer to it."""


def safe(text: str, style: str = "") -> Content:
    """Any text as content that can be shown: cleaned, never read as markup."""
    return Content.styled(clean(text), style) if style else Content(clean(text))


def safe_line(text: str, style: str = "") -> Content:
    return Content.styled(clean_line(text), style) if style else Content(clean_line(text))


MOST = 4_000
"""Characters of a text that no scrolling leads through: more is never seen, and takes its time to lay out."""


def seen(text: str) -> str:
    """As much of it as anybody sees, and how much more there is."""
    return text if len(text) <= MOST else f"{text[:MOST]} ({len(text) - MOST:,} more characters)"


class Line(Static):
    """A line of text whose content may come from anywhere."""

    def __init__(
        self, text: str | Content = "", *, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(
            safe(seen(text)) if isinstance(text, str) else text, id=id, classes=classes, markup=False
        )

    def show(self, text: str | Content) -> None:
        self.update(safe(seen(text)) if isinstance(text, str) else text)


def glyphs_of(app: App[Any]) -> Glyphs:
    """The signs that this app draws with."""
    found = getattr(app, "glyphs", UNICODE)
    return found if isinstance(found, Glyphs) else UNICODE


class Dialog(ModalScreen[T], Generic[T]):
    """A box over the screen below. Escape answers nothing (None)."""

    CSS_PATH = "../styles/dialogs.tcss"
    AUTO_FOCUS = "*"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss_dialog", "Back", show=False, id="dialog.back"),
        Binding("f1,question_mark", "dialog_help", "Keys", show=False, id="dialog.help"),
    ]

    def on_mount(self) -> None:
        self.set_class(glyphs_of(self.app).ascii, "-ascii")

    def action_dismiss_dialog(self) -> None:
        self.answer(None)

    def action_dialog_help(self) -> None:
        """The keys of this dialog; where one types, `?` is a letter, and F1 tells them."""
        from aethermind.tui.screens.dialog_keys import keys_of
        from aethermind.tui.screens.reading import ReadingScreen

        _ = self.app.push_screen(ReadingScreen("Keys", keys_of(self)))

    def answer(self, value: T | None) -> None:
        """Close with this answer. Not awaited: a screen can't wait for its own end."""
        _ = self.dismiss(value)


class Guard:
    """Opens half a second after it was made."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since = clock()

    @property
    def open(self) -> bool:
        return self._clock() - self._since >= GUARD_S
