"""What a network and a vendor can do wrong, on every wire format, through the real SDKs."""

from __future__ import annotations

import asyncio
import json

import pytest

from aethermind.domain.errors import ErrorInfo, ErrorKind, ProviderError
from aethermind.engine.ports import ChatEvent
from aethermind.infra.providers.deadlines import Deadlines
from tests.servers import wires
from tests.servers.http import Handler, serve
from tests.servers.peers import KEY, ask, collect, connect, end_of, failure, text_of
from tests.servers.wires import WIRES, Anthropic, Chat, Ollama, Responses, Wire

every_wire = pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)


async def failing(wire: Wire, handler: Handler, **deadlines: int) -> ErrorInfo:
    async with serve(handler) as server:
        provider = connect(wire, server.url, deadlines=Deadlines(**deadlines))
        provider.warm()  # a short deadline shall not go by while the SDK is imported
        info = await failure(provider)
        await provider.close()
        assert len(server.requests) <= 1, "no retry inside"
        return info


async def answering(wire: Wire, handler: Handler, **deadlines: int) -> list[ChatEvent]:
    async with serve(handler) as server:
        provider = connect(wire, server.url, deadlines=Deadlines(**deadlines))
        events = await collect(provider)
        await provider.close()
        return events


# --- streams that break ------------------------------------------------------------------------


@every_wire
async def test_every_prefix_of_an_answer_is_truncated_or_whole(wire: Wire) -> None:
    chunks = wire.chunks("Ebb and flood.")
    outcomes = set()
    for length in range(len(chunks)):
        async with serve(wires.raw(wire, chunks[:length])) as server:
            provider = connect(wire, server.url)
            try:
                events = await collect(provider)
            except ProviderError as error:
                outcomes.add(error.info.kind)
            else:  # all that may be missing is what follows the marker: usage, [DONE]
                assert text_of(events) == "Ebb and flood."
                assert isinstance(wire, Chat)
            await provider.close()
    assert outcomes == {"truncated"}


@every_wire
async def test_a_drop_after_the_terminal_marker_costs_nothing_of_the_answer(wire: Wire) -> None:
    chunks = wire.chunks("All of it.")
    if isinstance(wire, Chat):
        chunks = chunks[:-2]  # up to the finish_reason; the usage is lost
    events = await answering(wire, wires.dropped(wire, chunks))
    assert text_of(events) == "All of it."
    assert (end_of(events).usage is None) is isinstance(wire, Chat)


@every_wire
async def test_a_peer_that_keeps_the_line_open_after_the_end_is_not_waited_for(wire: Wire) -> None:
    chunks = wire.chunks("Done.")
    if isinstance(wire, Chat):
        chunks = chunks[:-1]  # without [DONE]
    events = await answering(wire, wires.stalled(wire, chunks), tail_ms=20)
    assert text_of(events) == "Done."
    assert end_of(events).usage == wire.usage(wires.COUNTS)


BAD = {
    "broken JSON": '{"choices": [',
    "null": "null",
    "a list": "[]",
    "a text": '"x"',
    "a number": "7",
    "an empty object": "{}",
    "types mixed up": json.dumps(
        {"type": 5, "choices": "no", "message": "no", "delta": [], "done": {}, "usage": 3}
    ),
    "nulls inside": json.dumps({"choices": [None], "message": None, "type": None}),
}


@every_wire
@pytest.mark.parametrize("data", BAD.values(), ids=BAD.keys())
async def test_events_that_cannot_be_read_are_one_retryable_error(wire: Wire, data: str) -> None:
    info = await failing(wire, wires.raw(wire, [*wire.cut("a"), wire.event(data)]))
    assert info.kind in {"malformed", "truncated"}
    assert info.retryable


@every_wire
async def test_chunks_may_be_cut_anywhere_even_inside_a_character(wire: Wire) -> None:
    whole = b"".join(wire.chunks("Gezeiten — 潮汐"))
    events = await answering(wire, wires.raw(wire, [whole[i : i + 7] for i in range(0, len(whole), 7)]))
    assert text_of(events) == "Gezeiten — 潮汐"


# --- deadlines ---------------------------------------------------------------------------------


@every_wire
@pytest.mark.parametrize("headers", [True, False], ids=["after the headers", "before the headers"])
async def test_first_token_deadline(wire: Wire, headers: bool) -> None:
    info = await failing(wire, wires.stalled(wire, [], headers=headers), first_token_ms=40)
    assert (info.kind, info.retryable) == ("timeout", True)
    assert "first_token" in (info.hint or "")


@every_wire
async def test_events_without_content_do_not_stop_the_first_token_deadline(wire: Wire) -> None:
    first = wire.chunks("never sent")[:1]
    if isinstance(wire, Ollama):
        first = [b'{"message":{"role":"assistant","content":""},"done":false}\n']
    info = await failing(wire, wires.stalled(wire, first), first_token_ms=40, idle_ms=1)
    assert "first_token" in (info.hint or "")


