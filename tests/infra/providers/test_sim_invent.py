"""Made-up values fit any schema that this product's short forms and ordinary JSON Schemas can say."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aethermind.infra.providers.sim_invent import Inventor, topics

scalars: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({"type": "boolean"}),
    st.just({"type": "null"}),
    st.lists(st.one_of(st.text(), st.integers(), st.none()), min_size=1, unique=True).map(
        lambda v: {"enum": v}
    ),
    st.one_of(st.integers(), st.text()).map(lambda v: {"const": v}),
    st.tuples(st.integers(-1_000, 1_000), st.integers(0, 500)).map(
        lambda r: {"type": "integer", "minimum": r[0], "maximum": r[0] + r[1]}
    ),
    st.integers(-50, 50).map(lambda v: {"type": "number", "exclusiveMinimum": v}),
    st.integers(-50, 50).map(lambda v: {"type": "integer", "exclusiveMaximum": v}),
    st.integers(1, 9).map(lambda v: {"type": "integer", "multipleOf": v, "minimum": 0, "maximum": 50}),
    st.tuples(st.integers(0, 40), st.integers(0, 200)).map(
        lambda r: {"type": "string", "minLength": r[0], "maxLength": r[0] + r[1]}
    ),
    st.sampled_from(["date", "date-time", "email", "uri", "uuid"]).map(
        lambda f: {"type": "string", "format": f}
    ),
    st.sampled_from(["^[a-z]+$", r"^\d+$", r"^\d{4}-\d\d-\d\d$"]).map(
        lambda p: {"type": "string", "pattern": p}
    ),
    st.just({"type": ["string", "null"]}),
    st.just({}),
)


def containers(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    objects = st.dictionaries(st.text(min_size=1, max_size=8), inner, max_size=4).flatmap(
        lambda properties: st.sets(st.sampled_from(sorted(properties) or [""])).map(
            lambda required: {
                "type": "object",
                "properties": properties,
                "required": sorted(required & set(properties)),
                "additionalProperties": False,
            }
        )
    )
    arrays = st.tuples(inner, st.integers(0, 3), st.integers(0, 4)).map(
        lambda p: {"type": "array", "items": p[0], "minItems": p[1], "maxItems": p[1] + p[2]}
    )
    maps = inner.map(lambda s: {"type": "object", "additionalProperties": s})
    choices = st.lists(inner, min_size=1, max_size=3).map(lambda s: {"anyOf": s})
    return st.one_of(objects, arrays, maps, choices)


schemas = st.recursive(scalars, containers, max_leaves=8)


@settings(max_examples=200, deadline=None)
@given(schema=schemas, basis=st.text(max_size=5), number=st.integers(1, 5))
def test_values_fit(schema: dict[str, Any], basis: str, number: int) -> None:
    value = Inventor(basis, "Tides and moons", round_number=number).value(schema)
    jsonschema.validate(value, schema)
    assert Inventor(basis, "Tides and moons", round_number=number).value(schema) == value


def object_of(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


def list_of(items: object, **more: Any) -> dict[str, Any]:
    return {"type": "array", "items": items, **more}


DIGIT = {"type": "integer", "minimum": 0, "maximum": 9}
TEXT = {"type": "string"}
TREE = {"$ref": "#/$defs/tree"}

UNCOMMON = {
    "a chain": {"$defs": {"tree": {"type": "object", "properties": {"next": TREE}}}, **TREE},
    "a tree": {"$defs": {"tree": object_of(leaf=TEXT, kids=list_of(TREE))}, **TREE},
    "a bush": {"$defs": {"tree": object_of(**{name: list_of(TREE) for name in "abcdefgh"})}, **TREE},
    "allOf": {"allOf": [object_of(a=DIGIT), {"required": ["b"]}]},
    "a set": list_of(DIGIT, uniqueItems=True, minItems=3),
    "a tuple": list_of(False, prefixItems=[TEXT, DIGIT], minItems=2),
    "a map": {"type": "object", "minProperties": 3, "additionalProperties": TEXT},
    "oneOf": {"oneOf": [{"type": "null"}, TEXT]},
}


@pytest.mark.parametrize("schema", UNCOMMON.values(), ids=UNCOMMON.keys())
def test_less_common_schemas(schema: dict[str, Any]) -> None:
    value = Inventor("x", "Tides").value(schema)
    jsonschema.validate(value, schema)
    assert len(json.dumps(value)) < 1_000_000


def test_topics_are_the_words_that_carry_meaning() -> None:
    assert topics("Write the section about harbour dues, please.") == ("harbour", "dues")
    assert topics("") == ("the matter", "the question")
    assert topics("1 2 3 …") == ("the matter", "the question")
