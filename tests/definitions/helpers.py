"""Short ways to load workflow texts in tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aethermind.definitions.loader import LoadedWorkflow, load_text
from aethermind.definitions.nodes import Node
from aethermind.definitions.source import decode, parse
from aethermind.domain.errors import InvalidError
from aethermind.domain.workflow import StepDef, WorkflowDef


def node(text: str) -> Node:
    return parse(decode(text.encode(), "f"))


def load(text: str, **options: Any) -> LoadedWorkflow:
    return load_text(text, "f.yaml", **options)


def workflow(steps: str, head: str = "") -> WorkflowDef:
    """A workflow from the lines below `steps:`."""
    return load(f"name: test\n{head}steps:\n{steps}").definition


def step(definition: WorkflowDef, path: str) -> StepDef:
    steps = definition.steps
    *groups, last = path.split("/")
    for name in groups:
        action = next(s for s in steps if s.id == name).action
        steps = action.steps  # type: ignore[union-attr]  # a group
    return next(s for s in steps if s.id == last)


def refusal(text: str, **options: Any) -> InvalidError:
    """The error of a text that must not load."""
    with pytest.raises(InvalidError) as caught:
        load(text, **options)
    return caught.value


def refused(steps: str, head: str = "") -> str:
    """The line of the error of `workflow(steps)`."""
    return refusal(f"name: test\n{head}steps:\n{steps}").line()


def put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path
