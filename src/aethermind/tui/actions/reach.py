"""Doing an action that was picked from the palette or typed, wherever one is.

A key is only bound where its action means something; what is picked or typed may be meant for another place,
and is then refused with that place's name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from aethermind.domain.errors import AethermindError
from aethermind.tui.actions.move import times
from aethermind.tui.actions.registry import MAIN, PANES, Action, Where
from aethermind.tui.actions.target import place_of

if TYPE_CHECKING:
    from aethermind.tui.context import Context

TITLES: dict[Where, str] = {
    "agents": "agents",
    "runs": "runs",
    "trace": "trace",
    "logs": "logs",
    "cost": "costs",
    "inbox": "what waits for you",
    "bill": "what was spent",
    "diff": "two runs compared",
    "layers": "the steps by layers",
    "replay": "a replay",
    "settings": "settings",
    "detail": "a step",
    "list": "a list",
    "form": "a form",
    "text": "a text",
}
"""Places as they are called."""


def here(action: Action, place: Where) -> bool:
    """Whether it means something there. The panes of the main screen share their keys: all of them count."""
    return place in action.where or (place in MAIN and bool(action.where & MAIN))


def why_not(context: Context, action: Action) -> str | None:
    """Why it can't be done here and now; None: it can."""
    if here(action, place_of(context)):
        return action.enabled(context)
    if action.where & MAIN:
        return "that is for the main screen"
    return f"that is for the screen of {next(TITLES[place] for place in TITLES if place in action.where)}"


def perform(context: Context, action: Action, argument: str = "") -> bool:
    """Do it, or say why not. What takes time goes on beside the screens."""
    return _done(context, action, action.enabled(context), lambda: action.run(context, argument))


def summon(context: Context, action: Action, argument: str = "") -> bool:
    """The same for what was picked or typed: also why it is not for this place."""
    place = place_of(context)
    if action.widget and place not in PANES and here(action, place):
        return _done(context, action, None, lambda: _by_widget(context, action, argument))
    return _done(context, action, why_not(context, action), lambda: action.run(context, argument))


def _done(context: Context, action: Action, why: str | None, act: Callable[[], object]) -> bool:
    if why is not None:
        context.toast(f"{action.title}: {why}", "warning")
        return False
    try:
        work = act()
    except AethermindError as error:
        context.toast(error.line(), "error")
        return False
    if work is not None:
        _ = context.spawn(work)  # type: ignore[arg-type]  # what effects give is None or this
    return True


def _by_widget(context: Context, action: Action, argument: str) -> None:
    """Off the main screen it is the focused widget that moves."""
    move = getattr(context.app.screen.focused, f"action_{action.widget}", None)
    if move is None:
        context.toast(f"{action.title}: nothing here moves", "warning")
        return
    for _ in range(times(argument)):
        cast("Callable[[], object]", move)()
