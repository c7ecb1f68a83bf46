"""The footer's hints, and what a click on one of them does."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from aethermind.tui.actions.reach import here
from aethermind.tui.actions.target import place_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aethermind.tui.actions.registry import Action, Registry, Where
    from aethermind.tui.context import Context

_LAST = frozenset({"help", "quit"})


class Hint(NamedTuple):
    """A key of the footer."""

    key: str
    word: str
    can: bool = True
    """False: shown dim; trying it says why."""


def foot(registry: Registry, context: Context, width: int) -> list[Hint]:
    """For the footer of where the focus is, as much as fits into `width` cells. What can be done now comes
    before what can't, which gets the room that is left; help and quit come last and always.
    """
    place = place_of(context)
    actions = sorted((a for a in registry.at(place) if a.hint or place in a.hint_in), key=lambda a: a.rank)
    found = [hint for action in actions if (hint := _hint(context, action, place)).key]
    last = [hint for hint in found if hint.word in _LAST]
    room = width - _cells(last)
    kept: set[Hint] = set()
    for able in (True, False):
        for hint in found:
            if hint in last or hint.can is not able:
                continue
            if _cells([hint]) > room:
                if able:
                    room = 0
                break
            room -= _cells([hint])
            kept.add(hint)
    return [hint for hint in found if hint in kept] + last


def _hint(context: Context, action: Action, place: Where) -> Hint:
    keymap = context.keymap
    key = (
        keymap.shown(action, limit=1, ascii=context.glyphs.ascii)
        if keymap is not None
        else (action.keys or ("",))[0]
    )
    return Hint(key, action.hint_in.get(place, action.hint), action.enabled(context) is None)


def _cells(hints: Iterable[Hint]) -> int:
    return sum(len(hint.key) + len(hint.word) + 3 for hint in hints)


def action_of(registry: Registry, context: Context, key: str) -> Action | None:
    """The action that has this key, as keys are shown, where the focus is."""
    keymap, place = context.keymap, place_of(context)
    if keymap is None:
        return None
    plain = context.glyphs.ascii
    for action in registry:
        if here(action, place) and key in keymap.shown(action, limit=9, ascii=plain).split(" "):
            return action
    return None
