"""Running a step again, and all that follows from it: here or in a new run, also with another prompt."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aethermind.domain.state import FINISHED_RUN
from aethermind.infra.sanitize import clean_line
from aethermind.tui.actions.registry import MAIN, Action, Where
from aethermind.tui.actions.target import (
    by,
    node_of,
    run_id_of,
    run_of,
    screen_of,
    short,
    status_of,
    step_path_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aethermind.domain.run import Run
    from aethermind.domain.workflow import WorkflowDef
    from aethermind.engine.client import Client
    from aethermind.tui.context import Context

_STEP: frozenset[Where] = MAIN | {"detail"}


# --- asking how ----------------------------------------------------------------------------------


async def again(context: Context, argument: str) -> None:
    """Ask how the step is to run again, and do it."""
    from aethermind.tui.again import forked, has_prompt, named, reopened
    from aethermind.tui.screens.confirm import Choice, ConfirmScreen

    found = await _meant(context, argument)
    if found is None:
        return
    run, path = found
    here = status_of(context) in FINISHED_RUN
    in_new = forked(run, path)
    course = reopened(run, path, context.now()) if here else in_new
    choices = [Choice("f", "in a new run: with other inputs, another model, a budget", "fork")]
    if has_prompt(run, path):
        choices.insert(0, Choice("e", f"with another prompt{'' if here else ', in a new run'}", "prompt"))
    if here:
        choices.insert(0, Choice("r", "as it is", "retry"))
    said = [
        f"runs   {named(course.runs, clean=clean_line)}",
        f"keeps  {named(course.keeps, clean=clean_line)}",
    ]
    answer = await context.ask(
        ConfirmScreen(
            f"Run {path} of {short(run.id)} again, and what follows from it?",
            note="\n".join(said),
            choices=choices,
            refuse="leave it as it is",
        )
    )
    match answer:
        case "retry":
            await _retry(context, run, path)
        case "prompt":
            await reword(context, path)
        case "fork":
            await fork(context, path)
        case _:
            return


async def _meant(context: Context, argument: str) -> tuple[Run, str] | None:
    """A copy of the run of one's own, and the step that was named or is under the cursor."""
    from aethermind.definitions.hints import did_you_mean
    from aethermind.domain.errors import NotFoundError

    run_id, path = run_id_of(context), argument.strip() or step_path_of(context)
    if run_id is None:
        return None
    if not path:
        context.toast("put the cursor of the trace on a step first", "warning")
        return None
    run = await context.engine.ask(lambda client: client.run(run_id))
    if path not in run.nodes:
        raise NotFoundError(
            f"{short(run_id)} has no step {path}",
            hint=did_you_mean(path, [name for name in run.nodes if name]),
        )
    return run, path


async def _retry(context: Context, run: Run, path: str) -> None:
    env = _environment(context, run)
    await context.engine.ask(lambda c: c.retry(run.id, steps=[path], by=by(context), env=env))
    context.toast(f"{short(run.id)} runs again from {path}; what is before it is kept")


def _environment(context: Context, run: Run) -> dict[str, str]:
    from aethermind import bootstrap

    return dict(bootstrap.environment(context.composition, run.env_names))


# --- another prompt ------------------------------------------------------------------------------


async def reword(context: Context, argument: str) -> None:
    """The prompt in the editor; then, once it was looked at and agreed to, the step runs with it."""
    from aethermind.tui import editor
    from aethermind.tui.again import STILL, Rewording
    from aethermind.tui.mending import Found, Reworded, Unchanged
    from aethermind.tui.screens.mend import MendScreen

    found = await _meant(context, argument)
    if found is None:
        return
    run, path = found
    anew = status_of(context) not in STILL
    with tempfile.TemporaryDirectory(prefix="aethermind-") as folder:
        file = Path(folder) / "prompt.md"
        wording = Rewording(run, path, file, anew=anew)

        async def edit(found: Found) -> Found:
            await editor.edit(context, file, line=found.at.line)
            return await wording.look(context)

        seen = await edit(await wording.look(context))
        if isinstance(seen, Unchanged):
            context.toast("the prompt is what it was: nothing runs")
            return
        wanted = await context.ask(MendScreen(f"The prompt of {path}", seen, edit))
    if not isinstance(wanted, Reworded):
        return
    env = _environment(context, run)
    if anew:
        await _follow(
            context, run, path, await _forked(context, run, path, env, definition=wanted.definition)
        )
        return
    await context.engine.ask(
        lambda client: client.resume_edited(
            run.id, wanted.definition, by=by(context), env=env, env_names=run.env_names
        )
    )
    context.toast(f"{short(run.id)} goes on with the new prompt of {path}; the file stays as it was")


