"""The file that a recorded run was made from, read again: has it changed, and does it still fit the run."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from aethermind import bootstrap, wire
from aethermind.cli.targets import find, is_python
from aethermind.definitions.inputs import parse_inputs
from aethermind.definitions.loader import Defaults, LoadedWorkflow, load_file
from aethermind.domain.errors import AethermindError, InvalidError
from aethermind.domain.run import Run
from aethermind.domain.workflow import WorkflowDef

Json = Any


def reload(composition: bootstrap.Composition, run: Run, overrides: Mapping[str, str]) -> LoadedWorkflow:
    """The run's file (or its module, for a workflow in Python) as it is now; prompt files are looked for
    where the run was started. Raises `NotFoundError` (it is gone), `InvalidError`.
    """
    source = run.created.source
    if source is not None:
        return read(composition, source, overrides, cwd=run.created.submitter.cwd)
    target = run.definition.source
    if target is None or not is_python(target):
        raise InvalidError(f"run {run.id} was not made from a file")
    return find(composition, target, overrides=overrides).loaded


def read(
    composition: bootstrap.Composition, path: str, overrides: Mapping[str, str], *, cwd: str
) -> LoadedWorkflow:
    """This file, as if it were run in `cwd`."""
    settings = composition.config.defaults
    return load_file(
        path,
        overrides=overrides,
        cwd=Path(cwd),
        defaults=Defaults(retries=settings.retries, timeout_ms=settings.timeout_ms),
        known_models=composition.model_problem,
    )


def same(one: WorkflowDef, other: WorkflowDef) -> bool:
    """Whether both do the same, wherever they were read."""
    return one is other or _digest(one) == _digest(other)


def _digest(definition: WorkflowDef) -> str:
    return wire.digest(msgspec.structs.replace(definition, source=None))


def unchanged(run: Run, loaded: LoadedWorkflow, overrides: Mapping[str, str] | None = None) -> bool:
    """Whether there is nothing in the file, and what it was loaded with, that the run does not do already.
    `--set` of the original run is no change of the file.
    """
    if not overrides and run.source_hash is not None and run.source_hash == loaded.content_hash:
        return True
    return same(run.definition, loaded.definition)


def has_changed(composition: bootstrap.Composition, run: Run) -> bool:
    """Whether the run's file says something else by now. One that is gone or can't be read says nothing."""
    source = run.created.source
    if source is None:
        return False
    try:
        if hashlib.sha256(Path(source).read_bytes()).hexdigest() == run.source_hash:
            return False
        return not unchanged(run, reload(composition, run, {}))
    except InvalidError:
        return True
    except (AethermindError, OSError):
        return False


def new_inputs(run: Run, definition: WorkflowDef) -> list[str]:
    """Inputs that the run has no value for."""
    return [name for name in definition.inputs if name not in run.created.inputs]


def inputs_for(run: Run, definition: WorkflowDef, given: Mapping[str, Json]) -> dict[str, Json]:
    """The run's inputs under another definition: what it still has, and what was given, checked. Raises
    `InvalidError`.
    """
    recorded = run.created.inputs
    if not definition.inputs and definition.source is None:
        return {**recorded, **given}  # a workflow in Python need not declare its inputs
    kept = {name: recorded[name] for name in definition.inputs if name in recorded and name not in given}
    others = {name: d for name, d in definition.inputs.items() if name not in kept}
    return {
        **parse_inputs({name: definition.inputs[name] for name in kept}, kept, from_text=False),
        **parse_inputs(others, given),
    }
