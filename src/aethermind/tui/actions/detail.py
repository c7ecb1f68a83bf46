"""On the screen of one step: its sections, its attempts and calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aethermind.tui.actions.registry import Action
from aethermind.tui.actions.target import OfStep

if TYPE_CHECKING:
    from aethermind.tui.context import Context


def _call(context: Context, delta: int) -> None:
    screen = context.app.screen
    if isinstance(screen, OfStep) and not screen.cycle_call(delta):
        context.toast("that is the last one" if delta > 0 else "that is the first one")


def _several(context: Context) -> str | None:
    screen = context.app.screen
    return None if isinstance(screen, OfStep) and screen.calls > 1 else "there is only one"


def _section(number: int) -> Action:
    def show(context: Context, argument: str) -> None:
        screen = context.app.screen
        if isinstance(screen, OfStep):
            screen.show_section(number - 1)

    return Action(
        id=f"detail.section_{number}",
        title=f"Section {number}",
        description=f"Show section {number} of the step.",
        family="To a section.",
        group="move",
        where=frozenset({"detail"}),
        keys=(str(number),),
        no_cli="it only changes what the screen shows",
        run=show,
    )


DETAIL: tuple[Action, ...] = (
    Action(
        id="detail.previous",
        title="Previous attempt or call",
        description="Show the attempt or model call before this one.",
        group="run",
        where=frozenset({"detail"}),
        keys=("[",),
        no_cli="it only changes what the screen shows",
        hint="previous",
        rank=20,
        enabled=_several,
        run=lambda context, argument: _call(context, -1),
    ),
    Action(
        id="detail.next",
        title="Next attempt or call",
        description="Show the attempt or model call after this one.",
        group="run",
        where=frozenset({"detail"}),
        keys=("]",),
        no_cli="it only changes what the screen shows",
        hint="next",
        rank=21,
        enabled=_several,
        run=lambda context, argument: _call(context, 1),
    ),
    *(_section(number) for number in range(1, 7)),
)
