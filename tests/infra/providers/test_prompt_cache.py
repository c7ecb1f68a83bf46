"""The vendors' prompt caches: what is marked, and that prefixes stay the same."""

from __future__ import annotations

from typing import Any

import pytest

from aethermind.engine.ports import ChatRequest, Message
from aethermind.infra.providers.openai import cache_arguments
from tests.servers import wires
from tests.servers.http import Request, serve
from tests.servers.peers import ask, collect, connect
from tests.servers.wires import Anthropic, Wire


async def sent(wire: Wire, request: ChatRequest, **options: Any) -> Request:
    """The request as the server saw it."""
    async with serve(wires.good(wire)) as server:
        provider = connect(wire, server.url, **options)
        await collect(provider, request)
        await provider.close()
        return server.last


async def test_long_instructions_are_marked_for_anthropics_cache() -> None:
    long = (await sent(Anthropic(), ask(instructions="x" * 5_000))).json["system"]
    short = (await sent(Anthropic(), ask(instructions="Be brief."))).json["system"]
    assert long == [{"type": "text", "text": "x" * 5_000, "cache_control": {"type": "ephemeral"}}]
    assert short == [{"type": "text", "text": "Be brief."}]


LONG_TOOL = {"name": "look", "description": "d" * 5_000, "input_schema": {"type": "object"}}
SHORT_TOOL = {"name": "look", "description": "Looks.", "input_schema": {"type": "object"}}


def turns(number: int, size: int = 10) -> tuple[Message, ...]:
    """A prompt and so many calls of a tool with their answers."""
    messages = [Message(role="user", content="p" * size)]
    for turn in range(number):
        call = {"id": f"c{turn}", "name": "look", "arguments": {}}
        messages.append(Message(role="assistant", content="", tool_calls=(call,)))
        messages.append(Message(role="tool", tool_call_id=f"c{turn}", content="r" * size))
    return tuple(messages)


def marks(body: Any) -> list[str]:
    """Where the marks of the prompt cache are."""
    found = [f"tool {n}" for n, tool in enumerate(body.get("tools", ())) if "cache_control" in tool]
    found += ["system" for block in body.get("system", ()) if "cache_control" in block]
    for number, message in enumerate(body["messages"]):
        if isinstance(message["content"], list):
            found += [f"message {number}" for block in message["content"] if "cache_control" in block]
    return found


@pytest.mark.parametrize(
    "tools, instructions, messages, settings, expected",
    [
        # A long prefix: after the tools, the instructions, and where this call and the one before it end.
        ([LONG_TOOL], "i" * 50, turns(3), {}, ["tool 0", "system", "message 4", "message 6"]),
        ([LONG_TOOL, SHORT_TOOL], "", turns(0), {}, ["tool 1", "message 0"]),
        # Short: nothing would be cached. It grows: from there on.
        ([SHORT_TOOL], "i" * 50, turns(1), {}, []),
        ([SHORT_TOOL], "", turns(3, 1_500), {}, ["message 4", "message 6"]),
        ([LONG_TOOL], "i" * 5_000, turns(1), {"prompt_cache": False}, []),
        # A prompt without tools is asked once.
        ([], "i" * 5_000, turns(0, 9_000), {}, ["system"]),
    ],
)
async def test_anthropics_cache_marks(
    tools: list[Any], instructions: str, messages: tuple[Message, ...], settings: Any, expected: list[str]
) -> None:
    request = ChatRequest(
        model="m", messages=messages, instructions=instructions, tools=tuple(tools), settings=settings
    )
    body = (await sent(Anthropic(), request)).json
    assert marks(body) == expected


async def test_the_beginning_of_a_conversation_never_changes() -> None:
    """Else no vendor finds it in its cache."""
    for wire in wires.WIRES:
        bodies = []
        for number in (1, 2):
            request = ChatRequest(model="m", messages=turns(number), instructions="i", tools=(SHORT_TOOL,))
            body = (await sent(wire, request)).json
            bodies.append((body["tools"], body.get("messages") or body["input"]))
        (tools, shorter), (again, longer) = bodies
        assert tools == again
        assert longer[: len(shorter)] == shorter


def test_openais_cache() -> None:
    tools = (SHORT_TOOL,)
    first = cache_arguments(ChatRequest(model="gpt-6-luna", messages=turns(1), tools=tools))
    later = cache_arguments(ChatRequest(model="gpt-6-luna", messages=turns(2), tools=tools))
    assert first == later
    assert len(first["prompt_cache_key"]) == 16
    assert cache_arguments(ask()) == {}
    off = {"prompt_cache": False}
    assert cache_arguments(ask(model="gpt-6-luna", settings=off)) == {
        "prompt_cache_options": {"mode": "explicit"}
    }
    assert cache_arguments(ask(model="gpt-5.5", settings=off)) == {}
