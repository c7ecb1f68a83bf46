"""Structured output: what each API is told of a schema, and how an endpoint without schemas is asked."""

from __future__ import annotations

from typing import Any

import pytest

from aethermind.engine.ports import ChatRequest
from tests.servers import wires
from tests.servers.http import Request, serve
from tests.servers.peers import ask, collect, connect
from tests.servers.wires import Anthropic, Chat, Ollama, Responses, Wire

OBJECT = {
    "type": "object",
    "properties": {"sections": {"type": "array", "items": {"type": "string"}}},
    "required": ["sections"],
    "additionalProperties": False,
}
OPTIONAL = {
    "type": "object",
    "properties": {"a": {"type": "string"}, "b": {"type": "integer"}},
    "required": ["a"],
}
LIST = {"type": "array", "items": {"type": "string"}}


async def sent(wire: Wire, request: ChatRequest, **options: Any) -> Request:
    """The request as the server saw it."""
    async with serve(wires.good(wire)) as server:
        provider = connect(wire, server.url, **options)
        await collect(provider, request)
        await provider.close()
        return server.last


async def test_chat_schema() -> None:
    body = (await sent(Chat(), ask(output_schema=OBJECT))).json
    format_ = body["response_format"]
    assert format_["type"] == "json_schema"
    assert format_["json_schema"] == {"name": "output", "schema": OBJECT, "strict": True}


async def test_a_schema_that_strict_mode_cannot_say_is_sent_as_a_hint() -> None:
    body = (await sent(Chat(), ask(output_schema=OPTIONAL))).json
    assert body["response_format"]["json_schema"] == {"name": "output", "schema": OPTIONAL, "strict": False}


async def test_responses_schema() -> None:
    body = (await sent(Responses(), ask(output_schema=OBJECT))).json
    assert body["text"]["format"] == {
        "type": "json_schema",
        "name": "output",
        "schema": OBJECT,
        "strict": True,
    }


TOLD = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 3, "description": "Whose."},
        "link": {"type": "string", "format": "uri"},
        "kind": {"oneOf": [{"const": "a"}, {"type": "null"}]},
    },
    "required": ["name", "link", "kind"],
}
OPEN = {
    "type": "object",
    "properties": {"scores": {"type": "object", "additionalProperties": {"type": "number"}}},
}


async def test_what_strict_mode_does_not_enforce_is_told_in_the_description() -> None:
    """And checked by us afterwards, as every answer is."""
    body = (await sent(Chat(), ask(output_schema=TOLD))).json
    told = body["response_format"]["json_schema"]
    assert told["strict"] is True
    assert told["schema"] == {
        "type": "object",
        "properties": {
            "name": {"type": "string", "description": "Whose. (minLength: 3)"},
            "link": {"type": "string", "description": '(format: "uri")'},
            "kind": {"anyOf": [{"const": "a"}, {"type": "null"}]},
        },
        "required": ["name", "link", "kind"],
        "additionalProperties": False,
    }


async def test_a_schema_with_free_keys_is_asked_for_in_words_where_all_objects_are_closed() -> None:
    body = (await sent(Anthropic(), ask(output_schema=OPEN))).json
    assert "output_config" not in body
    assert "JSON Schema" in body["system"][0]["text"]
    chat = (await sent(Chat(), ask(output_schema=OPEN))).json
    assert chat["response_format"]["json_schema"] == {"name": "output", "schema": OPEN, "strict": False}


async def test_anthropic_schema_and_effort_together() -> None:
    body = (await sent(Anthropic(), ask(output_schema=OBJECT, settings={"reasoning": "low"}))).json
    assert body["output_config"]["effort"] == "low"
    assert body["output_config"]["format"]["type"] == "json_schema"
    assert body["output_config"]["format"]["schema"]["required"] == ["sections"]


async def test_ollama_schema() -> None:
    assert (await sent(Ollama(), ask(output_schema=LIST))).json["format"] == LIST


@pytest.mark.parametrize("wire", [Chat(), Responses(), Anthropic()], ids=lambda wire: wire.name)
async def test_a_list_is_asked_for_in_words(wire: Wire) -> None:
    request = await sent(wire, ask(output_schema=LIST, instructions="Be brief."))
    assert wires.schema_of(request.json) is None
    text = request.body.decode()
    assert "JSON Schema" in text
    assert "Be brief." in text


@pytest.mark.parametrize("structured, kind", [("json_object", "json_object"), ("prompt", None)])
async def test_endpoints_that_know_no_schemas(structured: str, kind: str | None) -> None:
    body = (await sent(Chat(), ask(output_schema=OBJECT), structured=structured)).json
    assert body.get("response_format", {}).get("type") == kind
    assert "JSON Schema" in body["messages"][0]["content"]
