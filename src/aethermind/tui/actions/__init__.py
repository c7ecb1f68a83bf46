"""What can be done, in one registry, and how it is done: `perform`."""

from __future__ import annotations

from importlib import import_module
from itertools import chain
from typing import TYPE_CHECKING

from textual.binding import BindingType

from aethermind.tui.actions import foot as footer
from aethermind.tui.actions import reach
from aethermind.tui.actions.bindings import bindings, widget_bindings
from aethermind.tui.actions.comfort import COMFORT
from aethermind.tui.actions.detail import DETAIL
from aethermind.tui.actions.everywhere import EVERYWHERE_ACTIONS
from aethermind.tui.actions.find import FIND
from aethermind.tui.actions.foot import Hint
from aethermind.tui.actions.looks import LOOKS
from aethermind.tui.actions.move import MOVES
from aethermind.tui.actions.out import OUT
from aethermind.tui.actions.registry import PANES, Action, Registry, Where
from aethermind.tui.actions.replaying import REPLAY
from aethermind.tui.actions.run import RUNS
from aethermind.tui.actions.screens import SCREEN_ACTIONS
from aethermind.tui.actions.view import VIEW
from aethermind.tui.attached import guarded

if TYPE_CHECKING:
    from aethermind.tui.context import Context

_ALL = chain(RUNS, DETAIL, MOVES, FIND, VIEW, OUT, SCREEN_ACTIONS, LOOKS, REPLAY, COMFORT, EVERYWHERE_ACTIONS)
REGISTRY = Registry(map(guarded, _ALL))


_OPENED = (
    "aethermind.tui.screens.detail.screen",
    "aethermind.tui.screens.help",
    "aethermind.tui.screens.palette",
    "aethermind.tui.screens.command",
    "aethermind.tui.screens.filter",
    "aethermind.tui.screens.picker",
    "aethermind.tui.screens.card",
    "aethermind.tui.screens.making",
    "aethermind.tui.screens.leave",
    "aethermind.tui.screens.mend",
    "aethermind.tui.screens.bill",
    "aethermind.tui.screens.compare",
    "aethermind.tui.screens.inbox",
    "aethermind.tui.screens.jump",
    "aethermind.tui.screens.keys",
    "aethermind.tui.screens.layers",
    "aethermind.tui.screens.replay",
    "aethermind.tui.screens.settings",
    "rich.markdown",
)


def main_bindings() -> list[BindingType]:
    """For the main screen's BINDINGS: every key of every pane."""
    return bindings(REGISTRY, *PANES)


def perform(context: Context, id: str, argument: str = "") -> bool:
    """Do it, or say why not. What takes time goes on beside the screens. Raises `KeyError` for no action."""
    return reach.perform(context, REGISTRY[id], argument)


def summon(context: Context, id: str, argument: str = "") -> bool:
    """The same for what was picked or typed, which may be meant for another screen: then it says so."""
    return reach.summon(context, REGISTRY[id], argument)


def why_not(context: Context, id: str) -> str | None:
    """Why it can't be done here and now; None: it can."""
    return reach.why_not(context, REGISTRY[id])


def warm() -> None:
    """Import what keys open, so that the first of them need not wait for it. For a thread, after the first
    paint; takes about 0.4 s of CPU.
    """
    for name in _OPENED:
        import_module(name)


def foot(context: Context, width: int) -> list[Hint]:
    """For the footer of where the focus is: what can be done now, and dim what can't (see `actions.foot`)."""
    return footer.foot(REGISTRY, context, width)


def hints(context: Context, width: int) -> list[tuple[str, str]]:
    """(key, word) of what can be done now, as much as fits into `width` cells; help and quit come last."""
    return [(hint.key, hint.word) for hint in foot(context, width) if hint.can]


def click(context: Context, key: str) -> bool:
    """Do what this key does, as keys are shown: somebody clicked on it. False if it has none here."""
    action = footer.action_of(REGISTRY, context, key)
    return action is not None and perform(context, action.id)


__all__ = [
    "REGISTRY",
    "Action",
    "Hint",
    "Registry",
    "Where",
    "bindings",
    "click",
    "foot",
    "hints",
    "main_bindings",
    "perform",
    "summon",
    "warm",
    "why_not",
    "widget_bindings",
]
