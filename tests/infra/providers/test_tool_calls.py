"""Calls of tools on every wire format: what a model asks for, and what it gets back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from aethermind.engine.ports import ChatEvent, ChatRequest, Message, ToolCallRequested
from aethermind.infra.providers.deadlines import Deadlines
from tests.servers import wires
from tests.servers.http import Script, serve
from tests.servers.peers import ask, collect, connect, end_of, failure, text_of
from tests.servers.wires import SIGNATURE, WIRES, Anthropic, Asked, Chat, Ollama, Responses, Wire

every_wire = pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = (
    {"name": "weather", "description": "The weather of a city.", "input_schema": SCHEMA},
    {"name": "clock", "description": "The time.", "input_schema": {"type": "object", "properties": {}}},
)
TWO = (
    Asked("weather", '{"city": "Göteborg", "days": [1, 2]}', "id_a"),
    Asked("clock", "", "id_b"),
)


def requested(events: Sequence[ChatEvent]) -> list[ToolCallRequested]:
    return [event for event in events if isinstance(event, ToolCallRequested)]


async def answered(wire: Wire, *, request: ChatRequest | None = None, **more: Any) -> list[ChatEvent]:
    async with serve(wires.good(wire, **more)) as server:
        provider = connect(wire, server.url)
        events = await collect(provider, request or ask(tools=TOOLS))
        await provider.close()
        return events


def message_of(events: Sequence[ChatEvent]) -> Message:
    """The answer, as a message of the next request."""
    calls = tuple(
        {"id": call.id, "name": call.name, "arguments": call.arguments} for call in requested(events)
    )
    end = end_of(list(events))
    return Message(role="assistant", content=text_of(list(events)), tool_calls=calls, carry=end.carry)


def conversation(events: Sequence[ChatEvent], *results: Message) -> tuple[Message, ...]:
    return (Message(role="user", content="How is it?"), message_of(events), *results)


async def returned(wire: Wire, first: dict[str, Any], *results: Message, model: str = "m-1") -> Any:
    """The body of the second request, after an answer that called tools."""
    async with serve(Script([wires.good(wire, **first), wires.good(wire)])) as server:
        provider = connect(wire, server.url)
        events = await collect(provider, ask(tools=TOOLS))
        messages = conversation(events, *results)
        await collect(provider, ChatRequest(model=model, messages=messages, tools=TOOLS))
        await provider.close()
        return server.last.json


OK = (
    Message(role="tool", tool_call_id="id_a", content="rain"),
    Message(role="tool", tool_call_id="id_b", content="no clock", is_error=True),
)


# --- asked -------------------------------------------------------------------------------------


@every_wire
async def test_parallel_calls_come_whole_and_in_order(wire: Wire) -> None:
    events = await answered(wire, text="Let me see.", calls=TWO)
    assert text_of(events) == "Let me see."
    assert requested(events) == [
        ToolCallRequested("id_a", "weather", {"city": "Göteborg", "days": [1, 2]}),
        ToolCallRequested("id_b", "clock", {}),
    ]
    end = end_of(events)
    assert end.reason == "tool_calls"
    assert end.usage == wire.usage(wires.COUNTS)


@every_wire
@pytest.mark.parametrize(
    "text", ['{"city": "Gö', "[1]", "not json", '{"a": NaN}', '{"a": "\\ud800"}'], ids=str
)
async def test_arguments_that_cannot_be_read_are_handed_on_as_they_came(wire: Wire, text: str) -> None:
    (call,) = requested(await answered(wire, calls=(Asked("weather", text, "id_a"),)))
    assert isinstance(call.arguments, str)
    assert call.arguments == text or isinstance(wire, Ollama)


@every_wire
async def test_calls_without_an_id_get_one_by_their_place(wire: Wire) -> None:
    bare = (Asked("clock", "{}"), Asked("clock", "{}"))
    events = await answered(wire, calls=bare)
    ids = [call.id for call in requested(events)]
    if isinstance(wire, Responses):  # the item's own id
        assert len(set(ids)) == 2
        return
    assert ids == ["call_1", "call_2"]
    earlier = message_of(events)
    later = ChatRequest(
        model="m-1",
        messages=(
            Message(role="user", content="x"),
            earlier,
            *(Message(role="tool", tool_call_id=id_, content="ok") for id_ in ids),
        ),
        tools=TOOLS,
    )
    again = await answered(wire, request=later, calls=bare)
    assert [call.id for call in requested(again)] == ["call_3", "call_4"]


@every_wire
async def test_of_an_answer_that_was_cut_only_whole_calls_count(wire: Wire) -> None:
    cut = (*TWO[:1], Asked("weather", '{"city": "Gö', "id_c"))
    events = await answered(wire, calls=cut, reason="length")
    assert [call.id for call in requested(events)] == ["id_a"]
    assert end_of(events).reason == "length"


@pytest.mark.parametrize("wire", [Chat(), Responses(), Anthropic()], ids=lambda wire: wire.name)
async def test_long_arguments_are_an_answer_on_its_way(wire: Wire) -> None:
    """They give no event until they are whole, yet something has come: so the idle deadline counts."""
    chunks = wire.chunks("", None, calls=(Asked("weather", '{"city": "Göteborg"}', "a"),))
    mark = next(n for n, chunk in enumerate(chunks) if b"city" in chunk)
    async with serve(wires.stalled(wire, chunks[: mark + 1])) as server:
        provider = connect(wire, server.url, deadlines=Deadlines(first_token_ms=10_000, idle_ms=60))
        provider.warm()
        info = await failure(provider, ask(tools=TOOLS))
        await provider.close()
    assert (info.kind, "idle" in (info.hint or "")) == ("timeout", True)


@pytest.mark.parametrize("wire", [Chat(), Anthropic()], ids=lambda wire: wire.name)
async def test_an_answer_that_announces_calls_and_has_none_is_malformed(wire: Wire) -> None:
    reason = "tool_calls" if isinstance(wire, Chat) else "tool_use"
    async with serve(wires.good(wire, reason=reason)) as server:
        provider = connect(wire, server.url)
        info = await failure(provider)
        await provider.close()
    assert (info.kind, info.retryable) == ("malformed", True)


async def test_a_server_that_ends_with_stop_though_it_calls_tools() -> None:
    *chunks, _, _ = Chat().chunks("", None, calls=TWO)
    chunk = Chat()._chunk([{"index": 0, "delta": {}, "finish_reason": "stop"}])
    async with serve(wires.raw(Chat(), [*chunks, chunk])) as server:
        provider = connect(Chat(), server.url)
        events = await collect(provider, ask(tools=TOOLS))
        await provider.close()
    assert len(requested(events)) == 2
    assert end_of(events).reason == "tool_calls"


@pytest.mark.parametrize("with_index", [True, False])
async def test_servers_that_send_whole_calls_with_the_same_index_or_none(with_index: bool) -> None:
    """And arguments as an object instead of a text."""
    place = {"index": 0} if with_index else {}
    deltas = [
        {"tool_calls": [{**place, "id": "a", "function": {"name": "clock", "arguments": {"x": 1}}}]},
        {"tool_calls": [{**place, "id": "b", "function": {"name": "clock", "arguments": '{"x": 2}'}}]},
    ]
    chunks = [Chat()._chunk([{"index": 0, "delta": d, "finish_reason": None}]) for d in deltas]
    chunks.append(Chat()._chunk([{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]))
    async with serve(wires.raw(Chat(), chunks)) as server:
        provider = connect(Chat(), server.url)
        events = await collect(provider, ask(tools=TOOLS))
        await provider.close()
    assert [(call.id, call.arguments) for call in requested(events)] == [("a", {"x": 1}), ("b", {"x": 2})]


# --- sent --------------------------------------------------------------------------------------


async def test_chat_tools_and_answers() -> None:
    body = await returned(Chat(), {"text": "Hm.", "calls": TWO}, *OK)
    assert body["tools"][0] == {
        "type": "function",
        "function": {"name": "weather", "description": "The weather of a city.", "parameters": SCHEMA},
    }
    asked, *results = body["messages"][1:]
    assert asked["content"] == "Hm."
    assert [call["id"] for call in asked["tool_calls"]] == ["id_a", "id_b"]
    assert json.loads(asked["tool_calls"][0]["function"]["arguments"]) == {"city": "Göteborg", "days": [1, 2]}
    assert results == [
        {"role": "tool", "tool_call_id": "id_a", "content": "rain"},
        {"role": "tool", "tool_call_id": "id_b", "content": "Error: no clock"},
    ]


async def test_responses_tools_and_answers() -> None:
    body = await returned(Responses(), {"text": "Hm.", "thought": "Rain?", "calls": TWO}, *OK)
    assert body["tools"][0] == {
        "type": "function", "name": "weather", "description": "The weather of a city.",
        "parameters": SCHEMA, "strict": False,
    }  # fmt: skip
    assert body["store"] is False
    assert body["include"] == ["reasoning.encrypted_content"]
    _, thought, said, first, second, *results = body["input"]
    assert thought == {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": "Rain?"}],
        "encrypted_content": SIGNATURE,
    }
    assert said == {"role": "assistant", "content": "Hm."}
    assert (first["type"], first["call_id"], second["call_id"]) == ("function_call", "id_a", "id_b")
    assert results == [
        {"type": "function_call_output", "call_id": "id_a", "output": "rain"},
        {"type": "function_call_output", "call_id": "id_b", "output": "Error: no clock"},
    ]


async def test_anthropic_tools_and_answers() -> None:
    body = await returned(Anthropic(), {"text": "Hm.", "thought": "Rain?", "calls": TWO}, *OK)
    assert body["tools"][0] == {
        "name": "weather", "description": "The weather of a city.", "input_schema": SCHEMA,
    }  # fmt: skip
    _, asked, results = body["messages"]
    assert asked["content"] == [
        {"type": "thinking", "thinking": "Rain?", "signature": SIGNATURE},
        {"type": "text", "text": "Hm."},
        {"type": "tool_use", "id": "id_a", "name": "weather", "input": {"city": "Göteborg", "days": [1, 2]}},
        {"type": "tool_use", "id": "id_b", "name": "clock", "input": {}},
    ]
    assert results == {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": "id_a", "content": "rain"},
            {"type": "tool_result", "tool_use_id": "id_b", "content": "no clock", "is_error": True},
        ],
    }


async def test_what_the_user_says_beside_a_tools_answer_follows_it_at_anthropic() -> None:
    more = Message(role="user", content="and hurry")
    body = await returned(Anthropic(), {"text": "", "calls": TWO}, *OK, more)
    assert [block["type"] for block in body["messages"][-1]["content"]] == [
        "tool_result", "tool_result", "text",
    ]  # fmt: skip
    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "user"]


async def test_ollama_tools_and_answers() -> None:
    body = await returned(Ollama(), {"text": "Hm.", "thought": "Rain?", "calls": TWO}, *OK)
    assert body["tools"][0]["function"]["parameters"] == SCHEMA
    asked, *results = body["messages"][1:]
    assert asked["thinking"] == "Rain?"
    assert asked["tool_calls"][1] == {"id": "id_b", "function": {"name": "clock", "arguments": {}}}
    assert [(r["tool_name"], r["content"]) for r in results] == [
        ("weather", "rain"),
        ("clock", "Error: no clock"),
    ]


async def test_ollama_is_asked_for_json_in_words_where_there_are_tools() -> None:
    async with serve(wires.good(Ollama())) as server:
        provider = connect(Ollama(), server.url)
        await collect(provider, ask(tools=TOOLS, output_schema=SCHEMA))
        await provider.close()
        body = server.last.json
    assert "format" not in body
    assert "JSON Schema" in body["messages"][0]["content"]


async def test_unreadable_arguments_go_back_in_a_form_that_the_api_takes() -> None:
    broken = {"text": "", "calls": (Asked("weather", '{"city": "Gö', "id_a"),)}
    chat = await returned(Chat(), broken, OK[0])
    assert chat["messages"][1]["tool_calls"][0]["function"]["arguments"] == '{"city": "Gö'
    assert chat["messages"][1]["content"] is None
    anthropic = await returned(Anthropic(), broken, OK[0])
    assert anthropic["messages"][1]["content"][0]["input"] == {"unreadable_arguments": '{"city": "Gö'}


@pytest.mark.parametrize("wire", [Responses(), Anthropic(), Ollama()], ids=lambda wire: wire.name)
async def test_what_one_model_signed_is_not_shown_to_another(wire: Wire) -> None:
    body = await returned(wire, {"text": "Hm.", "thought": "Rain?", "calls": TWO}, *OK, model="m-2")
    assert SIGNATURE not in json.dumps(body)
    assert "Rain?" not in json.dumps(body)
    assert "id_a" in json.dumps(body)


async def test_thoughts_are_carried_only_where_tools_answer() -> None:
    for wire in WIRES:
        assert end_of(await answered(wire, text="Done.", thought="Hm.")).carry is None
    end = end_of(await answered(Chat(), text="", thought="Hm.", calls=TWO))
    assert end.carry is not None
    assert end.carry["fields"] == {"reasoning_content": "Hm."}


async def test_signatures_of_calls_go_back_with_their_call() -> None:
    signed = {"google": {"thought_signature": "sig"}}
    piece = {"index": 0, "id": "a", "extra_content": signed, "function": {"name": "clock", "arguments": "{}"}}
    chunks = [
        Chat()._chunk([{"index": 0, "delta": {"tool_calls": [piece]}, "finish_reason": None}]),
        Chat()._chunk([{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]),
    ]
    async with serve(Script([wires.raw(Chat(), chunks), wires.good(Chat())])) as server:
        provider = connect(Chat(), server.url)
        events = await collect(provider, ask(tools=TOOLS))
        result = Message(role="tool", tool_call_id="a", content="noon")
        await collect(provider, ChatRequest(model="m-1", messages=conversation(events, result), tools=TOOLS))
        await provider.close()
        (call,) = server.last.json["messages"][1]["tool_calls"]
    assert call["extra_content"] == signed


async def test_a_text_that_was_scrubbed_since_is_sent_whole() -> None:
    events = await answered(Anthropic(), text="one two three", thought="Hm.", calls=TWO)
    spoken = message_of(events)
    cut = Message(
        role="assistant", content="[…]", tool_calls=spoken.tool_calls, carry=spoken.carry
    )  # fmt: skip
    async with serve(wires.good(Anthropic())) as server:
        provider = connect(Anthropic(), server.url)
        user = Message(role="user", content="x")
        await collect(provider, ChatRequest(model="m-1", messages=(user, cut, *OK), tools=TOOLS))
        await provider.close()
        blocks = server.last.json["messages"][1]["content"]
    assert [block.get("text") for block in blocks if block["type"] == "text"] == ["[…]"]


async def test_ids_of_another_vendor_are_put_into_a_form_that_every_api_takes() -> None:
    odd = {"id": "functions.weather:0", "name": "weather", "arguments": {}}
    messages = (
        Message(role="user", content="x"),
        Message(role="assistant", content="", tool_calls=(odd,)),
        Message(role="tool", tool_call_id="functions.weather:0", content="rain"),
    )
    async with serve(wires.good(Anthropic())) as server:
        provider = connect(Anthropic(), server.url)
        await collect(provider, ChatRequest(model="m-1", messages=messages, tools=TOOLS))
        await provider.close()
        _, asked, result = server.last.json["messages"]
    sent = asked["content"][0]["id"]
    assert sent == result["content"][0]["tool_use_id"]
    assert sent.isascii()
    assert ":" not in sent


async def test_a_tools_answer_to_nothing_is_refused_here() -> None:
    async with serve(wires.good(Chat())) as server:
        provider = connect(Chat(), server.url)
        request = ChatRequest(model="m", messages=(Message(role="tool", content="x"),))
        info = await failure(provider, request)
        await provider.close()
        assert not server.requests
    assert info.kind == "bad_request"
