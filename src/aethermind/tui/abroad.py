"""Starting a run on another machine's engine: the workflows that it knows, in its directory.

The files here are of no use there: what is offered is what the engine has registered, its user's files and
the samples.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from aethermind.domain.events import Submitter
from aethermind.engine.client import RunRequest
from aethermind.tui.screens.found import Found

if TYPE_CHECKING:
    from aethermind.definitions.loader import LoadedWorkflow
    from aethermind.engine.away import Away
    from aethermind.engine.client import Client
    from aethermind.tui.context import Context

Json = Any


def is_abroad(context: Context) -> bool:
    attached = context.settings.attached
    return attached is not None and not attached.local


def _away(client: Client) -> Away:
    return cast("Away", client)  # whatever is attached elsewhere is one


async def flows(context: Context) -> list[Found]:
    """What can be run there."""
    there = await context.engine.ask(lambda client: _away(client).workflows_there())
    place = context.settings.attached.name if context.settings.attached is not None else ""
    return [
        Found(one.name, Path(one.name), f"{place}: {Path(one.origin).name}", one.name, one.description)
        for one in there
    ]


def load(context: Context, name: str) -> LoadedWorkflow:
    """What the name means there. Blocks: not for the screen's thread."""
    from aethermind.definitions.loader import LoadedWorkflow

    found = context.engine.call(lambda client: _away(client).workflow_there(name)).result()
    # Whether it may start programs is asked there.
    return LoadedWorkflow(definition=found.definition, path=None, sha256=found.definition_hash, sim=found.sim)


def request(
    loaded: LoadedWorkflow, inputs: Mapping[str, Json], *, sim: bool, model: str | None, budget: int | None
) -> RunRequest:
    """The run as it would be, for what is asked before it starts."""
    return RunRequest(
        definition=loaded.definition,
        inputs=dict(inputs),
        submitter=Submitter(user="", cwd="", interpreter="", origin="tui"),
        simulated=sim,
        model=model,
        budget_micro_usd=budget,
    )


async def start(context: Context, name: str, wanted: RunRequest, *, by: str) -> str:
    """Start it there; gives the run's id."""
    return await context.engine.ask(
        lambda client: _away(client).execute(
            name,
            wanted.inputs,
            sim=wanted.simulated,
            model=wanted.model,
            budget_micro_usd=wanted.budget_micro_usd,
            by=by,
        )
    )
