"""The chooser of colours: the screen below takes each theme as the cursor passes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.theme import BUILTIN_THEMES
from textual.widgets.option_list import Option

from aethermind.tui import appearance
from aethermind.tui.screens.choices import Choices
from aethermind.tui.screens.dialog import Dialog, safe_line

if TYPE_CHECKING:
    from aethermind.tui.context import Context


class ThemeScreen(Dialog[str]):
    """Enter keeps the theme, escape goes back to the one before."""

    AUTO_FOCUS = "Choices"

    def __init__(self, context: Context) -> None:
        super().__init__()
        self.context = context
        self._before = context.app.theme
        names = [name for name in context.app.available_themes if not name.startswith("textual-")]
        self.names = sorted(names, key=lambda name: (name in BUILTIN_THEMES, name))
        """The product's own and the user's come first."""

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog themes") as box:
            box.border_title = safe_line("Theme")
            box.border_subtitle = safe_line(f"{self.context.glyphs.enter} keep   esc back")
            yield Choices(
                *[Option(safe_line(name), id=name) for name in self.names], markup=False, compact=True
            )

    def on_mount(self) -> None:
        if self._before in self.names:
            self.query_one(Choices).highlighted = self.names.index(self._before)

    def on_option_list_option_highlighted(self, event: Choices.OptionHighlighted) -> None:
        event.stop()
        self.context.app.theme = str(event.option.id)

    def on_option_list_option_selected(self, event: Choices.OptionSelected) -> None:
        event.stop()
        name = str(event.option.id)
        self.answer(name)
        _ = self.context.spawn(appearance.keep_theme(self.context, name))

    def action_dismiss_dialog(self) -> None:
        self.context.app.theme = self._before
        super().action_dismiss_dialog()
