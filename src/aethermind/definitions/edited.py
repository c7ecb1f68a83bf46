"""An edited definition beside the run that was made from it: has it changed, does it still fit. Pure, but for
`line_of`, which reads files.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from aethermind import wire
from aethermind.definitions.hints import did_you_mean, show
from aethermind.definitions.inputs import parse_inputs
from aethermind.definitions.loader import LoadedWorkflow
from aethermind.definitions.nodes import Map, Scalar, Seq
from aethermind.definitions.source import decode, parse_mapping, read_bytes
from aethermind.domain.errors import AethermindError, InvalidError
from aethermind.domain.ids import static_path
from aethermind.domain.run import Run
from aethermind.domain.workflow import WorkflowDef

Json = Any


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
    for name in given:
        if name not in definition.inputs:
            hint = did_you_mean(name, definition.inputs, label="inputs") or "this workflow has no inputs"
            raise InvalidError(f"there is no input `{show(name)}`", hint=hint)
    kept = {name: recorded[name] for name in definition.inputs if name in recorded and name not in given}
    others = {name: d for name, d in definition.inputs.items() if name not in kept}
    return {
        **parse_inputs({name: definition.inputs[name] for name in kept}, kept, from_text=False),
        **parse_inputs(others, given),
    }


def done(run: Run, kept: Collection[str]) -> list[str]:
    """Of the root steps that may stay (`Client.edited`), those that are done and wait for no other: they do
    not run again.
    """
    nodes = {name: run.root.by_id[name] for name in kept}
    found = {n for n, node in nodes.items() if not node.always and node.status in {"succeeded", "skipped"}}
    shrinks = True
    while shrinks:
        fewer = {name for name in found if found.issuperset(nodes[name].step.needs)}
        shrinks = fewer != found
        found = fewer
    return [name for name in kept if name in found]


class Place(NamedTuple):
    """Where something is written. Lines count from 1."""

    file: Path
    line: int


def line_of(file: Path, path: str) -> Place:
    """Where the step of this path (`polish#2/judge`, `deep/plan`) is written, or what is known of the way
    there: a sub-workflow's step is in another file. A file that can't be read is its own first line.
    """
    place = Place(file, 1)
    level = _steps(file)
    for name in static_path(path).split("/"):
        found = _named(level, name)
        if found is None:
            return place
        place = Place(place.file, found.start.line)
        other = found.entries.get("workflow")
        if isinstance(other, Scalar) and isinstance(other.value, str):
            inner = place.file.parent / other.value
            level = _steps(inner)
            if level is not None:
                place = Place(inner, level.start.line)
        else:
            below = found.entries.get("steps")
            level = below if isinstance(below, Seq) else None
    return place


def _steps(file: Path) -> Seq | None:
    try:
        root = parse_mapping(decode(read_bytes(file, file.name, regular=True), file.name), "workflow")
    except AethermindError:
        return None
    steps = root.entries.get("steps")
    return steps if isinstance(steps, Seq) else None


def _named(level: Seq | None, name: str) -> Map | None:
    for item in level.items if level is not None else ():
        own = item.entries.get("id") if isinstance(item, Map) else None
        if isinstance(item, Map) and isinstance(own, Scalar) and own.value == name:
            return item
    return None
