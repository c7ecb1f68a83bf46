"""What `run` is told to run: a file, a NAME, or a workflow written in Python (`pkg.mod:flow`)."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from aethermind import bootstrap
from aethermind.definitions.loader import LoadedWorkflow
from aethermind.domain.errors import InvalidError
from aethermind.engine.live import StepFunction

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
    from aethermind.definitions.python import load_target

    if (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    flow = load_target(target)
    settings = composition.config.defaults
    definition = flow.build(Defaults(retries=settings.retries, timeout_ms=settings.timeout_ms))
    loaded = LoadedWorkflow(
        definition=msgspec.structs.replace(definition, source=target), path=None, sha256=""
    )
    return Target(loaded, dict(flow.functions))
