"""Room for the panes, the first screen, a workflow of one's own, and running again what was saved."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from aethermind.tui.actions.mending import is_file, source_of
from aethermind.tui.actions.registry import MAIN, WHOLE, Action
from aethermind.tui.actions.target import run_id_of, run_of, screen_of
from aethermind.tui.layout import Layout

if TYPE_CHECKING:
    from aethermind.tui.actions.registry import Effect, Enabled
    from aethermind.tui.context import Context
    from aethermind.tui.layout import Edge

_HERE = "it only changes what the screen shows"


# --- room ----------------------------------------------------------------------------------------


def _layout(context: Context) -> Layout | None:
    found = getattr(context.main, "layout_sizes", None)
    return found if isinstance(found, Layout) else None


def _mover(edge: Edge, by: int) -> Effect:
    def run(context: Context, argument: str) -> None:
        if (layout := _layout(context)) is not None:
            layout.move(edge, by)

    return run


def _movable(edge: Edge) -> Enabled:
    def why(context: Context) -> str | None:
        layout = _layout(context)
        return layout.fixed(edge) if layout is not None else "there are no panes"

    return why


def _reset(context: Context, argument: str) -> None:
    if (layout := _layout(context)) is not None:
        layout.reset()
        context.toast("the panes have their own sizes again")


# --- the first screen ----------------------------------------------------------------------------


def _welcome(context: Context, argument: str) -> None:
    from aethermind.tui.screens.welcome import WelcomeScreen

    context.push(WelcomeScreen(context))


# --- a workflow of one's own ---------------------------------------------------------------------


async def _new(context: Context, argument: str) -> None:
    """`new NAME` copies the workflow of the run at hand; without a name it asks what to begin with."""
    from aethermind.tui import editor
    from aethermind.tui.screens.found import new_workflow
    from aethermind.tui.screens.making import MakingScreen, free_name
    from aethermind.tui.screens.picker import PickerScreen

    run = run_of(context)
    source = Path(run.created.source) if run is not None and run.created.source else None
    if source is not None and not is_file(str(source)):
        source = None
    name = argument
    if not name:
        chosen = await context.ask(MakingScreen(context, source))
        if chosen is None:
            return
        source = chosen.path
        name = free_name(source)
    path = await asyncio.to_thread(new_workflow, name, source)
    await editor.edit(context, path)
    context.push(PickerScreen(context, wanted=str(path), then=partial(_own, context)))


async def _own(context: Context, run_id: str) -> None:
    """One's own workflow was started: from here on saving it runs what changed, where that costs nothing."""
    run = await context.engine.ask(lambda client: client.run(run_id))
    if (screen := screen_of(context)) is not None:
        screen.leave()  # it is about another run
    if run.created.simulated:
        await _begin(context, run_id)


# --- running what was saved ----------------------------------------------------------------------


async def _watch(context: Context, argument: str) -> None:
    from aethermind.tui.saving import stop

    run_id = run_id_of(context)
    watched = context.app.comfort.watching
    if watched is not None and run_id == watched.run_id:
        stop(context)
        context.toast(f"{watched.name} is no longer watched")
    elif run_id is not None:
        await _begin(context, run_id)


async def _begin(context: Context, run_id: str) -> None:
    from aethermind.tui.saving import watch

    watching = await watch(context, run_id)
    run = await context.engine.ask(lambda client: client.run(run_id))
    cost = "" if run.created.simulated else " on its models, at their price"
    key = context.app.key_of("run.watch")
    context.toast(f"watching {watching.name}: saving it runs what changed{cost}; {key} stops that")


def _can_watch(context: Context) -> str | None:
    if run_id_of(context) is None:
        return "there is no run"
    source = source_of(context)
    if source is None or not is_file(source):
        return "this run was not started from a file that is still there"
    return None


COMFORT: tuple[Action, ...] = (
    Action(
        id="run.new",
        title="Make a workflow of your own",
        description="A new file in your editor: a copy of this run's workflow, of a sample, or a small one.",
        group="run",
        where=MAIN | {"detail"},
        keys=("i",),
        cli="aethermind new NAME --from SAMPLE",
        command="new",
        usage="[NAME]",
        run=_new,
    ),
    Action(
        id="run.watch",
        title="Run what is saved",
        description="Watch this run's file: each save runs what it changed, and what follows. Again to stop.",
        group="run",
        where=MAIN | {"detail"},
        keys=("W",),
        cli="aethermind run FILE --watch",
        command="watch",
        enabled=_can_watch,
        run=_watch,
    ),
    Action(
        id="view.side_wider",
        title="Wider at the side",
        description="Give agents and runs more room.",
        family="Room of agents and runs.",
        group="view",
        where=MAIN,
        keys=(">",),
        no_cli=_HERE,
        command="wider",
        enabled=_movable("side"),
        run=_mover("side", 1),
    ),
    Action(
        id="view.side_narrower",
        title="Narrower at the side",
        description="Give the trace more room.",
        family="Room of agents and runs.",
        group="view",
        where=MAIN,
        keys=("<",),
        no_cli=_HERE,
        command="narrower",
        enabled=_movable("side"),
        run=_mover("side", -1),
    ),
    Action(
        id="view.logs_higher",
        title="Higher logs",
        description="Give the logs more lines.",
        family="Room of the logs.",
        group="view",
        where=MAIN,
        keys=("}",),
        no_cli=_HERE,
        command="higher",
        enabled=_movable("logs"),
        run=_mover("logs", 1),
    ),
    Action(
        id="view.logs_lower",
        title="Lower logs",
        description="Give the logs fewer lines.",
        family="Room of the logs.",
        group="view",
        where=MAIN,
        keys=("{",),
        no_cli=_HERE,
        command="lower",
        enabled=_movable("logs"),
        run=_mover("logs", -1),
    ),
    Action(
        id="view.sizes",
        title="Sizes of the panes as they were",
        description="Forget how the edges between the panes were moved.",
        group="view",
        where=MAIN,
        keys=("=",),
        no_cli=_HERE,
        command="sizes",
        run=_reset,
    ),
    Action(
        id="screen.welcome",
        title="The first screen",
        description="What a new user sees: which models there are and why, what sim means, where to begin.",
        group="global",
        where=WHOLE,
        no_key="it comes up by itself the first time",
        cli="aethermind doctor",
        command="welcome",
        run=_welcome,
    ),
)
