"""Inputs of a workflow: their definitions, and the values that are given for them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from aethermind.definitions.hints import did_you_mean, show
from aethermind.definitions.nodes import Map, Node, error
from aethermind.definitions.schemas import complete, first_problem, quick_check, takes_null
from aethermind.definitions.shorthand import Shorthand, is_json_schema
from aethermind.domain.errors import InvalidError
from aethermind.domain.workflow import InputDef

Json = Any

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def read_inputs(node: Map, shorthand: Shorthand) -> dict[str, InputDef]:
    """The `inputs:` of a file. Raises `InvalidError`."""
    out = {}
    for name, child in node.entries.items():
        if not _NAME.match(name):
            raise node.key_error(
                name, f"`{show(name)}` cannot be an input's name", hint="letters, digits and _"
            )
        out[name] = _read_input(name, child, shorthand)
    return out


def _read_input(name: str, node: Node, shorthand: Shorthand) -> InputDef:
    schema, optional = shorthand.read_optional(node, as_input=True)
    description, default, has_default = "", None, False
    if isinstance(node, Map) and is_json_schema(node, as_input=True):
        schema = dict(schema)
        description = str(schema.pop("description", ""))
        has_default = "default" in node.entries
        default = schema.pop("default", None)
    if has_default:
        problem = _problem(default, schema)
        if problem is not None:
            raise error(
                node.entries["default"] if isinstance(node, Map) else node,
                f"the default of `{name}` does not fit its type: {problem}",
            )
    return InputDef(
        schema=schema, required=not (optional or has_default), default=default, description=description
    )


def parse_inputs(
    definitions: Mapping[str, InputDef], given: Mapping[str, object], *, from_text: bool = True
) -> dict[str, Json]:
    """Values for a run: what was given, typed and checked, and the defaults.

    `from_text`: texts come from a command line or form, so that `"3"` is 3 where an integer is wanted
    and `'["a"]'` a list where a list is; other values, and all of them if it is false, are taken as they are.
    Raises `InvalidError` for unknown, missing and unfit inputs.
    """
    for name in given:
        if name not in definitions:
            hint = did_you_mean(name, definitions, label="inputs") or "this workflow has no inputs"
            raise InvalidError(f"there is no input `{show(name)}`", hint=hint)
    missing = [name for name, d in definitions.items() if d.required and name not in given]
    if missing:
        raise InvalidError(
            f"missing input{'s' if len(missing) > 1 else ''}: {', '.join(missing)}",
            hint=" ".join(f"-i {name}={_sample(definitions[name].schema)}" for name in missing),
        )
    out: dict[str, Json] = {}
    for name, definition in definitions.items():
        if name not in given:
            out[name] = definition.default
            continue
        value = given[name]
        if from_text and isinstance(value, str):
            value = from_words(name, value, definition.schema)
        problem = _problem(value, definition.schema)
        if problem is not None:
            raise InvalidError(f"input `{name}`: {problem}", hint=describe_type(definition.schema))
        out[name] = complete(value, definition.schema)
    return out


def _problem(value: object, schema: Mapping[str, Json]) -> str | None:
    if quick_check(value, schema):
        return None
    try:
        problem = first_problem(value, schema)
    except RecursionError:
        return "it is nested too deep"
    return problem.removeprefix("$: ") if problem is not None else None


def _kinds(schema: Mapping[str, Json]) -> list[str]:
    kinds = schema.get("type", [])
    if isinstance(kinds, str):
        return [kinds]
    if kinds:
        return list(kinds)
    return [k for option in schema.get("anyOf", ()) if isinstance(option, Mapping) for k in _kinds(option)]


def from_words(name: str, text: str, schema: Mapping[str, Json]) -> Json:
    """What a text typed by a person means where `schema` is wanted. Raises `InvalidError`."""
    kinds = _kinds(schema)
    if not kinds or ("string" in kinds and not {"object", "array"} & set(kinds)):
        return None if text == "" and takes_null(schema) and "string" not in kinds else text
    stripped = text.strip()
    if takes_null(schema) and stripped in {"", "null"}:
        return None
    for kind in kinds:
        match kind:
            case "integer" if re.fullmatch(r"[+-]?[0-9]{1,18}", stripped):
                return int(stripped)
            case "number" if re.fullmatch(
                r"[+-]?([0-9]{1,300}(\.[0-9]{0,300})?|\.[0-9]{1,300})([eE][+-]?[0-9]{1,3})?", stripped
            ):
                number = float(stripped)
                whole = re.fullmatch(r"[+-]?[0-9]{1,18}", stripped)
                if number in {float("inf"), float("-inf")}:
                    break
                return int(stripped) if whole else number
            case "boolean" if stripped.lower() in {"true", "false"}:
                return stripped.lower() == "true"
            case "array" | "object" if stripped[:1] in {"[", "{"}:
                return _json(name, stripped)
            case "string":
                return text
            case _:
                continue
    raise InvalidError(
        f"input `{name}`: {show(text, 40)!r} is not {describe_type(schema)}",
        hint=f"-i {name}={_sample(schema)}",
    )


def _json(name: str, text: str) -> Json:
    try:
        value = json.loads(text, parse_constant=_no_constant)
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as problem:
        raise InvalidError(f"input `{name}` is no valid JSON: {show(str(problem), 80)}") from None
    return value


def _no_constant(word: str) -> float:
    raise ValueError(f"{word} is no JSON")


def describe_type(schema: Mapping[str, Json]) -> str:
    """A schema in a few words: `a whole number from 1 to 10`, `one of: a, b`."""
    if "enum" in schema:
        words = [str(w) for w in schema["enum"] if w is not None]
        return f"one of: {show(', '.join(words), 120)}"
    names = {
        "string": "text",
        "integer": "a whole number",
        "number": "a number",
        "boolean": "true or false",
        "array": "a list (JSON)",
        "object": "an object (JSON)",
        "null": "null",
    }
    out = " or ".join(names[k] for k in _kinds(schema) if k in names and k != "null") or "a value"
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        return f"{out} from {low} to {high}"
    if low is not None:
        return f"{out}, at least {low}"
    return f"{out}, at most {high}" if high is not None else out


def _sample(schema: Mapping[str, Json]) -> str:
    if "enum" in schema:
        return str(schema["enum"][0])
    kinds = _kinds(schema)
    low = schema.get("minimum", 1)
    samples = {
        "integer": str(low),
        "number": str(low),
        "boolean": "true",
        "array": "'[…]'",
        "object": "'{…}'",
    }
    return samples.get(kinds[0], "…") if kinds else "…"
