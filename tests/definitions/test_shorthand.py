from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from aethermind.definitions.nodes import Map
from aethermind.definitions.shorthand import Shorthand
from aethermind.domain.errors import InvalidError
from tests.definitions.helpers import node

NAMED = node("verdict: {score: number, issues: [string]}")
assert isinstance(NAMED, Map)
VERDICT = {
    "type": "object",
    "properties": {"score": {"type": "number"}, "issues": {"type": "array", "items": {"type": "string"}}},
    "required": ["score", "issues"],
    "additionalProperties": False,
}


def read(text: str) -> dict[str, Any]:
    assert isinstance(NAMED, Map)
    schema = Shorthand(NAMED).read(node(text))
    jsonschema.Draft202012Validator.check_schema(schema)
    return schema


@pytest.mark.parametrize(
    "text,schema",
    [
        ("string", {"type": "string"}),
        ("any", {}),
        ("integer?", {"type": ["integer", "null"]}),
        ("[number]", {"type": "array", "items": {"type": "number"}}),
        ('"[string?]?"', {"type": ["array", "null"], "items": {"type": ["string", "null"]}}),
        ("yes|no", {"type": "string", "enum": ["yes", "no"]}),
        ("a|b?", {"type": ["string", "null"], "enum": ["a", "b", None]}),
        ("verdict", VERDICT),
        ("[verdict]", {"type": "array", "items": VERDICT}),
        ("{$ref: verdict}", VERDICT),
        ('{$ref: "#/schemas/verdict"}', VERDICT),
        ("{type: integer, minimum: 1}", {"type": "integer", "minimum": 1}),
        ("{type: array, items: string}", {"type": "array", "items": {"type": "string"}}),
        ('{type: [string, "null"]}', {"type": ["string", "null"]}),
        ("{enum: [1, a]}", {"enum": [1, "a"]}),
        ("{anyOf: [string, integer]}", {"anyOf": [{"type": "string"}, {"type": "integer"}]}),
    ],
)
def test_short_and_long_forms(text: str, schema: dict[str, Any]) -> None:
    assert read(text) == schema


def test_an_optional_key_may_be_missing_or_null() -> None:
    schema = read("{title: string, note: string?}")
    assert schema["required"] == ["title"]
    validator = jsonschema.Draft202012Validator(schema)
    for good in ({"title": "x"}, {"title": "x", "note": None}, {"title": "x", "note": "y"}):
        assert validator.is_valid(good)
    for bad in ({"note": "y"}, {"title": 1}, {"title": "x", "other": 1}):
        assert not validator.is_valid(bad)


def test_an_optional_object_may_be_null() -> None:
    schema = read("{verdict: verdict, other: {type: object, properties: {a: string}}}")
    assert schema["properties"]["verdict"] == VERDICT
    assert jsonschema.Draft202012Validator(read("verdict?")).is_valid(None)


@pytest.mark.parametrize("text", ["{type: bug|feature, title: string}", "{type: string, title: string}"])
def test_an_object_may_have_a_key_called_type(text: str) -> None:
    assert set(read(text)["properties"]) == {"type", "title"}


def test_as_an_input_a_mapping_with_type_is_a_type() -> None:
    schema, optional = Shorthand().read_optional(node("{type: a|b, description: which}"), as_input=True)
    assert schema == {"type": "string", "enum": ["a", "b"], "description": "which"}
    assert not optional


def test_local_references_stay() -> None:
    kids = '{type: array, items: {$ref: "#/$defs/tree"}}'
    schema = read(
        f'{{$ref: "#/$defs/tree", $defs: {{tree: {{type: object, properties: {{kids: {kids}}}}}}}}}'
    )
    validator = jsonschema.Draft202012Validator(schema)
    assert validator.is_valid({"kids": [{"kids": []}]})
    assert not validator.is_valid({"kids": [1]})


@pytest.mark.parametrize(
    "text,place,fragment",
    [
        ("strng", "1:1", "is no type"),
        ("[string, number]", "1:1", "one entry"),
        ("[]", "1:1", "one entry"),
        ("5", "1:1", "a type is wanted"),
        ("{a: }", "1:5", "a type is wanted"),
        ("a||b", "1:1", "empty choice"),
        ("a|a", "1:1", "twice"),
        ("string|number", "1:1", "mixes types"),
        ("{k: [{deep: unknwon}]}", "1:13", "is no type"),
        ("{type: integer, minimum: low}", "1:26", "should be a number"),
        ("{type: string, minLength: -1}", "1:27", "whole number"),
        ("{type: string, required: false}", "1:26", "list of keys"),
        ("{type: string, format: 5}", "1:24", "no valid JSON Schema"),
        ('{$ref: "http://x/y"}', "1:8", "outside this file"),
        ('{$ref: "#/$defs/x"}', "1:1", "leads nowhere"),
        ('{k: {$ref: "#/$defs/x", $defs: {x: string}}}', "1:1", "leads nowhere"),
        ("{type: string, pattern: '('}", "1:25", "no regular expression"),
        ("{type: string, pattern: '(a*)*b'}", "1:25", "could take forever"),
        ("{type: object, patternProperties: {'(a+)+': string}}", "1:45", "could take forever"),
    ],
)
def test_refused_types(text: str, place: str, fragment: str) -> None:
    with pytest.raises(InvalidError) as caught:
        read(text)
    assert caught.value.line().startswith(f"f:{place}: ")
    assert fragment in caught.value.message


@pytest.mark.parametrize("name", ["string", "array", "no way"])
def test_refused_names_of_schemas(name: str) -> None:
    named = node(f"{name}: {{a: string}}")
    assert isinstance(named, Map)
    with pytest.raises(InvalidError):
        Shorthand(named).read_all()


def test_all_named_schemas_are_checked() -> None:
    named = node("a: [b]\nb: {c: integer}")
    assert isinstance(named, Map)
    assert set(Shorthand(named).read_all()) == {"a", "b"}
