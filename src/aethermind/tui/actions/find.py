"""Finding: filter, text, errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aethermind.tui.actions.registry import MAIN, SCREENS, Action, Where
from aethermind.tui.actions.target import Readable

if TYPE_CHECKING:
    from aethermind.tui.context import Context

_TEXTS: frozenset[Where] = SCREENS | {"detail", "text"}


def _filter(context: Context, argument: str) -> None:
    from aethermind.tui.screens.filter import FilterScreen

    if isinstance(context.app.screen, Readable):
        _find(context, argument)
    elif argument:
        context.main.set_filter(argument)
    else:
        context.push(FilterScreen(context))


def _find(context: Context, argument: str) -> None:
    from aethermind.tui.screens.filter import FindScreen

    if not argument:
        context.push(FindScreen(context))
        return
    screen = context.app.screen
    found = screen.find(argument) if isinstance(screen, Readable) else context.main.find(argument)
    if not found:
        context.toast(f"nothing found: {argument}", "warning")


def _again(context: Context, delta: int) -> None:
    screen = context.app.screen
    found = screen.find_next(delta) if isinstance(screen, Readable) else context.main.find_next(delta)
    if not found:
        context.toast("nothing found: f seeks a text", "warning")


def _next(context: Context, argument: str) -> None:
    _again(context, 1)


def _previous(context: Context, argument: str) -> None:
    _again(context, -1)


def _next_error(context: Context, argument: str) -> None:
    if not context.main.next_error():
        context.toast("no error here")


def _clear(context: Context, argument: str) -> None:
    context.main.set_filter("")


FIND: tuple[Action, ...] = (
    Action(
        id="find.filter",
        title="Filter this pane",
        description="Show only the lines that contain a text, while you type; in a text, find it.",
        group="find",
        where=MAIN | _TEXTS,
        keys=("/",),
        no_cli="it only changes what the screen shows (aethermind logs has --level and --step)",
        hint="filter",
        hint_in={"detail": "find", "text": "find"},
        rank=40,
        command="filter",
        usage="[TEXT]",
        run=_filter,
    ),
    Action(
        id="find.clear",
        title="Drop the filter",
        description="Show all lines of this pane again.",
        group="find",
        where=MAIN,
        no_key="esc does it",
        no_cli="it only changes what the screen shows",
        command="clear",
        enabled=lambda context: None if context.main.filter_text else "this pane has no filter",
        run=_clear,
    ),
    Action(
        id="find.find",
        title="Find a text",
        description="Go to the next line that contains a text.",
        group="find",
        where=MAIN | _TEXTS,
        keys=("f",),
        no_cli="it only moves on the screen",
        command="find",
        usage="[TEXT]",
        run=_find,
    ),
    Action(
        id="find.next",
        title="Next match",
        description="Go to the next line that contains what was sought last.",
        family="To the next and the previous match.",
        group="find",
        where=MAIN | _TEXTS,
        keys=("n",),
        no_cli="it only moves on the screen",
        run=_next,
    ),
    Action(
        id="find.previous",
        title="Previous match",
        description="Go to the previous line that contains what was sought last.",
        family="To the next and the previous match.",
        group="find",
        where=MAIN | _TEXTS,
        keys=("N",),
        no_cli="it only moves on the screen",
        run=_previous,
    ),
    Action(
        id="find.next_error",
        title="Next error",
        description="Go to the next failed step, or in the logs to the next error.",
        group="find",
        where=MAIN,
        keys=("E",),
        cli="aethermind logs RUN --level error",
        command="error",
        run=_next_error,
    ),
)
