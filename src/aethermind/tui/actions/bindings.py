"""The registry's keys as Textual bindings. Their ids are the actions', so `App.set_keymap` remaps them."""

from __future__ import annotations

from collections.abc import Iterable

from textual.binding import Binding, BindingType

from aethermind.tui.actions.move import MOVES
from aethermind.tui.actions.registry import MAIN, Action, Where


def _binding(action: Action, what: str) -> Binding:
    return Binding(",".join(action.keys) or "unbound", what, action.title, show=False, id=action.id)


def bindings(actions: Iterable[Action], *places: Where) -> list[BindingType]:
    """For a screen: what can be done in one of these places, through `app.act`. Off the main screen, moving
    about is its widgets' business.
    """
    wanted = set(places)
    on_main = bool(wanted & MAIN)
    return [
        _binding(a, f"app.act({a.id!r})") for a in actions if a.where & wanted and (on_main or not a.widget)
    ]


def widget_bindings(*places: Where) -> list[BindingType]:
    """For a widget that moves a cursor or scrolls: the keys of moving, on its own actions."""
    wanted = set(places)
    return [_binding(a, a.widget) for a in MOVES if a.widget and a.where & wanted]
