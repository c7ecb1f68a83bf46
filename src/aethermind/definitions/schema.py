"""The JSON Schema of a workflow file, made from the records that the loader itself reads with."""

from __future__ import annotations

from typing import Any

import msgspec

from aethermind.definitions import surface

Json = Any

ADDRESS = "https://json-schema.org/draft/2020-12/schema"


def workflow_json_schema() -> dict[str, Json]:
    """JSON Schema (draft 2020-12) for editors: `aethermind schema`.

    It knows keys, types and bounds. What only the loader can know (references, durations' spelling, which
    model exists) is checked by `aethermind validate`.
    """
    kinds = list(surface.STEP_KINDS.values())
    _, parts = msgspec.json.schema_components(
        [surface.WorkflowSurface, surface.AgentSurface, *kinds], ref_template="#/$defs/{name}"
    )
    parts = {name: _without_null(part) for name, part in parts.items()}
    for key, kind in surface.STEP_KINDS.items():
        parts[kind.__name__]["title"] = f"A `{key}` step"
    root = parts.pop(surface.WorkflowSurface.__name__)
    parts["Step"] = {"anyOf": [{"$ref": f"#/$defs/{kind.__name__}"} for kind in kinds]}
    return {"$schema": ADDRESS, **root, "title": "Aethermind workflow", "$defs": parts}


def _without_null(value: Json) -> Json:
    """An absent key may be left out, but not be null: drops `null` alternatives and their defaults."""
    if isinstance(value, list):
        return [_without_null(v) for v in value]
    if not isinstance(value, dict):
        return value
    out = {k: _without_null(v) for k, v in value.items() if not (k == "default" and v is None)}
    options = out.get("anyOf")
    if isinstance(options, list) and {"type": "null"} in options:
        rest = [o for o in options if o != {"type": "null"}]
        del out["anyOf"]
        out = {**rest[0], **out} if len(rest) == 1 else {**out, "anyOf": rest}
    if out.get("required") == []:
        del out["required"]
    return out