async def test_a_slow_consumer_is_not_the_peers_fault() -> None:
    wire = Chat()
    async with serve(wires.good(wire)) as server:
        provider = connect(wire, server.url, deadlines=Deadlines(idle_ms=150))
        events: list[ChatEvent] = []
        loop = asyncio.get_running_loop()
        async for event in provider.stream(ask()):
            events.append(event)
            # Busy for longer than the idle deadline, as a blocked consumer is.
            until = loop.time() + 0.16
            while loop.time() < until:
                pass
        await provider.close()
    assert end_of(events).usage is not None


# --- what vendors say --------------------------------------------------------------------------

STATUSES: list[tuple[int, str, str, ErrorKind, bool]] = [
    (400, "Unsupported value", "", "bad_request", False),
    (400, "This model's maximum context length is 8192", "context_length_exceeded", "context_length", False),
    (400, "prompt is too long: 210000 > 200000", "invalid_request_error", "context_length", False),
    (400, "Your credit balance is too low", "invalid_request_error", "quota", False),
    (401, "no such key", "authentication_error", "auth", False),
    (402, "Payment required", "billing_error", "quota", False),
    (403, "not in your region", "permission_error", "auth", False),
    (404, "model not found", "not_found_error", "not_found", False),
    (408, "too slow", "", "timeout", True),
    (409, "conflict", "", "server", True),
    (413, "too large", "request_too_large", "context_length", False),
    (422, "bad field", "", "bad_request", False),
    (429, "Rate limit reached", "rate_limit_exceeded", "rate_limit", True),
    (429, "You exceeded your current quota", "insufficient_quota", "quota", False),
    (500, "oops", "server_error", "server", True),
    (502, "bad gateway", "", "server", True),
    (503, "The engine is currently overloaded", "", "overloaded", True),
    (504, "gateway timeout", "", "server", True),
    (529, "Overloaded", "overloaded_error", "overloaded", True),
]  # fmt: skip


@every_wire
@pytest.mark.parametrize("number, message, code, kind, retryable", STATUSES)
async def test_statuses(
    wire: Wire, number: int, message: str, code: str, kind: ErrorKind, retryable: bool
) -> None:
    info = await failing(wire, wires.status(wire, number, message, code=code))
    assert (info.kind, info.retryable, info.status) == (kind, retryable, number)
    assert info.message.startswith(f"{number}: ")


async def test_a_refused_key_is_named_by_its_end_and_its_repair() -> None:
    info = await failing(Chat(), wires.status(Chat(), 401, f"Incorrect API key provided: {KEY}"))
    assert info.message == "401: OpenAI refused the key …a3f"
    assert info.hint == "aethermind auth openai"
    assert "0123456789" not in repr(info)


async def test_an_overload_inside_the_stream_is_an_overload() -> None:
    wire = Anthropic()
    info = await failing(
        wire, wires.raw(wire, [*wire.cut("a"), *wire.failed("overloaded_error", "Overloaded")])
    )
    assert (info.kind, info.retryable, info.status) == ("overloaded", True, None)


async def test_an_error_inside_a_chat_stream() -> None:
    wire = Chat()
    error = {"error": {"message": "the server had an error", "type": "server_error", "code": None}}
    info = await failing(wire, wires.raw(wire, [*wire.cut("a"), wires.sse(error)]))
    assert (info.kind, info.retryable, info.status) == ("server", True, None)
    assert "the server had an error" in info.message


@pytest.mark.parametrize(
    "code, kind, retryable",
    [
        ("server_error", "server", True),
        ("rate_limit_exceeded", "rate_limit", True),
        ("invalid_prompt", "bad_request", False),
        ("something_new", "server", True),
    ],
)
async def test_a_failed_response(code: str, kind: ErrorKind, retryable: bool) -> None:
    wire = Responses()
    info = await failing(wire, wires.raw(wire, wire.failed(code, "it did not work")))
    assert (info.kind, info.retryable, info.status) == (kind, retryable, None)


async def test_an_error_event_of_the_responses_api() -> None:
    wire = Responses()
    event = {
        "type": "error",
        "code": "rate_limit_exceeded",
        "message": "later",
        "sequence_number": 1,
    }
    info = await failing(wire, wires.raw(wire, [wires.sse(event, event="error")]))
    assert info.kind == "rate_limit"


async def test_an_error_line_of_ollama() -> None:
    wire = Ollama()
    info = await failing(wire, wires.raw(wire, [*wire.cut("a"), *wire.failed("model runner crashed")]))
    assert (info.kind, info.retryable) == ("server", True)
    assert "model runner crashed" in info.message


async def test_control_characters_of_a_peer_do_not_reach_a_message() -> None:
    info = await failing(Ollama(), wires.status(Ollama(), 400, "evil \x1b[31mred\x07\nsecond line"))
    assert "\x1b" not in info.message
    assert "\n" not in info.message
    assert "second line" in info.message
