"""Finding: filter, text, errors."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from aethermind.domain.views import open_questions
from aethermind.tui.actions.registry import MAIN, SCREENS, Action, Where
from aethermind.tui.actions.target import Readable, run_of
from aethermind.tui.actions.view import steps_of

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


def _next_waiting(context: Context, argument: str) -> None:
    """The step after the one under the cursor that waits for a person, round the end."""
    run = run_of(context)
    paths = [node.path for node in open_questions(run)] if run is not None else []
    if not paths:
        context.toast("no step of this run waits for you; I shows all runs")
        return
    at = context.main.selected_node_path
    context.main.select_node(paths[(paths.index(at) + 1) % len(paths) if at in paths else 0])


def _step(context: Context, argument: str) -> None:
    run = run_of(context)
    if run is None or argument not in run.nodes:
        near = get_close_matches(argument, run.nodes if run is not None else (), 1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        context.toast(f"no step {argument or '(name one)'} in this run{hint}", "warning")
    else:
        context.main.select_node(argument)


def _jump(context: Context, argument: str) -> None:
    from aethermind.tui.screens.jump import JumpScreen, targets

    found = targets(context.app.screen)
    if found:
        context.push(JumpScreen(found))
    else:
        context.toast("there is nothing on the screen to jump to", "warning")


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
        command="next",
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
        command="previous",
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
    Action(
        id="find.next_waiting",
        title="Next that waits",
        description="Go to the next step that waits for a person: a question, an approval, a doubt.",
        group="find",
        where=MAIN,
        keys=("w",),
        cli="aethermind runs --status waiting_answer",
        command="waiting",
        run=_next_waiting,
    ),
    Action(
        id="find.step",
        title="Go to a step",
        description="Put the cursor of the trace on the step of this name.",
        group="find",
        where=MAIN,
        no_key="it needs a name; f finds one by a part of it",
        no_cli="it only moves on the screen",
        command="step",
        usage="STEP",
        complete=steps_of,
        run=_step,
    ),
    Action(
        id="find.jump",
        title="Jump",
        description="Label every row on the screen; typing a label goes there.",
        group="find",
        where=MAIN | SCREENS,
        keys=("t",),
        no_cli="it only moves on the screen",
        command="jump",
        run=_jump,
    ),
)
