from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aethermind.domain.errors import InvalidError
from aethermind.domain.workflow import InputDef
from aethermind.tui.screens.fields import Kind, field_of, read, written


def make(schema: dict[str, Any], *, required: bool = True, default: Any = None) -> Any:
    return field_of("x", InputDef(schema=schema, required=required, default=default))


STRING = {"type": "string"}
DEPTH = {"type": "integer", "minimum": 1, "maximum": 10}
LIST = {"type": "array", "items": {"type": "string"}}


@pytest.mark.parametrize(
    "schema, kind",
    [
        (STRING, "text"),
        ({"type": ["string", "null"]}, "text"),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "number"),
        ({"type": "number"}, "number"),
        ({"type": "boolean"}, "boolean"),
        ({"enum": ["a", "b"]}, "choice"),
        (LIST, "list"),
        ({"type": "object"}, "json"),
        ({}, "json"),
    ],
)
def test_the_control_follows_from_the_schema(schema: dict[str, Any], kind: Kind) -> None:
    assert make(schema).kind == kind


@pytest.mark.parametrize(
    "schema, text, value",
    [
        (STRING, "tides", "tides"),
        (STRING, " two words ", " two words "),
        (STRING, "@@home", "@home"),
        (DEPTH, " 7 ", 7),
        ({"type": "number"}, "0.5", 0.5),
        ({"type": "boolean"}, "true", True),
        ({"enum": ["de", "en"]}, "en", "en"),
        (LIST, "moon\n\n sun \n", ["moon", " sun "]),
        (LIST, '["a\\nb", "c"]', ["a\nb", "c"]),
        ({"type": "array", "items": {"type": "integer"}}, "1\n2", [1, 2]),
        ({"type": "object"}, '{"a": [1]}', {"a": [1]}),
    ],
)
def test_a_text_is_read_as_its_type(schema: dict[str, Any], text: str, value: Any) -> None:
    assert read(make(schema), text) == (True, value)


@pytest.mark.parametrize(
    "schema, text, said",
    [
        (STRING, "", "is needed"),
        (DEPTH, "11", "greater than the maximum of 10"),
        (DEPTH, "many", "is not a whole number from 1 to 10"),
        ({"type": "boolean"}, "maybe", "is not true or false"),
        ({"enum": ["de", "en"]}, "fr", "de"),
        (LIST, "[1,", "no valid JSON"),
        ({"type": "object"}, "{", "no valid JSON"),
        ({"type": "array", "items": {"type": "integer"}}, "1\nb", "is not a whole number"),
        (STRING, "@no/such/file", "there is no file no/such/file"),
    ],
)
def test_what_does_not_fit_is_said_without_the_fields_name(
    schema: dict[str, Any], text: str, said: str
) -> None:
    with pytest.raises(InvalidError) as caught:
        read(make(schema), text)
    assert said in caught.value.message
    assert "input `x`" not in caught.value.message


def test_what_is_not_needed_may_be_left_empty() -> None:
    assert read(make(DEPTH, required=False, default=3), "") == (False, None)
    assert read(make(STRING, required=False), "") == (False, None)
    assert read(make(LIST, required=False), "\n") == (False, None)


def test_a_file_is_read_when_the_value_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "diff.txt"
    path.write_text("+ line\n")
    assert read(make(STRING), f"@{path}") == (True, "+ line\n")
    assert read(make(STRING), f"@{path}", files=False) == (True, None)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidError, match="is not UTF-8"):
        read(make(STRING), f"@{path}")
    with pytest.raises(InvalidError, match="Is a directory"):
        read(make(STRING), f"@{tmp_path}")


@pytest.mark.parametrize(
    "schema, value",
    [
        (STRING, "tides"),
        (DEPTH, 3),
        ({"type": "boolean"}, False),
        ({"enum": ["de", "en"]}, "en"),
        (LIST, ["moon", "sun"]),
        (LIST, ["two\nlines", ""]),
        (LIST, ["[odd"]),
        ({"type": "object"}, {"a": {"b": [1, None]}}),
    ],
)
def test_a_default_is_written_as_it_is_read(schema: dict[str, Any], value: Any) -> None:
    field = make(schema, required=False, default=value)
    assert read(field, written(field, value)) == (True, value)
    assert field.initial == written(field, value)


def test_options_have_an_empty_one_where_no_answer_is_needed() -> None:
    assert make({"enum": ["a", "b"]}).options == ["a", "b"]
    assert make({"enum": ["a", None]}, required=False).options == ["", "a"]
    assert make({"type": "boolean"}, required=False, default=True).options == ["true", "false"]


def test_the_hint_tells_what_fits() -> None:
    field = field_of("depth", InputDef(schema=DEPTH, description="How deep"))
    assert field.hint == "How deep (a whole number from 1 to 10)"
    assert field_of("t", InputDef(schema=STRING, description="What about")).hint == "What about"
    assert make(LIST).hint == "a list: one a line, or JSON"
