"""What can be done, in one registry, and how it is done: `perform`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from textual.binding import BindingType

from aethermind.domain.errors import AethermindError
from aethermind.tui.actions.bindings import bindings, widget_bindings
from aethermind.tui.actions.detail import DETAIL
from aethermind.tui.actions.everywhere import EVERYWHERE_ACTIONS
from aethermind.tui.actions.find import FIND
from aethermind.tui.actions.looks import LOOKS
from aethermind.tui.actions.move import MOVES
from aethermind.tui.actions.out import OUT
from aethermind.tui.actions.registry import PANES, Action, Registry, Where
from aethermind.tui.actions.replaying import REPLAY
from aethermind.tui.actions.run import RUNS
from aethermind.tui.actions.screens import SCREEN_ACTIONS
from aethermind.tui.actions.target import place_of
from aethermind.tui.actions.view import VIEW

if TYPE_CHECKING:
    from aethermind.tui.context import Context

REGISTRY = Registry(
    (*RUNS, *DETAIL, *MOVES, *FIND, *VIEW, *OUT, *SCREEN_ACTIONS, *LOOKS, *REPLAY, *EVERYWHERE_ACTIONS)
)


_OPENED = (
    "aethermind.tui.screens.detail.screen",
    "aethermind.tui.screens.help",
    "aethermind.tui.screens.palette",
    "aethermind.tui.screens.command",
    "aethermind.tui.screens.filter",
    "aethermind.tui.screens.picker",
    "aethermind.tui.screens.card",
    "aethermind.tui.screens.leave",
    "aethermind.tui.screens.mend",
    "aethermind.tui.screens.bill",
    "aethermind.tui.screens.compare",
    "aethermind.tui.screens.inbox",
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
    action = REGISTRY[id]
    why = action.enabled(context)
    if why is not None:
        context.toast(f"{action.title}: {why}", "warning")
        return False
    try:
        work = action.run(context, argument)
    except AethermindError as error:
        context.toast(error.line(), "error")
        return False
    if work is not None:
        _ = context.spawn(work)
    return True


def warm() -> None:
    """Import what keys open, so that the first of them need not wait for it. For a thread, after the first
    paint; takes about 0.4 s of CPU.
    """
    for name in _OPENED:
        import_module(name)


def hints(context: Context, width: int) -> list[tuple[str, str]]:
    """(key, word) for the footer of where the focus is: what can be done now, as much as fits into `width`
    cells; help and quit come last and always.
    """
    keymap = context.keymap
    place = place_of(context)
    here = [a for a in REGISTRY.at(place) if a.hint and a.enabled(context) is None]
    pairs = [
        (
            keymap.shown(a, limit=1, ascii=context.glyphs.ascii) if keymap else (a.keys or ("",))[0],
            a.hint_in.get(place, a.hint),
        )
        for a in sorted(here, key=lambda a: a.rank)
    ]
    pairs = [pair for pair in pairs if pair[0]]
    last = [pair for pair in pairs if pair[1] in {"help", "quit"}]
    room = width - _cells(last)
    found: list[tuple[str, str]] = []
    for pair in pairs:
        if pair in last:
            continue
        room -= _cells([pair])
        if room < 0:
            break
        found.append(pair)
    return found + last


def _cells(pairs: list[tuple[str, str]]) -> int:
    return sum(len(key) + len(word) + 3 for key, word in pairs)


__all__ = [
    "REGISTRY",
    "Action",
    "Registry",
    "Where",
    "bindings",
    "hints",
    "main_bindings",
    "perform",
    "warm",
    "widget_bindings",
]
