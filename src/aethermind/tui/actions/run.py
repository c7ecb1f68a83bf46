"""Acting on runs and steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aethermind.domain.state import FINISHED_RUN
from aethermind.tui import format as fmt
from aethermind.tui.actions import answering
from aethermind.tui.actions.again import AGAIN
from aethermind.tui.actions.mending import MEND
from aethermind.tui.actions.registry import MAIN, Action, Where
from aethermind.tui.actions.target import (
    by,
    node_of,
    run_id_of,
    run_of,
    short,
    status_of,
    step_path_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aethermind.domain.run import Run
    from aethermind.tui.context import Context

_STEP: frozenset[Where] = MAIN | {"detail"}


# --- open ----------------------------------------------------------------------------------------


def _open(context: Context, argument: str) -> None:
    from aethermind.tui.screens.detail.screen import DetailScreen

    main = context.main
    if argument:
        run_id = next((item.id for item in main.runs if item.id.startswith(argument)), None)
        if run_id is None:
            context.toast(f"no run {argument} here", "warning")
        else:
            main.open_run(run_id)
    elif main.focused_pane == "runs" and main.selected_run_id is not None:
        main.open_run(main.selected_run_id)
        main.focus_pane("trace")
    elif main.open_run_id is not None:
        call = main.selected_call if main.focused_pane == "trace" else None
        context.push(DetailScreen(context, main.open_run_id, main.selected_node_path or "", call=call))


def _can_open(context: Context) -> str | None:
    return (
        None
        if context.main.open_run_id or context.main.selected_run_id
        else "there is no run yet: r starts one"
    )


def _run_ids(context: Context) -> Iterable[str]:
    return [item.id for item in context.main.runs]


# --- start ---------------------------------------------------------------------------------------


def _start(context: Context, argument: str) -> None:
    from aethermind.tui.screens.picker import PickerScreen

    if not any(isinstance(screen, PickerScreen) for screen in context.app.screen_stack):
        context.push(PickerScreen(context, wanted=argument))


def _workflow_names(context: Context) -> Iterable[str]:
    from aethermind.tui.screens.found import workflow_names

    return workflow_names(context)


# --- cancel --------------------------------------------------------------------------------------


async def _cancel(context: Context, argument: str) -> None:
    from aethermind.tui.screens.confirm import Choice, ConfirmScreen

    run_id, path = run_id_of(context), step_path_of(context)
    if run_id is None:
        return
    node = node_of(context)
    name = short(run_id)
    choices = [Choice("r", f"cancel the run {name}", "run")]
    if path is not None and node is not None and not node.over:
        choices.insert(0, Choice("s", f"cancel the step {path} only", "step"))
        question = f"Cancel the step {path}, or the whole run {name}?"
    else:
        question = f"Cancel the run {name}?"
    answer = await context.ask(
        ConfirmScreen(
            question,
            note="What runs is stopped. What was already paid for stays recorded.",
            choices=choices,
            refuse="leave it alone",
        )
    )
    if answer is None:
        return
    step = path if answer == "step" else None
    await context.engine.ask(lambda c: c.cancel(run_id, step=step, by=by(context)))
    context.toast(f"cancelling {step or name}")


def _can_cancel(context: Context) -> str | None:
    status = status_of(context)
    if status is None:
        return "there is no run"
    return f"the run is over ({status})" if status in FINISHED_RUN else None


# --- pause, resume, retry ------------------------------------------------------------------------


async def _pause(context: Context, argument: str) -> None:
    run_id, status = run_id_of(context), status_of(context)
    if run_id is None:
        return
    if status in {"paused", "interrupted"}:
        env = await environment_of(context, run_id)
        await context.engine.ask(lambda c: c.resume(run_id, by=by(context), env=env))
        context.toast(f"{short(run_id)} goes on")
    else:
        await context.engine.ask(lambda c: c.pause(run_id, by=by(context)))
        context.toast(f"{short(run_id)} pauses: what runs may finish, p goes on")


async def environment_of(context: Context, run_id: str) -> Mapping[str, str]:
    """Values of the variables that the run takes, from here: names are recorded, values never."""
    from aethermind import bootstrap

    run = context.run(run_id)
    if run is None:
        run = await context.engine.ask(lambda c: c.run(run_id))
    return bootstrap.environment(context.composition, run.env_names)


def _can_pause(context: Context) -> str | None:
    status = status_of(context)
    if status is None:
        return "there is no run"
    if status in FINISHED_RUN:
        return f"the run is over ({status}): R retries what failed"
    return "the run is being stopped" if status == "stopping" else None


async def _retry(context: Context, argument: str) -> None:
    run_id = run_id_of(context)
    if run_id is None:
        return
    node = node_of(context)
    steps = [node.path] if node is not None and node.status in {"failed", "cancelled"} else []
    steps = [argument] if argument else steps
    env = await environment_of(context, run_id)
    await context.engine.ask(lambda c: c.retry(run_id, steps=steps, by=by(context), env=env))
    where = f"from {steps[0]}" if steps else "from what failed"
    context.toast(f"{short(run_id)} runs again {where}; what succeeded is kept")


def _failed_steps(context: Context) -> Iterable[str]:
    from aethermind.tui.rows.trace import failed_steps

    run = run_of(context)
    return [node.path for node in failed_steps(run)] if run is not None else ()


def _can_retry(context: Context) -> str | None:
    status = status_of(context)
    if status is None:
        return "there is no run"
    if status == "succeeded":
        return "the run succeeded: there is nothing to retry (r starts a new one)"
    return None if status in FINISHED_RUN else "the run is not over yet"


# --- budget --------------------------------------------------------------------------------------


async def _budget(context: Context, argument: str) -> None:
    from aethermind.tui.screens.prompt import ask_amount

    run_id, run = run_id_of(context), run_of(context)
    if run_id is None:
        return
    amount = await ask_amount(
        context,
        f"Budget of {short(run_id)} in US dollars:",
        now=run.budget_micro_usd if run is not None else None,
        hint=_least(run) or "in all, not on top",
        given=argument,
    )
    if amount is None:
        return
    await context.engine.ask(lambda c: c.raise_budget(run_id, amount, by=by(context)))
    context.toast(f"the budget of {short(run_id)} is {fmt.budget(amount)} now")


def _least(run: Run | None) -> str:
    """How much lets the first step go on that is held for the run's budget."""
    needed = [h.needed for h in run.held.values() if h.scope == "run"] if run is not None else []
    if run is None or not needed:
        return ""
    tally = run.tally
    least = (tally.cost or 0) + tally.at_most + tally.reserved + needed[0]
    cents = -(-least // 10_000)
    return f"in all; from ${cents / 100:.2f} on it goes on"


def _can_raise(context: Context) -> str | None:
    status = status_of(context)
    if status is None:
        return "there is no run"
    return f"the run is over ({status})" if status in FINISHED_RUN else None


RUNS: tuple[Action, ...] = (
    Action(
        id="run.open",
        title="Open",
        description="Look into what is under the cursor: a run, or a step with its prompt and answer.",
        group="run",
        where=MAIN,
        keys=("enter",),
        cli="aethermind show RUN",
        hint="open",
        rank=10,
        command="open",
        usage="[RUN]",
        complete=_run_ids,
        enabled=_can_open,
        run=_open,
    ),
    Action(
        id="run.start",
        title="Start a run",
        description="Pick a workflow, fill in its inputs, and run it.",
        group="run",
        where=MAIN | {"detail", "text"},
        keys=("r",),
        cli="aethermind run NAME",
        hint="run",
        rank=20,
        command="run",
        usage="[WORKFLOW]",
        complete=_workflow_names,
        run=_start,
    ),
    Action(
        id="run.cancel",
        title="Cancel",
        description="Cancel the run, or only the step under the cursor; it asks which.",
        group="run",
        where=_STEP,
        keys=("x",),
        cli="aethermind cancel RUN [--step S]",
        hint="cancel",
        rank=30,
        command="cancel",
        enabled=_can_cancel,
        run=_cancel,
    ),
    Action(
        id="run.pause",
        title="Pause, or go on",
        description="Start nothing new in this run while what runs may finish; again to go on.",
        group="run",
        where=_STEP,
        keys=("p",),
        cli="aethermind pause RUN · aethermind resume RUN",
        hint="pause",
        rank=35,
        command="pause",
        enabled=_can_pause,
        run=_pause,
    ),
    Action(
        id="run.retry",
        title="Retry what failed",
        description="Run what failed or was cancelled again: all of it, or the step under the cursor.",
        group="run",
        where=MAIN,
        keys=("R",),
        cli="aethermind retry RUN [--from STEP]",
        hint="retry",
        rank=36,
        command="retry",
        usage="[STEP]",
        complete=_failed_steps,
        enabled=_can_retry,
        run=_retry,
    ),
    *AGAIN,
    MEND,
    Action(
        id="run.answer",
        title="Answer",
        description="Answer what a step asks, or say what is to become of one that is in doubt.",
        group="run",
        where=_STEP,
        keys=("a",),
        cli="aethermind answer RUN STEP -i choice=retry",
        hint="answer",
        rank=15,
        command="answer",
        enabled=answering.can_answer,
        run=answering.answer,
    ),
    Action(
        id="run.budget",
        title="Raise the budget",
        description="Set what the run may cost in all; steps that waited for it go on.",
        group="run",
        where=_STEP,
        keys=("B",),
        cli="aethermind budget RUN USD",
        command="budget",
        usage="[USD]",
        enabled=_can_raise,
        run=_budget,
    ),
)
