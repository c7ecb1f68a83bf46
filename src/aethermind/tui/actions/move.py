"""Moving about: rows, panes, in and out."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from aethermind.domain.errors import InvalidError
from aethermind.tui.actions.registry import MAIN, PANES, SCREENS, Action, Effect, Where
from aethermind.tui.actions.target import OfStep, screen_of

if TYPE_CHECKING:
    from aethermind.tui.context import Context, Move

_READING: frozenset[Where] = SCREENS | {"detail", "list", "text"}
_IN_TIME = frozenset({"left", "right", "top", "bottom"})
"""Moves that go through time where a run is replayed, not through rows."""
_NO_CLI = "it only moves on the screen"
_MOST = 10_000
"""Lines that one command moves."""
_PANE_WORDS: dict[Where, str] = {
    "agents": "agents",
    "runs": "runs",
    "trace": "trace",
    "logs": "log",
    "cost": "cost",
}
"""What one types to go there; `logs` and `costs` do more."""


def _main_only(act: Callable[[Context], None]) -> Effect:
    def run(context: Context, argument: str) -> None:
        act(context)

    return run


_UP_DOWN = "Down and up."
_SIDE = "Left and right; in a tree fold and unfold."
_ENDS = "To the first line, and to the last to stay there."
_PAGES = "Half a page, and a page, down and up."
_PANES = "To a pane: agents, runs, trace, logs, cost."


def times(argument: str) -> int:
    """How often, as typed: `down 5`. Raises `InvalidError`."""
    if not argument:
        return 1
    if not argument.isdecimal() or not 1 <= int(argument) <= _MOST:
        raise InvalidError(f"{argument} is no number of lines", hint=f"1 to {_MOST:,}")
    return int(argument)


def _moves(how: Move) -> Effect:
    def run(context: Context, argument: str) -> None:
        for _ in range(times(argument)):
            context.main.move(how)

    return run


def _move(id: str, title: str, keys: tuple[str, ...], how: Move, widget: str, family: str) -> Action:
    """On the main screen the focused pane moves; elsewhere the focused widget has an action of that name."""
    many = how not in {"top", "bottom"}
    return Action(
        id=id,
        title=title,
        description=f"{title}.",
        group="move",
        where=(MAIN | _READING) - {"replay"} if how in _IN_TIME else MAIN | _READING,
        keys=keys,
        family=family,
        no_cli=_NO_CLI,
        command=how.replace("_", ""),
        usage="[N]" if many else "",
        widget=widget,
        run=_moves(how),
    )


def _pane(number: int, pane: Where) -> Action:
    return Action(
        id=f"pane.{pane}",
        title=f"Go to {pane}",
        description=f"Put the focus on pane {number}, {pane}.",
        group="move",
        where=MAIN,
        keys=(str(number),),
        family=_PANES,
        no_cli=_NO_CLI,
        command=_PANE_WORDS[pane],
        run=_main_only(lambda context: context.main.focus_pane(pane)),  # type: ignore[arg-type]  # one of PANES
    )


def _all_panes(context: Context, argument: str) -> None:
    if context.main.zoomed:
        context.main.zoom()
    context.main.focus_pane("trace")


def _cycle(context: Context, delta: int) -> None:
    screen = context.app.screen
    if isinstance(screen, OfStep):
        screen.cycle_section(delta)
    else:
        context.main.cycle_pane(delta)


def _back(context: Context, argument: str) -> None:
    """Out of whatever one is in: a screen, a filter, a branch of the tree."""
    screen = screen_of(context)
    if screen is not None:
        screen.leave()
    elif context.main.filter_text:
        context.main.set_filter("")
    else:
        context.main.move("parent")


MOVES: tuple[Action, ...] = (
    _move("move.down", "One line down", ("j", "down"), "down", "cursor_down", _UP_DOWN),
    _move("move.up", "One line up", ("k", "up"), "up", "cursor_up", _UP_DOWN),
    _move("move.left", "To the left, or fold", ("h", "left"), "left", "cursor_left", _SIDE),
    _move("move.right", "To the right, or unfold", ("l", "right"), "right", "cursor_right", _SIDE),
    _move("move.top", "To the first line", ("g", "home"), "top", "first", _ENDS),
    _move("move.bottom", "To the last line, and stay there", ("G", "end"), "bottom", "last", _ENDS),
    _move("move.half_down", "Half a page down", ("ctrl+d",), "half_down", "half_down", _PAGES),
    _move("move.half_up", "Half a page up", ("ctrl+u",), "half_up", "half_up", _PAGES),
    _move("move.page_down", "A page down", ("pagedown",), "page_down", "page_down", _PAGES),
    _move("move.page_up", "A page up", ("pageup",), "page_up", "page_up", _PAGES),
    Action(
        id="move.parent",
        title="To what is above",
        description="Put the cursor on the group, fan-out or run that holds this line.",
        group="move",
        where=frozenset({"trace", "agents"}),
        keys=("minus", "backspace"),
        no_cli=_NO_CLI,
        command="parent",
        run=_main_only(lambda context: context.main.move("parent")),
    ),
    Action(
        id="move.toggle",
        title="Fold or unfold",
        description="Fold or unfold what is under the cursor.",
        group="move",
        where=frozenset({"trace", "detail"}),
        keys=("space",),
        no_cli=_NO_CLI,
        command="toggle",
        widget="fold",
        run=_main_only(lambda context: context.main.toggle_fold()),
    ),
    Action(
        id="move.next_pane",
        title="Next pane",
        description="Put the focus on the next pane or section.",
        family="To the next and the previous pane or section.",
        group="move",
        where=MAIN | {"detail"},
        keys=("tab",),
        hint="pane",
        hint_in={"detail": "section"},
        rank=60,
        no_cli=_NO_CLI,
        command="nextpane",
        run=lambda context, argument: _cycle(context, 1),
    ),
    Action(
        id="move.previous_pane",
        title="Previous pane",
        description="Put the focus on the previous pane or section.",
        family="To the next and the previous pane or section.",
        group="move",
        where=MAIN | {"detail"},
        keys=("shift+tab",),
        no_cli=_NO_CLI,
        command="previouspane",
        run=lambda context, argument: _cycle(context, -1),
    ),
    Action(
        id="pane.all",
        title="All panes",
        description="Every pane in its place again, with the focus on the trace.",
        group="move",
        where=MAIN,
        keys=("0",),
        no_cli=_NO_CLI,
        command="panes",
        run=_all_panes,
    ),
    *(_pane(number, pane) for number, pane in enumerate(PANES, 1)),
    Action(
        id="move.back",
        title="Back",
        description="Leave this screen; on the main screen drop the filter, or go to what is above.",
        group="move",
        where=MAIN | _READING,
        keys=("escape",),
        no_cli=_NO_CLI,
        command="back",
        run=_back,
    ),
)
