"""Short schemas → JSON Schema.

    string number integer boolean any object     a type
    [string]   "[string]?"                       a list
    a|b|c                                        one of these words
    {score: number, note: string?}               an object with just these keys
    verdict                                      a schema of the file's `schemas:`
    {type: integer, minimum: 1}                  JSON Schema, as it is

A trailing `?` makes a type optional: null is allowed, and as a key of an object it may be missing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from aethermind.definitions.hints import did_you_mean, show
from aethermind.definitions.nodes import Map, Node, Scalar, Seq, describe, error

Json = Any
JsonSchema = dict[str, Json]

TYPES = ("string", "number", "integer", "boolean", "object", "array", "null")
_SHORT: dict[str, JsonSchema] = {
    "string": {"type": "string"},
    "number": {"type": "number"},
    "integer": {"type": "integer"},
    "boolean": {"type": "boolean"},
    "object": {"type": "object"},
    "any": {},
}
_SIMPLE = frozenset({
    "type", "properties", "required", "additionalProperties", "items", "enum", "minimum", "maximum",
    "minLength", "maxLength", "minItems", "maxItems", "title", "description", "default", "examples",
})  # fmt: skip
_KEYWORDS = _SIMPLE | {
    "$ref", "$defs", "$schema", "$id", "$anchor", "$comment", "definitions", "anyOf", "oneOf", "allOf", "not",
    "if", "then", "else", "const", "pattern", "format", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
    "uniqueItems", "prefixItems", "contains", "minContains", "maxContains", "patternProperties",
    "propertyNames", "minProperties", "maxProperties", "dependentRequired", "dependentSchemas",
    "unevaluatedItems", "unevaluatedProperties", "deprecated", "readOnly", "writeOnly",
}  # fmt: skip
_MAX_SIZE = 20_000
"""Parts of one schema with all names in it written out."""


class Shorthand:
    """Reads schemas of one file; `named` is its `schemas:` mapping."""

    def __init__(self, named: Map | None = None) -> None:
        self._named = named.entries if named is not None else {}
        self._done: dict[str, JsonSchema] = {}
        self._open: list[str] = []
        self._has_references = False
        self._sizes: dict[int, int] = {}
        self._kept: list[JsonSchema] = []  # ids in `_sizes` stay valid

    def read(self, node: Node) -> JsonSchema:
        """The schema that `node` describes. Raises `InvalidError`."""
        return self.read_optional(node)[0]

    def read_optional(self, node: Node, *, as_input: bool = False) -> tuple[JsonSchema, bool]:
        """The schema (null allowed if optional), and whether a `?` made it optional.

        `as_input`: a mapping with `type:` is never the short form of an object.
        """
        schema, optional = self._read_inner(node, as_input=as_input)
        if self._has_references:
            _check_local_references(node, schema)
        return schema, optional

    def read_all(self) -> dict[str, JsonSchema]:
        """Every named schema, checked."""
        for name, node in self._named.items():
            if name in _SHORT or name in TYPES:
                raise error(node, f"a schema cannot be named `{name}`", hint="that is a type already")
            if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]*", name):
                raise error(
                    node, f"`{show(name)}` cannot be a schema's name", hint="letters, digits, _ and -"
                )
            self._name(name, node)
        return dict(self._done)

    # --- nodes ---------------------------------------------------------------------------------

    def _read_inner(self, node: Node, *, as_input: bool = False) -> tuple[JsonSchema, bool]:
        schema, optional = self._read(node, as_input=as_input)
        return (self._made(node, nullable(schema)) if optional else schema), optional

    def _read(self, node: Node, *, as_input: bool = False) -> tuple[JsonSchema, bool]:
        if isinstance(node, Seq):
            if len(node.items) != 1:
                raise error(
                    node, "a list's type has one entry", hint="[string]; words to choose from are a|b|c"
                )
            return self._made(node, {"type": "array", "items": self._read_inner(node.items[0])[0]}), False
        if isinstance(node, Map):
            if is_json_schema(node, as_input=as_input):
                return self._json_schema(node)
            return self._object(node), False
        if not isinstance(node.value, str):
            raise error(
                node, f"a type is wanted, not {describe(node)}", hint="string, [string], a|b|c, {k: type}"
            )
        return self._text(node.value, node)

    def _object(self, node: Map) -> JsonSchema:
        properties: JsonSchema = {}
        required = []
        for key, child in node.entries.items():
            schema, optional = self._read_inner(child)
            properties[key] = schema
            if not optional:
                required.append(key)
        made: JsonSchema = {"type": "object", "properties": properties, "required": required}
        return self._made(node, {**made, "additionalProperties": False})

    def _text(self, text: str, node: Scalar) -> tuple[JsonSchema, bool]:
        """The short forms that are one word or phrase."""
        short = text.strip()
        optional = short.endswith("?")
        if optional:
            short = short[:-1].strip()
        if short.startswith("[") and short.endswith("]"):
            inner, inner_optional = self._text(short[1:-1], node)
            items = self._made(node, nullable(inner)) if inner_optional else inner
            return self._made(node, {"type": "array", "items": items}), optional
        if "|" in short:
            return self._enum(short, node), optional
        if short in _SHORT:
            return dict(_SHORT[short]), optional
        if short in self._named:
            return self._name(short, node), optional
        known = [*_SHORT, *self._named]
        raise error(node, f"`{show(text) or ' '}` is no type", hint=did_you_mean(short, known, label="types"))

    def _enum(self, short: str, node: Scalar) -> JsonSchema:
        words = [word.strip() for word in short.split("|")]
        if not all(words):
            raise error(node, f"`{show(short)}` has an empty choice", hint="a|b|c")
        if len(set(words)) < len(words):
            raise error(node, f"`{show(short)}` has the same choice twice")
        if any(w in _SHORT or w == "null" or w in self._named for w in words):
            raise error(
                node,
                f"`{show(short)}` mixes types with words",
                hint="optional is `string?`; several types need JSON Schema: {anyOf: [{type: string}, …]}",
            )
        return {"type": "string", "enum": words}

    def _name(self, name: str, user: Node) -> JsonSchema:
        if name in self._done:
            return self._done[name]
        if name in self._open:
            way = " → ".join([*self._open[self._open.index(name) :], name])
            raise error(user, f"the schema refers to itself: {show(way, 120)}")
        self._open.append(name)
        schema, _ = self._read_inner(self._named[name])
        self._open.pop()
        self._done[name] = schema
        return schema

    # --- JSON Schema ---------------------------------------------------------------------------

    def _json_schema(self, node: Map) -> tuple[JsonSchema, bool]:
        schema, optional, plain = self._expand(node)
        if not plain:
            self._check_whole(node, schema)
        return schema, optional

    def _expand(self, node: Map) -> tuple[JsonSchema, bool, bool]:
        """A JSON Schema in which types may be short → (schema, optional, only simple keywords)."""
        out: JsonSchema = {}
        optional, plain = False, _SIMPLE.issuperset(node.entries)
        for key, child in node.entries.items():
            if key == "type" and not self._is_type(child):
                short, optional = self._read(child)
                out = {**short, **out}
                continue
            if key == "$ref":
                named = self._reference(child)
                if named is not None:
                    out = {**named, **out}
                    continue
            value, simple = self._keyword(key, child)
            out[key] = value
            plain = plain and simple
        return self._made(node, out), optional, plain

    def _is_type(self, node: Node) -> bool:
        if isinstance(node, Seq):
            return len(node.items) > 1 and all(isinstance(i, Scalar) and i.value in TYPES for i in node.items)
        return isinstance(node, Scalar) and node.value in TYPES

    def _reference(self, node: Node) -> JsonSchema | None:
        """A `$ref` to a schema of this file, written out; None: it stays (`#/$defs/…`)."""
        if not isinstance(node, Scalar) or not isinstance(node.value, str):
            raise error(node, "`$ref` should be text")
        name = node.value.removeprefix("#/schemas/")
        if name in self._named:
            return self._name(name, node)
        if not node.value.startswith("#"):
            raise error(
                node,
                f"`$ref: {show(node.value)}` leads outside this file",
                hint=did_you_mean(name, self._named, label="schemas here"),
            )
        self._has_references = True
        return None

    def _keyword(self, key: str, node: Node) -> tuple[Json, bool]:
        """The value of one keyword, short types in it written out; whether all of it is simple."""
        if key in {"items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames"}:
            return self._subschema(node)
        if key in {"properties", "$defs", "definitions", "patternProperties", "dependentSchemas"}:
            if not isinstance(node, Map):
                raise error(node, f"`{key}` should be a mapping, not {describe(node)}")
            if key == "patternProperties":
                for name, child in node.entries.items():
                    _check_pattern(child, name)
            values = {name: self._subschema(child) for name, child in node.entries.items()}
            return {name: value for name, (value, _) in values.items()}, all(s for _, s in values.values())
        if key in {"anyOf", "oneOf", "allOf", "prefixItems"}:
            if not isinstance(node, Seq) or not node.items:
                raise error(node, f"`{key}` should be a list of types")
            return [self._subschema(child)[0] for child in node.items], False
        if key in {"minimum", "maximum"}:
            if (
                not isinstance(node, Scalar)
                or not isinstance(node.value, int | float)
                or isinstance(node.value, bool)
            ):
                raise error(node, f"`{key}` should be a number, not {describe(node)}")
        elif key in {"minLength", "maxLength", "minItems", "maxItems"}:
            count = node.value if isinstance(node, Scalar) else None
            if not isinstance(count, int) or isinstance(count, bool) or count < 0:
                raise error(node, f"`{key}` should be a whole number, not {describe(node)}")
        elif key == "enum":
            if not isinstance(node, Seq) or not node.items:
                raise error(node, "`enum` should be a list of values")
        elif key == "required":
            if not isinstance(node, Seq) or not all(isinstance(n, str) for n in node.plain_data()):
                raise error(
                    node,
                    "`required` should be a list of keys",
                    hint="an optional type is written `string?`, an optional input has a `default`",
                )
        elif key in {"title", "description"}:
            if not isinstance(node, Scalar) or not isinstance(node.value, str):
                raise error(node, f"`{key}` should be text, not {describe(node)}", hint="write it in quotes")
        elif key == "pattern":
            if not isinstance(node, Scalar) or not isinstance(node.value, str):
                raise error(node, f"`pattern` should be text, not {describe(node)}")
            _check_pattern(node, node.value)
        return node.plain_data(), key in _SIMPLE

    def _subschema(self, node: Node) -> tuple[Json, bool]:
        if isinstance(node, Scalar) and isinstance(node.value, bool):
            return node.value, True
        if isinstance(node, Map) and (is_json_schema(node) or _KEYWORDS.issuperset(node.entries)):
            schema, optional, plain = self._expand(node)
            return (self._made(node, nullable(schema)) if optional else schema), plain
        return self._read_inner(node)[0], True

    def _check_whole(self, node: Map, schema: JsonSchema) -> None:
        """What the simple checks do not cover, by the meta-schema."""
        import jsonschema

        try:
            jsonschema.Draft202012Validator.check_schema(schema)
        except jsonschema.SchemaError as problem:
            place: Node = node
            for part in problem.absolute_path:
                if isinstance(place, Map) and part in place.entries:
                    place = place.entries[str(part)]
                elif isinstance(place, Seq) and isinstance(part, int) and part < len(place.items):
                    place = place.items[part]
            raise error(place, f"no valid JSON Schema: {show(problem.message, 120)}") from None
        except RecursionError:
            raise error(node, "the schema is nested too deep") from None

    def _made(self, node: Node, schema: JsonSchema) -> JsonSchema:
        """Keep count of how large a schema is with its names written out."""
        size = 1 + self._size(schema)
        if size > _MAX_SIZE:
            raise error(
                node, f"the schema is too large with its names written out (more than {_MAX_SIZE:,} parts)"
            )
        self._sizes[id(schema)] = size
        self._kept.append(schema)
        return schema

    def _size(self, value: Json) -> int:
        if isinstance(value, dict):
            known = self._sizes.get(id(value))
            return known if known is not None else 1 + sum(self._size(v) for v in value.values())
        if isinstance(value, list):
            return 1 + sum(self._size(v) for v in value)
        return 1


def is_json_schema(node: Map, *, as_input: bool = False) -> bool:
    """Whether a mapping is JSON Schema rather than the short form of an object with such keys."""
    entries = node.entries
    if not entries or not _KEYWORDS.issuperset(entries):
        return False
    for key in ("title", "description"):  # `{type: string, title: string}` is an object
        word = entries.get(key)
        if (
            isinstance(word, Scalar)
            and isinstance(word.value, str)
            and word.value.removesuffix("?") in _SHORT
        ):
            return False
    if "type" in entries:
        kind = entries["type"]
        names = kind.items if isinstance(kind, Seq) else [kind]
        return as_input or all(isinstance(n, Scalar) and n.value in TYPES for n in names)
    return (
        any(isinstance(entries.get(key), Map) for key in ("properties", "$defs"))
        or any(isinstance(entries.get(key), Seq) for key in ("enum", "anyOf", "oneOf", "allOf"))
        or "$ref" in entries
        or "const" in entries
    )


def nullable(schema: Mapping[str, Json]) -> JsonSchema:
    """The schema with null allowed."""
    if not schema:
        return {}
    if set(schema) & {"anyOf", "oneOf", "allOf", "$ref", "const", "not", "if"} or "type" not in schema:
        return {"anyOf": [dict(schema), {"type": "null"}]}
    kinds = schema["type"]
    names = [kinds] if isinstance(kinds, str) else list(kinds)
    out = {**schema, "type": [*names, *(() if "null" in names else ("null",))]}
    if "enum" in schema and None not in schema["enum"]:
        out["enum"] = [*schema["enum"], None]
    return out


def _check_pattern(node: Node, pattern: str) -> None:
    """A regular expression that compiles and cannot take exponential time on a model's text."""
    try:
        parsed = re._parser.parse(pattern)  # noqa: SLF001 - the way to look inside
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as problem:
        raise error(node, f"`{show(pattern)}` is no regular expression: {show(str(problem), 80)}") from None
    if len(pattern) > 500 or _nested_repeat(parsed, inside=False):
        raise error(
            node, f"`{show(pattern)}` could take forever", hint="a repeat inside a repeat, such as (a+)+"
        )


