"""Structured output: which part of a JSON Schema each API can enforce, and how to ask without that.

An answer is checked against the schema by the engine in any case; here it is only made likely.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

Structured = Literal["json_schema", "json_object", "prompt"]
"""How an endpoint is asked for JSON: by schema, by JSON mode, or by words alone."""

# What OpenAI's strict mode supports; one keyword beyond it and the schema is sent as a hint (strict: false).
_STRICT_KEYWORDS = frozenset({
    "$defs", "$ref", "additionalProperties", "anyOf", "const", "description", "enum", "exclusiveMaximum",
    "exclusiveMinimum", "format", "items", "maxItems", "maximum", "minItems", "minimum", "multipleOf",
    "pattern", "properties", "required", "title", "type",
})  # fmt: skip


def is_object(schema: Mapping[str, Any]) -> bool:
    """The APIs enforce schemas of objects only; other values are asked for in words."""
    return schema.get("type") == "object"


def strict(schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """The schema as OpenAI's strict mode wants it (objects closed), or None if it cannot be said there:
    optional keys, open mappings, unsupported keywords."""
    if not set(schema) <= _STRICT_KEYWORDS:
        return None
    closed = dict(schema)
    if schema.get("type") == "object":
        properties = schema.get("properties", {})
        if schema.get("additionalProperties", False) is not False or not properties:
            return None
        if set(schema.get("required", ())) != set(properties):
            return None
        closed["additionalProperties"] = False
    for name in ("properties", "$defs"):
        if name in schema:
            inner = {key: strict(value) for key, value in schema[name].items()}
            if None in inner.values():
                return None
            closed[name] = inner
    if "anyOf" in schema:
        variants = [strict(variant) for variant in schema["anyOf"]]
        if None in variants:
            return None
        closed["anyOf"] = variants
    if "items" in schema:
        if not isinstance(schema["items"], Mapping) or (items := strict(schema["items"])) is None:
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