async def _forked(
    context: Context, run: Run, path: str, env: dict[str, str], *, definition: WorkflowDef
) -> str:
    return await context.engine.ask(
        lambda c: c.fork(run.id, path, definition=definition, env=env, by=by(context))
    )


# --- a new run -----------------------------------------------------------------------------------


async def fork(context: Context, argument: str) -> None:
    """Ask for what is to be different, and start a run that takes over the rest."""
    from aethermind.tui.screens.fork import ForkScreen

    found = await _meant(context, argument)
    if found is None:
        return
    run, path = found
    wanted = await context.ask(ForkScreen(run, path))
    if wanted is None:
        return
    env = _environment(context, run)
    start = partial(
        _start,
        run=run,
        path=path,
        inputs=wanted.inputs,
        model=wanted.model,
        budget=wanted.budget,
        env=env,
        who=by(context),
    )
    await _follow(context, run, path, await context.engine.ask(start))


async def _start(
    client: Client,
    *,
    run: Run,
    path: str,
    inputs: dict[str, Any],
    model: str | None,
    budget: int | None,
    env: dict[str, str],
    who: str,
) -> str:
    return await client.fork(
        run.id, path, inputs=inputs, model=model, budget_micro_usd=budget, env=env, by=who
    )


async def _follow(context: Context, run: Run, path: str, new: str) -> None:
    """Show the new run; where a step was shown, that step of it."""
    from aethermind.tui.screens.detail.screen import DetailScreen

    place = screen_of(context)
    if place is not None and place.where == "detail":
        place.leave()
        context.push(DetailScreen(context, new, path))
    context.main.open_run(new)
    context.toast(f"{short(new)} runs: a fork of {short(run.id)} at {path}")


# --- the actions ---------------------------------------------------------------------------------


def can_again(context: Context) -> str | None:
    if status_of(context) is None:
        return "there is no run"
    if status_of(context) == "queued":
        return "the run has not begun"
    return None


def can_reword(context: Context) -> str | None:
    node = node_of(context)
    if node is not None and node.step.kind != "prompt":
        return f"{node.path} has no prompt: it is a {node.step.kind} step"
    return can_again(context)


def _prompts(context: Context) -> Iterable[str]:
    run = run_of(context)
    nodes = run.walk() if run is not None else ()
    return [node.path for node in nodes if node.parent is not None and node.step.kind == "prompt"]


def _steps(context: Context) -> Iterable[str]:
    run = run_of(context)
    return [node.path for node in run.walk() if node.parent is not None] if run is not None else []


_TITLE = "Run a step again"
_ABOUT = "Run this step again, and what follows: as it is, with another prompt, or in a new run; it asks how."

AGAIN: tuple[Action, ...] = (
    Action(
        id="run.again",
        title=_TITLE,
        description=_ABOUT,
        group="run",
        where=_STEP,
        keys=("b",),
        cli="aethermind retry RUN --from STEP",
        command="again",
        usage="[STEP]",
        complete=_steps,
        enabled=can_again,
        run=again,
    ),
    Action(
        id="detail.again",
        title="Run this step again",
        description=_ABOUT,
        group="run",
        where=frozenset({"detail"}),
        keys=("R",),
        cli="aethermind retry RUN --from STEP",
        hint="again",
        rank=36,
        command="rerun",
        enabled=can_again,
        run=again,
    ),
    Action(
        id="run.reword",
        title="Run a step again with another prompt",
        description="Edit the step's prompt; the step and what follows from it run, the file stays as it is.",
        group="run",
        where=_STEP,
        no_key="b asks, and has it",
        cli="aethermind resume RUN --edited",
        command="prompt",
        usage="[STEP]",
        complete=_prompts,
        enabled=can_reword,
        run=reword,
    ),
    Action(
        id="run.fork",
        title="Fork at a step",
        description="A new run that takes over what is before the step, at no cost, and runs the rest.",
        group="run",
        where=_STEP,
        no_key="b asks, and has it",
        cli="aethermind fork RUN --at STEP",
        command="fork",
        usage="[STEP]",
        complete=_steps,
        enabled=can_again,
        run=fork,
    ),
)