def _nested_repeat(parsed: Any, *, inside: bool) -> bool:
    for _, argument in parsed:
        if isinstance(argument, tuple) and len(argument) == 3 and isinstance(argument[0], int):
            _, high, body = argument
            if hasattr(body, "data"):
                many = int(high) > 100
                if (many and inside) or _nested_repeat(body, inside=inside or many):
                    return True
                continue
        if any(_nested_repeat(part, inside=inside) for part in _parts(argument)):
            return True
    return False


def _parts(argument: Any) -> list[Any]:
    """Sub-patterns inside an argument of a parsed pattern."""
    if hasattr(argument, "data"):
        return [argument]
    if isinstance(argument, tuple | list):
        return [p for a in argument for p in _parts(a)]
    return []


def _check_local_references(node: Node, schema: JsonSchema) -> None:
    """Each `#/…` leads somewhere in this schema."""
    for ref in _references(schema):
        place: Json = schema
        for part in ref.removeprefix("#").strip("/").split("/") if ref != "#" else []:
            key = part.replace("~1", "/").replace("~0", "~")
            if not isinstance(place, dict) or key not in place:
                raise error(
                    node, f"`$ref: {show(ref)}` leads nowhere", hint="`$defs` of this same schema, or a name"
                )
            place = place[key]


def _references(value: Json) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [r for v in value.values() for r in _references(v)]
    if isinstance(value, list):
        return [r for v in value for r in _references(v)]
    return []
