"""On the screen of one step: its sections, its attempts and calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aethermind.domain.errors import InvalidError
from aethermind.tui.actions.registry import Action
from aethermind.tui.actions.target import OfStep

if TYPE_CHECKING:
    from aethermind.tui.context import Context


_SECTIONS = 8


def _call(context: Context, delta: int) -> None:
    screen = context.app.screen
    if isinstance(screen, OfStep) and not screen.cycle_call(delta):
        context.toast("that is the last one" if delta > 0 else "that is the first one")


def _several(context: Context) -> str | None:
    screen = context.app.screen
    return None if isinstance(screen, OfStep) and screen.calls > 1 else "there is only one"


def _to_section(context: Context, argument: str) -> None:
    screen = context.app.screen
    if not argument.isdecimal():
        raise InvalidError(f"{argument or 'nothing'} is no number of a section", hint="section 2")
    if isinstance(screen, OfStep) and not screen.show_section(int(argument) - 1):
        context.toast(f"this step has no section {argument}", "warning")


def _section(number: int) -> Action:
    def show(context: Context, argument: str) -> None:
        _to_section(context, str(number))

    return Action(
        id=f"detail.section_{number}",
        title=f"Section {number}",
        description=f"Show section {number} of the step.",
        family="To a section.",
        group="move",
        where=frozenset({"detail"}),
        keys=(str(number),),
        through=f"section {number}",
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
        command="before",
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
        command="after",
        enabled=_several,
        run=lambda context, argument: _call(context, 1),
    ),
    *(_section(number) for number in range(1, _SECTIONS + 1)),
    Action(
        id="detail.section",
        title="Go to a section",
        description="Show the section of this number.",
        family="To a section.",
        group="move",
        where=frozenset({"detail"}),
        no_key="its number is the key",
        no_cli="it only changes what the screen shows",
        command="section",
        usage="NUMBER",
        complete=lambda context: map(str, range(1, _SECTIONS + 1)),
        run=_to_section,
    ),
)
