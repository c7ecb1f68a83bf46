from __future__ import annotations

from typing import Any

import pytest

from aethermind.definitions.inputs import describe_type, parse_inputs, read_inputs
from aethermind.definitions.nodes import Map
from aethermind.definitions.shorthand import Shorthand
from aethermind.domain.errors import InvalidError
from aethermind.domain.workflow import InputDef
from tests.definitions.helpers import node


def inputs(text: str) -> dict[str, InputDef]:
    found = node(text)
    assert isinstance(found, Map)
    return read_inputs(found, Shorthand())


MANY = inputs(
    "{topic: string, depth: {type: integer, default: 3, minimum: 1, maximum: 10, description: how deep}, "
    'tags: "[string]?", mode: {type: fast|slow, default: fast}, share: number?, dry: boolean?, any: any?, '
    "pair: {type: object, properties: {a: integer}, default: {a: 1}}}"
)


def test_definitions() -> None:
    assert MANY["topic"] == InputDef(schema={"type": "string"})
    assert MANY["depth"] == InputDef(
        schema={"type": "integer", "minimum": 1, "maximum": 10},
        required=False,
        default=3,
        description="how deep",
    )
    assert not MANY["tags"].required
    assert MANY["mode"].default == "fast"


def test_defaults_are_filled_in() -> None:
    assert parse_inputs(MANY, {"topic": "tides"}) == {
        "topic": "tides", "depth": 3, "tags": None, "mode": "fast", "share": None, "dry": None, "any": None,
        "pair": {"a": 1},
    }  # fmt: skip


@pytest.mark.parametrize(
    "name,text,value",
    [
        ("topic", "3", "3"),
        ("topic", "", ""),
        ("depth", "5", 5),
        ("depth", " 7 ", 7),
        ("tags", '["a", "b"]', ["a", "b"]),
        ("tags", "", None),
        ("share", "0.25", 0.25),
        ("share", "2", 2),
        ("share", "1e-3", 0.001),
        ("dry", "true", True),
        ("dry", "False", False),
        ("mode", "slow", "slow"),
        ("any", "[1]", "[1]"),
        ("pair", '{"a": 2}', {"a": 2}),
    ],
)
def test_texts_are_typed_by_the_schema(name: str, text: str, value: object) -> None:
    assert parse_inputs(MANY, {"topic": "x", name: text})[name] == value


@pytest.mark.parametrize(
    "given,fragment",
    [
        ({}, "missing input: topic (-i topic=…)"),
        ({"topik": "x"}, "there is no input `topik` (did you mean `topic`?)"),
        ({"topic": "x", "depth": "three"}, "'three' is not a whole number from 1 to 10"),
        ({"topic": "x", "depth": "2.5"}, "not a whole number"),
        ({"topic": "x", "depth": "11"}, "input `depth`: 11 is greater than the maximum of 10"),
        ({"topic": "x", "depth": "9" * 50}, "not a whole number"),
        ({"topic": "x", "dry": "yes"}, "'yes' is not true or false (-i dry=true)"),
        ({"topic": "x", "mode": "medium"}, "(one of: fast, slow)"),
        ({"topic": "x", "tags": "a,b"}, "not a list (JSON)"),
        ({"topic": "x", "tags": '["a"'}, "no valid JSON"),
        ({"topic": "x", "tags": "[NaN]"}, "no valid JSON"),
        ({"topic": "x", "tags": '["\\ud800"]'}, "no valid JSON"),
        ({"topic": "x", "tags": "[" * 50_000}, "no valid JSON"),
        ({"topic": "x", "tags": "[1]"}, "is not of type 'string'"),
        ({"topic": "x", "share": "1e999"}, "not a number"),
        ({"topic": 5}, "5 is not of type 'string'"),
    ],
)
def test_unfit_inputs_are_named(given: dict[str, Any], fragment: str) -> None:
    with pytest.raises(InvalidError) as caught:
        parse_inputs(MANY, given)
    assert fragment in caught.value.line()


def test_several_missing_inputs_are_named_at_once() -> None:
    with pytest.raises(InvalidError) as caught:
        parse_inputs(inputs("{a: string, b: integer}"), {})
    assert caught.value.line() == "missing inputs: a, b (-i a=… -i b=1)"


def test_values_that_are_no_texts_of_a_person_are_not_typed() -> None:
    assert parse_inputs(MANY, {"topic": "x", "depth": 4}, from_text=False)["depth"] == 4
    with pytest.raises(InvalidError, match="'4' is not of type 'integer'"):
        parse_inputs(MANY, {"topic": "x", "depth": "4"}, from_text=False)


@pytest.mark.parametrize(
    "text,place,fragment",
    [
        ("{a: {type: integer, default: x}}", "1:30", "does not fit its type: 'x' is not of type 'integer'"),
        ("{a: {type: integer, maximum: 3, default: 4}}", "1:42", "greater than the maximum"),
        ("{a-b: string}", "1:2", "cannot be an input's name"),
    ],
)
def test_refused_definitions(text: str, place: str, fragment: str) -> None:
    with pytest.raises(InvalidError) as caught:
        inputs(text)
    assert caught.value.line().startswith(f"f:{place}: ")
    assert fragment in caught.value.message


@pytest.mark.parametrize(
    "schema,words",
    [
        ({"type": "integer", "minimum": 1}, "a whole number, at least 1"),
        ({"type": ["string", "null"]}, "text"),
        ({"type": "string", "enum": ["a", "b"]}, "one of: a, b"),
        ({}, "a value"),
    ],
)
def test_types_in_words(schema: dict[str, Any], words: str) -> None:
    assert describe_type(schema) == words
