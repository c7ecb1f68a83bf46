from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aethermind.definitions.schemas import JsonSchemas, quick_check
from aethermind.domain.errors import OutputError

SCHEMAS = JsonSchemas()
VERDICT: dict[str, Any] = {
    "type": "object",
    "properties": {
        "score": {"type": "number"},
        "issues": {"type": "array", "items": {"type": "string"}},
        "note": {"type": ["string", "null"]},
    },
    "required": ["score", "issues"],
    "additionalProperties": False,
}
GOOD = {"score": 7, "issues": ["short"], "note": None}


@pytest.mark.parametrize(
    "text",
    [
        '{"score": 7, "issues": ["short"]}',
        '\n  {"score": 7, "issues": ["short"], "note": null}\n',
        '```json\n{"score": 7, "issues": ["short"]}\n```',
        '```\n{"score": 7, "issues": ["short"]}\n```\n',
        'Here you are:\n\n```json\n{"score": 7, "issues": ["short"]}\n```\nAnything else?',
        'I think {"score": 7, "issues": ["short"]} is fair.',
        'First {"draft": true}, then {"score": 7, "issues": ["short"]}.',
        '\ufeff{"score": 7, "issues": ["short"]}',
    ],
)
def test_json_is_found_in_what_models_write(text: str) -> None:
    assert SCHEMAS.parse(text, VERDICT) == GOOD


@pytest.mark.parametrize(
    "text,problem",
    [
        ('{"score": 7, "issues": [5]}', "$.issues[0]: 5 is not of type 'string'"),
        ('{"score": 7}', "$: 'issues' is a required property"),
        ('{"score": 7, "issues": [], "extra": 1}', "$: Additional properties are not allowed"),
        ("", "the answer is empty"),
        ("I would rather not.", "no JSON value in the answer: I would rather not."),
        ('{"score": NaN, "issues": []}', "no JSON value"),
        ('{"score": 7, "issues": ["\\ud800"]}', "no JSON value"),
        ("[" * 100_000, "no JSON value"),
        ("{" * 100_000, "no JSON value"),
    ],
)
def test_what_does_not_fit_is_named(text: str, problem: str) -> None:
    with pytest.raises(OutputError) as caught:
        SCHEMAS.parse(text, VERDICT)
    assert caught.value.info.kind == "output"
    assert caught.value.message.startswith(problem)
    assert len(caught.value.message.splitlines()) == 1
    assert len(caught.value.message) < 400


@pytest.mark.parametrize(
    "text,schema,value",
    [
        ("plain words", {"type": "string"}, "plain words"),
        ('"quoted"', {"type": "string"}, "quoted"),
        ("12", {"type": "string"}, "12"),
        ("approve", {"type": "string", "enum": ["approve", "reject"]}, "approve"),
        ("8", {"type": "integer"}, 8),
        ("```\n8\n```", {"type": "number"}, 8),
        ("true", {"type": "boolean"}, True),
        ('["a"]', {"type": "array"}, ["a"]),
        ("anything", {}, "anything"),
    ],
)
def test_answers_that_are_no_objects(text: str, schema: dict[str, Any], value: object) -> None:
    assert SCHEMAS.parse(text, schema) == value


def test_a_long_misfit_is_cut() -> None:
    with pytest.raises(OutputError) as caught:
        SCHEMAS.check({"score": "x" * 10_000, "issues": []}, VERDICT)
    assert caught.value.message.startswith("$.score: 'xxx")
    assert caught.value.message.endswith("is not of type 'number'")


def test_absent_optional_fields_come_back_as_null_at_any_depth() -> None:
    schema = {"type": "array", "items": {"anyOf": [VERDICT, {"type": "null"}]}}
    bare = {"score": 1, "issues": []}
    assert SCHEMAS.check([bare, None], schema) == [{**bare, "note": None}, None]
    assert bare == {"score": 1, "issues": []}, "the value given is not changed"


def test_references_never_leave_the_process() -> None:
    with pytest.raises(OutputError, match="which is not there"):
        SCHEMAS.check({}, {"$ref": "https://example.invalid/schema.json"})


def test_a_value_nested_without_end_is_an_error() -> None:
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(OutputError, match="nested too deep"):
        SCHEMAS.check(
            value, {"$ref": "#/$defs/t", "$defs": {"t": {"type": "array", "items": {"$ref": "#/$defs/t"}}}}
        )
    while value:  # taken apart by hand, since even forgetting it would recurse
        value = value.pop()


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from([0.5, 1.0, -2.0])
    | st.sampled_from("ab"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


def an_object(properties: dict[str, Any], required: list[str], *, extra: bool) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in required if name in properties],
        "additionalProperties": extra,
    }


simple_schemas = st.sampled_from([
    {}, {"type": "string"}, {"type": "integer"}, {"type": "number"}, {"type": "boolean"}, {"type": "null"},
    {"type": ["string", "null"]}, {"enum": ["a", 1, True, None]}, {"type": "string", "minLength": 1},
    {"type": "integer", "minimum": 0, "maximum": 2}, {"minItems": 1, "maxItems": 2},
])  # fmt: skip
plain_schemas = st.recursive(
    simple_schemas,
    lambda inner: (
        st.builds(lambda s: {"type": "array", "items": s}, inner)
        | st.builds(lambda a, b: {"anyOf": [a, b]}, inner, inner)
        | st.builds(
            an_object,
            st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
            st.lists(st.sampled_from("abc"), unique=True),
            extra=st.booleans(),
        )
    ),
    max_leaves=6,
)


@given(json_values, plain_schemas)
def test_the_quick_way_says_what_jsonschema_says(value: object, schema: dict[str, Any]) -> None:
    assert quick_check(value, schema) is jsonschema.Draft202012Validator(schema).is_valid(value)
