"""Workflows and agents that are registered in the database of this machine, as files look for them.

They are read straight from the file, before any engine is open: a NAME has to be known first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from aethermind import wire
from aethermind.bootstrap.composition import Composition
from aethermind.domain.errors import AethermindError, InvalidError
from aethermind.engine import registered
from aethermind.engine.consent import model_names

if TYPE_CHECKING:
    from pathlib import Path

    from aethermind.definitions.context import KnownAgent
    from aethermind.definitions.loader import LoadedWorkflow
    from aethermind.domain.events import Recorded


def find_workflow(composition: Composition, name: str) -> LoadedWorkflow | None:
    """The workflow that is registered under this name, as if it had been read from a file. Raises
    `InvalidError` for one whose steps are functions of another program."""
    found = _read(composition.database, "registered_workflow", name)
    if found is None:
        return None
    from aethermind.definitions.loader import LoadedWorkflow

    stored = registered.stored_workflow(found)
    if functions := registered.functions_in(stored.definition):
        raise InvalidError(
            f"workflow {name} was registered by a program: its step {functions[0]} is a function there",
            hint="run it from that program",
        )
    starts = (*stored.needs_trust, *composition.models.programs_in(model_names(stored.definition)))
    return LoadedWorkflow(
        definition=stored.definition,
        path=registered.trust_path(name),
        sha256=stored.definition_hash,
        content_hash=stored.definition_hash,
        needs_trust=() if stored.trusted else starts,
        sim=stored.sim,
        env_names=stored.env_names,
    )


def find_agent(composition: Composition, name: str) -> KnownAgent | None:
    """The agent that is registered under this name; not one that is a function of another program."""
    found = _read(composition.database, "registered_agent", name)
    if found is None:
        return None
    from aethermind.definitions.context import KnownAgent

    stored = registered.stored_agent(found)
    if stored.logic:
        return None
    return KnownAgent(
        definition=stored.definition,
        digest=wire.digest(msgspec.to_builtins(stored.definition)),
        env_names=stored.env_names,
        needs_trust=stored.needs_trust,
    )


def _read(database: Path, query: str, name: str) -> Recorded | None:
    """Nothing is found in a database that can't be read: whoever opens it next says why."""
    if not database.exists():
        return None
    from aethermind.infra.stores.access_on_disk import registered_on_disk

    try:
        return registered_on_disk(database, query, name)
    except AethermindError:
        return None
