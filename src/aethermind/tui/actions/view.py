"""What the screen shows, and how."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from aethermind.tui.actions.registry import MAIN, WHOLE, Action, Where
from aethermind.tui.actions.target import OfStep, Readable, run_of
from aethermind.tui.rows.ring import LEVELS

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable

    from aethermind.tui.context import Context

_HERE = "it only changes what the screen shows"
_LOGS: frozenset[Where] = frozenset({"logs"})
_MANY = 2_000
"""Steps that are offered as one types."""


def _redraw(context: Context, argument: str) -> None:
    context.app.outlet.redraw()


def _zoom(context: Context, argument: str) -> None:
    context.main.zoom()


def _unfold_all(context: Context, argument: str) -> None:
    _fold(context, unfold=True)


def _fold_all(context: Context, argument: str) -> None:
    _fold(context, unfold=False)


def _fold(context: Context, *, unfold: bool) -> None:
    screen = context.app.screen
    if isinstance(screen, OfStep):
        screen.unfold(everything=unfold)
    elif unfold:
        context.main.expand_all()
    else:
        context.main.collapse_all()


def _critical(context: Context, argument: str) -> None:
    context.toast("the critical path alone" if context.main.critical_only() else "all steps again")


def _follow(context: Context, argument: str) -> None:
    context.toast("following the logs" if context.main.toggle_follow() else "the logs stay where they are")


def _level(context: Context, argument: str) -> None:
    if argument and argument not in LEVELS:
        context.toast(f"a level is {', '.join(LEVELS)}", "warning")
        return
    for _ in LEVELS if argument else ():
        if context.main.cycle_level() == argument:
            context.toast(f"logs from {argument} up")
            return
    context.toast(f"logs from {context.main.cycle_level()} up")


def _logs(context: Context, argument: str) -> None:
    """The logs fill the screen, or leave it again."""
    main = context.main
    if main.zoomed and main.focused_pane == "logs":
        main.zoom()
        return
    main.focus_pane("logs")
    if not main.zoomed:
        main.zoom()
    if argument:
        main.set_filter(argument)


def _agents(context: Context) -> Iterable[str]:
    run = run_of(context)
    return sorted(run.agents) if run is not None else ()


def _only_agent(context: Context, argument: str) -> None:
    """Logs of the agent that is named, else of the next one; after the last, of all."""
    names = ["", *_agents(context)]
    at = context.main.logs_of() or ""
    if argument and argument not in {*names, "all"}:
        context.toast(f"no agent {argument} in this run", "warning")
        return
    wanted = argument or names[(names.index(at) + 1) % len(names) if at in names else 0]
    wanted = "" if wanted == "all" else wanted
    context.main.logs_of(agent=wanted)
    context.toast(f"logs of {wanted} alone" if wanted else "logs of all agents")


def steps_of(context: Context) -> Iterable[str]:
    run = run_of(context)
    return list(run.nodes)[:_MANY] if run is not None else ()


def _only_selected(context: Context, argument: str) -> None:
    if argument:
        step = "" if argument == "all" else argument
        context.main.logs_of(step=step)
        context.toast(f"logs of {step} alone" if step else "logs of all steps")
        return
    alone = context.main.logs_of_selected()
    context.toast("logs of the selected step alone" if alone else "logs of all steps")


def _costs(context: Context, argument: str) -> None:
    context.main.focus_pane("cost")


def _wrap(context: Context, argument: str) -> None:
    screen = context.app.screen
    if isinstance(screen, Readable):
        context.toast("long lines are wrapped" if screen.toggle_wrap() else "long lines run on: h l")


def _theme(context: Context, argument: str) -> Coroutine[Any, Any, None] | None:
    from aethermind.tui import appearance
    from aethermind.tui.screens.themes import ThemeScreen

    if not argument:
        context.push(ThemeScreen(context))
        return None
    if argument not in context.app.available_themes:
        near = get_close_matches(argument, context.app.available_themes, 1)
        context.toast(f"no theme {argument}" + (f" (did you mean {near[0]}?)" if near else ""), "warning")
        return None
    return appearance.keep_theme(context, argument)


def _theme_names(context: Context) -> Iterable[str]:
    return [name for name in context.app.available_themes if not name.startswith("textual-")]


def _no_run(context: Context) -> str | None:
    return None if context.main.open_run_id else "there is no run"


VIEW: tuple[Action, ...] = (
    Action(
        id="view.zoom",
        title="Zoom",
        description="Let the focused pane fill the screen, or put it back.",
        group="view",
        where=MAIN,
        keys=("z",),
        no_cli=_HERE,
        hint="zoom",
        rank=70,
        command="zoom",
        run=_zoom,
    ),
    Action(
        id="view.unfold_all",
        title="Unfold all",
        description="Show every step below every group, and every part of a value.",
        group="view",
        where=frozenset({"trace", "detail"}),
        keys=("+",),
        no_cli=_HERE,
        command="unfold",
        run=_unfold_all,
    ),
    Action(
        id="view.fold_all",
        title="Fold all",
        description="Fold groups and fan-outs into one line each.",
        group="view",
        where=frozenset({"trace", "detail"}),
        keys=("_",),
        no_cli=_HERE,
        command="fold",
        run=_fold_all,
    ),
    Action(
        id="view.critical",
        title="Critical path",
        description="Show only the steps that decide how long the run takes (★), or all again.",
        group="view",
        where=frozenset({"trace"}),
        keys=("c",),
        no_cli=_HERE,
        command="critical",
        enabled=_no_run,
        run=_critical,
    ),
    Action(
        id="view.follow",
        title="Follow the logs",
        description="Keep the logs at their end, or leave them where they are.",
        group="view",
        where=_LOGS,
        keys=("F",),
        cli="aethermind logs RUN -f",
        hint_in={"logs": "follow"},
        rank=14,
        command="follow",
        run=_follow,
    ),
    Action(
        id="view.level",
        title="Level of the logs",
        description="Show logs from the next level up: debug, info, warning, error.",
        group="view",
        where=_LOGS,
        keys=("L",),
        cli="aethermind logs RUN --level LEVEL",
        hint_in={"logs": "level"},
        rank=11,
        command="level",
        usage="[LEVEL]",
        complete=lambda context: LEVELS,
        run=_level,
    ),
    Action(
        id="view.only_selected",
        title="Logs of this step",
        description="Show only what the selected step logged, or everything again.",
        group="view",
        where=frozenset({"logs", "trace"}),
        keys=("o",),
        cli="aethermind logs RUN --step STEP",
        hint_in={"logs": "step"},
        rank=13,
        command="only",
        usage="[STEP]",
        complete=steps_of,
        run=_only_selected,
    ),
    Action(
        id="view.agent",
        title="Logs of one agent",
        description="Show only what one agent logged: the next one, and after the last all again.",
        group="view",
        where=_LOGS,
        keys=("A",),
        cli="aethermind logs RUN --agent AGENT",
        hint_in={"logs": "agent"},
        rank=12,
        command="agent",
        usage="[AGENT]",
        complete=_agents,
        enabled=_no_run,
        run=_only_agent,
    ),
    Action(
        id="view.logs",
        title="Logs on the whole screen",
        description="Let the logs fill the screen; L, A, o and / choose which. Again to go back.",
        group="view",
        where=MAIN,
        keys=("O",),
        cli="aethermind logs RUN",
        command="logs",
        usage="[TEXT]",
        enabled=_no_run,
        run=_logs,
    ),
    Action(
        id="view.costs",
        title="Costs",
        description="Go to what this run has cost, by model and agent.",
        group="view",
        where=MAIN,
        keys=("$",),
        cli="aethermind costs",
        command="costs",
        run=_costs,
    ),
    Action(
        id="view.wrap",
        title="Wrap long lines",
        description="Wrap long lines, or let them run on to the right.",
        group="view",
        where=frozenset({"detail", "text"}),
        keys=("w",),
        no_cli=_HERE,
        command="wrap",
        run=_wrap,
    ),
    Action(
        id="view.theme",
        title="Theme",
        description="Choose colours, and keep them; the screen shows each as the cursor passes.",
        group="view",
        where=WHOLE,
        keys=("T",),
        no_cli="set theme under [tui] in the config",
        command="theme",
        usage="[NAME]",
        complete=_theme_names,
        run=_theme,
    ),
    Action(
        id="view.redraw",
        title="Draw again",
        description="Draw the whole screen again, after something else has written over it.",
        group="view",
        where=WHOLE,
        keys=("ctrl+l",),
        no_cli=_HERE,
        command="redraw",
        run=_redraw,
    ),
)
