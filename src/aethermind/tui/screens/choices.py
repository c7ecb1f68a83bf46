"""A list to choose from, with the registry's keys of moving, and a line to type beside it."""

from __future__ import annotations

from collections.abc import Callable

from textual import events
from textual.widgets import OptionList

from aethermind.tui.actions.bindings import widget_bindings
from aethermind.tui.screens.entry import Entry

_LIST_KEYS = {
    "up": "cursor_up",
    "down": "cursor_down",
    "ctrl+k": "cursor_up",
    "ctrl+n": "cursor_down",
    "pageup": "page_up",
    "pagedown": "page_down",
}
"""Keys that move in the list while one types; ctrl+p is the palette's own."""


class Choices(OptionList):
    """An `OptionList` that answers j and k too. Contents are `Content`, never markup."""

    BINDINGS = widget_bindings("list")

    def action_half_down(self) -> None:
        self.action_page_down()  # type: ignore[no-untyped-call]  # Textual's own

    def action_half_up(self) -> None:
        self.action_page_up()  # type: ignore[no-untyped-call]  # Textual's own

    def action_cursor_left(self) -> None:
        """Nothing is folded here."""

    action_cursor_right = action_cursor_left


class Typing(Entry):
    """A line whose arrow keys move in the list beside it."""

    def __init__(
        self,
        value: str = "",
        *,
        moves: str = "",
        placeholder: str = "",
        id: str | None = None,
        recall: Callable[[str], bool] = lambda key: False,
    ) -> None:
        super().__init__(value, placeholder=placeholder, id=id)
        self.moves = moves
        """The selector of that list."""
        self.recall = recall
        """Asked first about up and down: whether they were for something else than the list."""

    async def on_key(self, event: events.Key) -> None:
        action = _LIST_KEYS.get(event.key)
        if action is not None and self.moves:
            event.stop()
            event.prevent_default()
            if event.key in {"up", "down"} and self.recall(event.key):
                return
            choices = self.screen.query_one(self.moves, OptionList)
            getattr(choices, f"action_{action}")()
