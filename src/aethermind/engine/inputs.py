"""The last check of a run's inputs: unknown, missing, default, schema."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from aethermind.domain.errors import InvalidError, OutputError
from aethermind.domain.workflow import WorkflowDef
from aethermind.engine.ports import Schemas


def settle(definition: WorkflowDef, given: Mapping[str, Any], schemas: Schemas) -> dict[str, Any]:
    """Inputs with their defaults filled in. Raises `InvalidError` naming the input."""
    if not definition.inputs and definition.source is None:
        return dict(given)  # a workflow written in Python need not declare its inputs
    for name in given:
        if name not in definition.inputs:
            near = get_close_matches(name, definition.inputs, n=1)
            hint = (
                f"did you mean {near[0]}?" if near else f"it takes: {', '.join(definition.inputs) or 'none'}"
            )
            raise InvalidError(f"workflow {definition.name} has no input {name!r}", hint=hint)
    settled: dict[str, Any] = {}
    for name, spec in definition.inputs.items():
        if name in given:
            try:
                settled[name] = schemas.check(given[name], spec.schema)
            except OutputError as error:
                raise InvalidError(f"input {name}: {error.message.removeprefix('$: ')}") from None
        elif spec.required and spec.default is None:
            raise InvalidError(f"input {name} is missing", hint=f"-i {name}=…")
        else:
            settled[name] = spec.default
    return settled
