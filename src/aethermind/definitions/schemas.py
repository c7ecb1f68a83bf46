"""The port `Schemas`: values against JSON Schema, and JSON out of what a model wrote.

Most schemas are plain (objects, lists, types, enums, bounds). Those are checked here in microseconds;
`jsonschema` (0.14 s to import) is loaded for the rest, and to say what is wrong.

An optional field (nullable and not required, as `note: string?` makes it) that is absent comes back as
null, so that `{{ plan.note }}` never fails on a value that fits.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from aethermind.definitions.hints import show
from aethermind.domain.errors import ErrorInfo, OutputError

Json = Any

_ATTEMPTS = 200
"""Places in a text at which a JSON value is looked for."""


class JsonSchemas:
    """Adapter of the port `Schemas`."""

    def parse(self, text: str, schema: Mapping[str, Json]) -> Json:
        first: OutputError | None = None
        for value in _candidates(text, schema):
            try:
                return self.check(value, schema)
            except OutputError as problem:
                first = first or problem
        if first is not None:
            raise first
        what = (
            "the answer is empty"
            if not text.strip()
            else f"no JSON value in the answer: {show(text.strip(), 80)}"
        )
        raise OutputError(ErrorInfo(kind="output", message=what, hint="it should fit the step's `output`"))

    def check(self, value: Json, schema: Mapping[str, Json]) -> Json:
        try:
            fits = quick_check(value, schema)
            if not fits and (problem := first_problem(value, schema)) is not None:
                raise OutputError(ErrorInfo(kind="output", message=problem))
            return complete(value, schema)
        except RecursionError:
            raise OutputError(ErrorInfo(kind="output", message="$: the value is nested too deep")) from None


# --- the quick way -----------------------------------------------------------------------------

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list, tuple),
    "null": (type(None),),
}
_PLAIN = frozenset({
    "type", "properties", "required", "additionalProperties", "items", "enum", "anyOf", "minimum", "maximum",
    "minLength", "maxLength", "minItems", "maxItems", "title", "description", "default", "examples",
})  # fmt: skip


def quick_check(value: Json, schema: Json) -> bool | None:
    """True or False, or None if the schema says more than this can check."""
    if isinstance(schema, bool):
        return schema
    if not isinstance(schema, Mapping) or not _PLAIN.issuperset(schema):
        return None
    kinds = schema.get("type")
    if kinds is not None:
        names = [kinds] if isinstance(kinds, str) else kinds
        if not any(_is_of(value, name) for name in names):
            return False
    if "enum" in schema and not any(
        v == value and isinstance(v, bool) == isinstance(value, bool) for v in schema["enum"]
    ):
        return False
    if "anyOf" in schema:
        found = [quick_check(value, option) for option in schema["anyOf"]]
        if True not in found:
            return None if None in found else False
    if not _in_bounds(value, schema):
        return False
    if isinstance(value, dict):
        return _quick_object(value, schema)
    if isinstance(value, list | tuple) and "items" in schema:
        return _all(quick_check(item, schema["items"]) for item in value)
    return True


def _is_of(value: Json, name: str) -> bool:
    if name == "integer":
        return (isinstance(value, int) and not isinstance(value, bool)) or (
            isinstance(value, float) and value.is_integer()
        )
    if name == "number":
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, _TYPES.get(name, ()))


def _in_bounds(value: Json, schema: Mapping[str, Json]) -> bool:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return not (value < schema.get("minimum", value) or value > schema.get("maximum", value))
    if isinstance(value, str):
        return bool(schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)))
    if isinstance(value, list | tuple):
        return bool(schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)))
    return True


def _quick_object(value: dict[str, Json], schema: Mapping[str, Json]) -> bool | None:
    known = schema.get("properties", {})
    if any(name not in value for name in schema.get("required", ())):
        return False
    other = schema.get("additionalProperties", True)
    return _all(
        quick_check(item, known[key]) if key in known else quick_check(item, other)
        for key, item in value.items()
    )


def _all(results: Iterator[bool | None]) -> bool | None:
    unsure = False
    for result in results:
        if result is False:
            return False
        unsure = unsure or result is None
    return None if unsure else True


# --- the whole way -----------------------------------------------------------------------------


def first_problem(value: Json, schema: Mapping[str, Json]) -> str | None:
    """`$.issues[0]: 5 is not of type 'string'`, or None if the value fits. References leave no process."""
    import jsonschema
    from jsonschema.exceptions import best_match
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    validator = jsonschema.Draft202012Validator(schema, registry=Registry())
    try:
        problem = best_match(validator.iter_errors(value))
    except Unresolvable as lost:
        return f"$: the schema refers to `{show(str(lost.ref))}`, which is not there"
    if problem is None:
        return None
    return f"{_path(problem.absolute_path)}: {_message(problem)}"


def _path(parts: Any) -> str:
    out = "$"
    for part in list(parts)[:20]:
        out += f"[{part}]" if isinstance(part, int) else f".{show(str(part), 40)}"
    return out


def _message(problem: Any) -> str:
    message = str(problem.message)
    whole = repr(problem.instance)
    if len(whole) > 80 and message.startswith(whole):
        message = whole[:79] + "…" + message[len(whole) :]
    return show(message, 240)


def complete(value: Json, schema: Json) -> Json:
    """The value, with optional fields that are absent as null. What needs no change is not copied."""
    if not isinstance(schema, Mapping):
        return value
    if isinstance(value, dict):
        known = schema.get("properties")
        if not known:
            return _complete_any(value, schema)
        required = schema.get("required", ())
        added = {k: None for k, s in known.items() if k not in value and k not in required and takes_null(s)}
        changed = {
            k: c for k, s in known.items() if k in value and (c := complete(value[k], s)) is not value[k]
        }
        return {**value, **changed, **added} if added or changed else value
    if isinstance(value, list) and "items" in schema:
        done = [complete(item, schema["items"]) for item in value]
        return done if any(new is not old for new, old in zip(done, value, strict=True)) else value
    return _complete_any(value, schema)


def _complete_any(value: Json, schema: Mapping[str, Json]) -> Json:
    """Through the `anyOf` that makes an object or list nullable."""
    options = [o for o in schema.get("anyOf", ()) if o != {"type": "null"}]
    return complete(value, options[0]) if len(options) == 1 and value is not None else value


def takes_null(schema: Json) -> bool:
    if not isinstance(schema, Mapping):
        return False
    kinds = schema.get("type", ())
    if kinds == "null" or (not isinstance(kinds, str) and "null" in kinds):
        return True
    return any(option == {"type": "null"} for option in schema.get("anyOf", ()))


# --- JSON in text ------------------------------------------------------------------------------


def _candidates(text: str, schema: Mapping[str, Json]) -> Iterator[Json]:
    """JSON values that the text may mean, the likeliest first."""
    stripped = text.strip().removeprefix("\ufeff")
    whole = _decode(stripped)
    if whole is not _NOTHING:
        yield whole
    for block in _fenced(stripped):
        value = _decode(block)
        if value is not _NOTHING:
            yield value
    if quick_check(stripped, schema) is True:  # plain words where text or one of several words is wanted
        yield stripped
    yield from _embedded(stripped)


_NOTHING = object()


def _decode(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return _NOTHING


def _fenced(text: str) -> Iterator[str]:
    """Contents of ``` blocks, those marked json first."""
    pieces = text.split("```")
    blocks = []
    for piece in pieces[1:200:2]:
        head, newline, rest = piece.partition("\n")
        mark = head.strip().lower()
        if newline and mark in {"", "json", "jsonc", "json5"}:
            blocks.append((mark != "json", rest.strip()))
        elif not newline:
            blocks.append((True, piece.removeprefix("json").strip()))
    for _, block in sorted(blocks, key=lambda b: b[0]):
        yield block


def _embedded(text: str) -> Iterator[Json]:
    """Objects and lists that begin somewhere in the text."""
    decoder = json.JSONDecoder()
    position = 0
    for _ in range(_ATTEMPTS):
        starts = [s for s in (text.find("{", position), text.find("[", position)) if s >= 0]
        if not starts:
            return
        start = min(starts)
        try:
            _, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            position = start + 1
            continue
        value = _decode(text[start:end])
        if value is not _NOTHING:
            yield value
        position = end
