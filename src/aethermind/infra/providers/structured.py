"""Structured output: which part of a JSON Schema each API can enforce, and how to ask without that.

An answer is checked against the schema by the engine in any case; here it is only made likely.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

Structured = Literal["json_schema", "json_object", "prompt"]
"""How an endpoint is asked for JSON: by schema, by JSON mode, or by words alone."""

# What OpenAI's strict mode enforces.
_ENFORCED = frozenset({
    "$defs", "$ref", "additionalProperties", "anyOf", "const", "description", "enum", "exclusiveMaximum",
    "exclusiveMinimum", "format", "items", "maxItems", "maximum", "minItems", "minimum", "multipleOf",
    "pattern", "properties", "required", "title", "type",
})  # fmt: skip
# What it refuses, though nothing but the check of the answer is lost without it.
_TOLD = ("minLength", "maxLength", "uniqueItems", "minProperties", "maxProperties", "default", "examples")
_SILENT = frozenset({"$schema", "$id", "$comment", "deprecated", "readOnly", "writeOnly"})
_FORMATS = frozenset({
    "date", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "time", "uuid",
})  # fmt: skip


def is_object(schema: Mapping[str, Any]) -> bool:
    """The APIs enforce schemas of objects only; other values are asked for in words."""
    return schema.get("type") == "object"


def has_open_mapping(schema: Any) -> bool:
    """Whether some object in it may have keys that the schema does not name: an API that closes all objects
    would allow such a one no key at all."""
    if isinstance(schema, list | tuple):
        return any(map(has_open_mapping, schema))
    if not isinstance(schema, Mapping):
        return False
    if schema.get("type") == "object" and not (
        schema.get("properties") and schema.get("additionalProperties", False) is False
    ):
        return True
    inner = [schema.get(name) for name in ("items", "anyOf", "oneOf", "allOf")]
    named = [value for name in ("properties", "$defs") for value in schema.get(name, {}).values()]
    return any(map(has_open_mapping, [*inner, *named]))


def strict(schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """The schema as OpenAI's strict mode wants it: objects closed, what it does not enforce put into the
    description. None if it cannot be said there: optional keys, open mappings, `allOf` and the like."""
    told = {name: schema[name] for name in _TOLD if name in schema}
    closed = {name: value for name, value in schema.items() if name not in told and name not in _SILENT}
    if "oneOf" in closed and "anyOf" not in closed:
        closed["anyOf"] = closed.pop("oneOf")  # what fits just one fits any
    if not set(closed) <= _ENFORCED:
        return None
    if closed.get("format", "date") not in _FORMATS:
        told["format"] = closed.pop("format")
    if told:
        rules = ", ".join(f"{name}: {json.dumps(value)}" for name, value in told.items())
        closed["description"] = " ".join(filter(None, (closed.get("description"), f"({rules})")))
    if schema.get("type") == "object":
        properties = schema.get("properties", {})
        if schema.get("additionalProperties", False) is not False or not properties:
            return None
        if set(schema.get("required", ())) != set(properties):
            return None
        closed["additionalProperties"] = False
    for name in ("properties", "$defs"):
        if name in closed:
            inner = {key: strict(value) for key, value in closed[name].items()}
            if None in inner.values():
                return None
            closed[name] = inner
    if "anyOf" in closed:
        variants = [strict(variant) for variant in closed["anyOf"]]
        if None in variants:
            return None
        closed["anyOf"] = variants
    if "items" in closed:
        if not isinstance(closed["items"], Mapping) or (items := strict(closed["items"])) is None:
            return None
        closed["items"] = items
    return closed


def request_in_words(schema: Mapping[str, Any]) -> str:
    """The sentence that is put into the instructions where an API enforces nothing."""
    text = json.dumps(schema, ensure_ascii=False, separators=(",", ":"))
    return (
        "Answer with one JSON value and nothing else: no prose, no code fence. "
        f"It must fit this JSON Schema:\n{text}"
    )


def with_words(instructions: str, schema: Mapping[str, Any]) -> str:
    return f"{instructions}\n\n{request_in_words(schema)}" if instructions else request_in_words(schema)
