"""The file that a recorded run was made from, read again: has it changed, and does it still fit the run."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from aethermind import bootstrap
from aethermind.cli.targets import find, is_python
from aethermind.definitions.edited import inputs_for, new_inputs, same, unchanged
from aethermind.definitions.loader import LoadedWorkflow
from aethermind.domain.errors import AethermindError, InvalidError
from aethermind.domain.run import Run

__all__ = ["has_changed", "inputs_for", "new_inputs", "read", "reload", "same", "unchanged"]


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
    return bootstrap.load_workflow(composition, path, overrides=overrides, cwd=cwd)


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
