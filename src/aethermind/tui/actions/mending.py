"""A run that failed, mended by editing its file: what is done stays done, the rest runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from aethermind.domain.state import FINISHED_RUN
from aethermind.tui.actions.registry import MAIN, Action
from aethermind.tui.actions.target import by, run_id_of, run_of, short, status_of

if TYPE_CHECKING:
    from aethermind.domain.run import Run
    from aethermind.tui.context import Context
    from aethermind.tui.mending import Found, Ready

_STILL = FINISHED_RUN | {"interrupted", "parked"}
"""Nobody drives runs of these statuses, so their definition may be another."""


async def mend(context: Context, argument: str) -> None:
    from aethermind.tui import editor
    from aethermind.tui.mending import Ready, Unchanged, look
    from aethermind.tui.screens.mend import MendScreen

    run_id = run_id_of(context)
    if run_id is None:
        return
    run = await context.engine.ask(lambda client: client.run(run_id))
    name = Path(run.created.source or "").name

    async def again(found: Found) -> Found:
        await editor.edit(context, found.at.file, line=found.at.line)
        return await look(context, run)

    found = await look(context, run)
    if isinstance(found, Unchanged):
        found = await again(found)
    if isinstance(found, Unchanged):
        context.toast(f"nothing in {name} has changed: the run stays as it is")
        return
    wanted = await context.ask(MendScreen(name, found, again))
    if isinstance(wanted, Ready):
        await _go_on(context, run, wanted)


async def _go_on(context: Context, run: Run, found: Ready) -> None:
    from aethermind import bootstrap
    from aethermind.tui.screens.trusting import trusted

    loaded = found.loaded
    if not await trusted(context, loaded):
        context.toast("not trusted: the run stays as it is", "warning")
        return
    names = tuple(dict.fromkeys((*run.env_names, *loaded.env_names)))
    env = bootstrap.environment(context.composition, names)
    await context.engine.ask(
        lambda client: client.resume_edited(
            run.id,
            loaded.definition,
            by=by(context),
            env=env,
            source_hash=loaded.content_hash or None,
            env_names=loaded.env_names,
        )
    )
    if context.main.open_run_id != run.id:
        context.main.open_run(run.id)
    kept = len(found.stays)
    steps = f"{kept} step{'s' if kept != 1 else ''}"
    context.toast(f"{short(run.id)} goes on with the edited file; {steps} kept")


def source_of(context: Context) -> str | None:
    """The file that the run was made from."""
    run = run_of(context)
    if run is not None:
        return run.created.source
    run_id = run_id_of(context)
    return next((item.source for item in context.main.runs if item.id == run_id), None)


def can_mend(context: Context) -> str | None:
    status = status_of(context)
    if status is None:
        return "there is no run"
    if status not in _STILL:
        return f"the run is {status.replace('_', ' ')}: let it end, or x cancels it"
    source = source_of(context)
    if source is None or not is_file(source):
        return "this run was not started from a file that is still there"
    return None


def is_file(name: str) -> bool:
    try:
        return Path(name).is_file()
    except OSError:
        return False  # no name that a file could have


MEND = Action(
    id="run.mend",
    title="Mend the file, and go on",
    description="Edit the file at the step that failed; what changed and what follows runs.",
    group="run",
    where=MAIN | {"detail"},
    keys=("M",),
    cli="aethermind resume RUN --edited",
    hint="mend",
    rank=64,
    command="mend",
    enabled=can_mend,
    run=mend,
)
