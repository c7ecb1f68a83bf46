"""Screens that fill the terminal: how they are opened, and what can be done on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aethermind.tui.actions.registry import SCREENS, WHOLE, Action, Where
from aethermind.tui.actions.target import Choosing

if TYPE_CHECKING:
    from aethermind.tui.context import Context
    from aethermind.tui.screens.listing import Listing


def _but(place: Where) -> frozenset[Where]:
    """Everywhere but on the screen itself."""
    return WHOLE - frozenset({place})


def _choose(context: Context, argument: str) -> None:
    screen = context.app.screen
    if isinstance(screen, Choosing):
        screen.choose()


def _inbox(context: Context, argument: str) -> None:
    from aethermind.tui.screens.inbox import InboxScreen

    _open(context, InboxScreen(context))


def _inbox_run(context: Context, argument: str) -> None:
    from aethermind.tui.screens.inbox import InboxScreen

    screen = context.app.screen
    if isinstance(screen, InboxScreen):
        screen.open_run()


def _inbox_empty(context: Context) -> str | None:
    from aethermind.tui.screens.inbox import InboxScreen

    screen = context.app.screen
    return None if isinstance(screen, InboxScreen) and screen.rows else "nothing waits for you"


def _open(context: Context, screen: Listing) -> None:
    """One of a kind: the one that is there already comes off first."""
    if type(context.app.screen) is type(screen):
        _ = context.app.pop_screen()  # comes off in its own time
    context.push(screen)


SCREEN_ACTIONS: tuple[Action, ...] = (
    Action(
        id="screen.choose",
        title="Do it",
        description="Open, decide or change what is under the cursor.",
        group="view",
        where=SCREENS - {"replay"},
        keys=("enter",),
        no_cli="what it does depends on the row",
        hint="open",
        hint_in={"inbox": "decide", "settings": "change"},
        rank=10,
        run=_choose,
    ),
    Action(
        id="screen.inbox",
        title="Inbox",
        description="All that waits for you, over all runs: questions, approvals, budgets, what is in doubt.",
        group="run",
        where=_but("inbox"),
        keys=("I",),
        cli="aethermind runs --status waiting_answer",
        command="inbox",
        run=_inbox,
    ),
    Action(
        id="inbox.run",
        title="Go to the run",
        description="Leave for the run that asks.",
        group="run",
        where=frozenset({"inbox"}),
        keys=("o",),
        cli="aethermind show RUN",
        hint="go to the run",
        rank=20,
        enabled=_inbox_empty,
        run=_inbox_run,
    ),
)
