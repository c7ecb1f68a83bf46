"""What `run` is told to run: a file, a NAME, or a workflow written in Python (`pkg.mod:flow`)."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from aethermind import bootstrap
from aethermind.definitions.loader import LoadedWorkflow
from aethermind.domain.errors import InvalidError
from aethermind.domain.run import Run
from aethermind.domain.workflow import Function, Group, StepDef
from aethermind.engine.live import StepFunction

if TYPE_CHECKING:
    from aethermind.definitions.python import Workflow

_PYTHON = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*\Z", re.ASCII)


class Target(msgspec.Struct, frozen=True):
    """A workflow that can be submitted. `functions` are those of a workflow written in Python."""

    loaded: LoadedWorkflow
    functions: dict[str, StepFunction]


def is_python(target: str) -> bool:
    """Whether this names a workflow in a module, and no file."""
    return _PYTHON.match(target) is not None and not Path(target).exists()


def find(composition: bootstrap.Composition, target: str, *, overrides: Mapping[str, str]) -> Target:
    """Raises `NotFoundError`, `InvalidError`."""
    if not is_python(target):
        return Target(bootstrap.load_workflow(composition, target, overrides=overrides), {})
    if overrides:
        raise InvalidError("--set changes a file, and this is a workflow written in Python")
    from aethermind.definitions.context import Defaults

    flow = _load(target, str(Path.cwd()))
    settings = composition.config.defaults
    definition = flow.build(Defaults(retries=settings.retries, timeout_ms=settings.timeout_ms))
    loaded = LoadedWorkflow(
        definition=msgspec.structs.replace(definition, source=target), path=None, sha256=""
    )
    return Target(loaded, dict(flow.functions))


def needs_functions(run: Run) -> bool:
    """Whether its workflow was written in Python, and has functions that its process must have."""
    target = run.definition.source
    return target is not None and is_python(target) and _has_functions(run.definition.steps)


def functions_of(run: Run) -> dict[str, StepFunction]:
    """The functions of a recorded run whose workflow was written in Python, from where it was started."""
    target = run.definition.source
    if target is None or not needs_functions(run):
        return {}
    return dict(_load(target, run.created.submitter.cwd).functions)


def _has_functions(steps: tuple[StepDef, ...]) -> bool:
    return any(
        isinstance(step.action, Function)
        or (isinstance(step.action, Group) and _has_functions(step.action.steps))
        for step in steps
    )


def _load(target: str, directory: str) -> Workflow:
    from aethermind.definitions.python import load_target

    if directory not in sys.path:
        sys.path.insert(0, directory)
    return load_target(target)
