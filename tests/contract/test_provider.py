"""What every `Provider` does. The network adapters run against a server of their own on loopback, through
the vendors' real SDKs; the simulated one against its script."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import jsonschema
import pytest

from aethermind.domain.errors import ErrorKind, ProviderError
from aethermind.domain.usage import Usage
from aethermind.engine.ports import CallContext, ChatRequest, Message, Provider, ReasoningDelta, TextDelta
from aethermind.infra.providers.deadlines import Deadlines
from aethermind.infra.providers.simulated import SimulatedProvider
from tests.servers import wires
from tests.servers.http import Handler, serve
from tests.servers.peers import ask, collect, connect, end_of, failure, text_of
from tests.servers.wires import COUNTS, WIRES, Wire

SCHEMA = {
    "type": "object",
    "properties": {"score": {"type": "number"}, "issues": {"type": "array", "items": {"type": "string"}}},
    "required": ["score", "issues"],
    "additionalProperties": False,
}


@dataclass
class Rig:
    """An adapter and a way to decide what its peer does next."""

    provider: Provider
    simulated: bool
    usage: Usage
    answers: Callable[..., ChatRequest]
    """`answers(text)`: a request that will get this text."""
    fails: Callable[[str], ChatRequest]
    """`fails("429")`: a request that will fail in this way."""
    requests: Callable[[], int]
    """How many requests reached the peer."""


def networked(wire: Wire) -> Callable[[], AbstractAsyncContextManager[Rig]]:
    @asynccontextmanager
    async def rig() -> AsyncIterator[Rig]:
        current: list[Handler] = []

        async def handle(request: Any, reply: Any) -> None:
            await current[-1](request, reply)

        async with serve(handle) as server:
            provider = connect(wire, server.url, deadlines=Deadlines(first_token_ms=5_000, idle_ms=100))
            await asyncio.to_thread(provider.warm)  # its SDK takes seconds to import
            ways = {
                "401": wires.status(wire, 401, "bad key", kind="authentication_error"),
                "429": wires.status(wire, 429, "slow down", kind="rate_limit_error", retry_after="3"),
                "500": wires.status(wire, 500, "oops"),
                "drop": wires.dropped(wire, wire.cut("half")),
                "timeout": wires.stalled(wire, wire.cut("half")),
            }

            def answers(text: str, **more: Any) -> ChatRequest:
                current.append(wires.good(wire, text))
                return ask(**more)

            def fails(how: str) -> ChatRequest:
                current.append(ways[how])
                return ask()

            try:
                yield Rig(provider, False, wire.usage(COUNTS), answers, fails, lambda: len(server.requests))
            finally:
                await provider.close()

    return rig


@asynccontextmanager
async def simulated() -> AsyncIterator[Rig]:
    provider = SimulatedProvider()
    usage = {
        "input_tokens": COUNTS.input,
        "cached_input_tokens": COUNTS.cached,
        "cache_write_tokens": COUNTS.written,
        "output_tokens": COUNTS.output,
        "reasoning_tokens": COUNTS.reasoning,
    }

    def answers(text: str, **more: Any) -> ChatRequest:
        context = CallContext(step="plan", sim={"steps": {"plan": {"reply": text, "usage": usage}}})
        return ask(context=context, **more)

    def fails(how: str) -> ChatRequest:
        error = int(how) if how.isdigit() else how
        sim = {"steps": {"plan": {"reply": "a half of it", "errors": [error]}}}
        return ask(context=CallContext(step="plan", sim=sim))

    yield Rig(provider, True, COUNTS.usage, answers, fails, lambda: 0)
    await provider.close()


RIGS: dict[str, Callable[[], AbstractAsyncContextManager[Rig]]] = {
    **{wire.name: networked(wire) for wire in WIRES},
    "simulated": simulated,
}


@pytest.fixture(params=list(RIGS))
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    async with RIGS[request.param]() as made:
        yield made


async def test_streams_the_text_and_ends_with_the_exact_usage(rig: Rig) -> None:
    text = "Tides rise — twice a day, 潮汐.\n\nAnd fall."
    events = await collect(rig.provider, rig.answers(text))
    assert text_of(events) == text
    assert sum(isinstance(event, TextDelta) for event in events) >= 1
    end = end_of(events)
    assert end.reason == "stop"
    assert end.usage == rig.usage


async def test_an_answer_may_be_empty(rig: Rig) -> None:
    events = await collect(rig.provider, rig.answers(""))
    assert text_of(events) == ""
    assert end_of(events).reason == "stop"


async def test_says_whether_it_is_simulated_and_what_it_is_called(rig: Rig) -> None:
    assert rig.provider.simulated is rig.simulated
    assert rig.provider.name in {"openai", "anthropic", "ollama", "sim"}


async def test_a_cost_is_reported_only_by_the_simulation(rig: Rig) -> None:
    cost = end_of(await collect(rig.provider, rig.answers("x"))).cost
    assert (cost is not None) is rig.simulated
    if cost is not None:
        assert cost.source == "sim"


async def test_structured_output_comes_as_json_text(rig: Rig) -> None:
    answer = json.dumps({"score": 7.5, "issues": ["too short"]})
    events = await collect(rig.provider, rig.answers(answer, output_schema=SCHEMA))
    jsonschema.validate(json.loads(text_of(events)), SCHEMA)


@pytest.mark.parametrize(
    "how, kind, retryable",
    [
        ("401", "auth", False),
        ("429", "rate_limit", True),
        ("500", "server", True),
        ("drop", "connection", True),
        ("timeout", "timeout", True),
    ],
)
async def test_failures_have_one_type(rig: Rig, how: str, kind: ErrorKind, retryable: bool) -> None:
    info = await failure(rig.provider, rig.fails(how))
    assert (info.kind, info.retryable) == (kind, retryable)
    assert "\n" not in info.message
    assert info.status == (int(how) if how.isdigit() else None)


async def test_works_again_after_a_failure(rig: Rig) -> None:
    await failure(rig.provider, rig.fails("drop"))
    assert text_of(await collect(rig.provider, rig.answers("healed"))) == "healed"


@pytest.mark.parametrize(
    "settings", [{"max_tokens": 0}, {"temprature": 1}, {"reasoning": "deep"}, {"stop": []}, {"seed": True}]
)
async def test_refuses_wrong_settings_before_anything_is_sent(rig: Rig, settings: dict[str, Any]) -> None:
    before = rig.requests()
    info = await failure(rig.provider, rig.answers("x", settings=settings))
    assert (info.kind, info.retryable) == ("bad_request", False)
    assert rig.requests() == before


async def test_settings_of_the_simulation_disturb_nobody(rig: Rig) -> None:
    request = rig.answers("fine", settings={"sim": {"delay": "0ms"}, "max_tokens": 100})
    assert text_of(await collect(rig.provider, request)) == "fine"


async def test_calls_may_overlap(rig: Rig) -> None:
    request = rig.answers("both")
    first, second = await asyncio.gather(collect(rig.provider, request), collect(rig.provider, request))
    assert text_of(first) == text_of(second) == "both"


async def test_can_be_closed_twice(rig: Rig) -> None:
    await collect(rig.provider, rig.answers("x"))
    await rig.provider.close()
    await rig.provider.close()


async def test_a_consumer_may_leave_in_the_middle(rig: Rig) -> None:
    stream = rig.provider.stream(rig.answers("one two three four five six"))
    async for event in stream:
        assert isinstance(event, TextDelta | ReasoningDelta)
        break
    await stream.aclose()  # type: ignore[attr-defined]  # all of ours are generators
    assert text_of(await collect(rig.provider, rig.answers("next"))) == "next"


@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)
@pytest.mark.parametrize("place", ["before the headers", "after the headers", "in the middle"])
async def test_cancelling_closes_the_connection_at_once(wire: Wire, place: str) -> None:
    headers = place != "before the headers"
    chunks = wire.cut("half") if place == "in the middle" else []
    async with serve(wires.stalled(wire, chunks, headers=headers)) as server:
        provider = connect(wire, server.url)
        first = asyncio.Event()

        async def read() -> None:
            async for _ in provider.stream(ask()):
                first.set()

        task = asyncio.create_task(read())
        await asyncio.wait_for(first.wait() if chunks else server.arrived.wait(), 10)
        task.cancel()
        loop = asyncio.get_running_loop()
        start = loop.time()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(server.gone.wait(), 2)
        assert loop.time() - start < 0.5
        await provider.close()


async def test_a_simulated_call_can_be_cancelled_while_it_waits() -> None:
    waiting = asyncio.Event()

    async def sleep(seconds: float) -> None:
        waiting.set()
        await asyncio.Event().wait()

    provider = SimulatedProvider(delay_ms=60_000, sleep=sleep)
    task = asyncio.create_task(collect(provider, ask()))
    await asyncio.wait_for(waiting.wait(), 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)
async def test_a_conversation_keeps_its_order_on_the_wire(wire: Wire) -> None:
    async with serve(wires.good(wire)) as server:
        provider = connect(wire, server.url)
        messages = (
            Message(role="user", content="one"),
            Message(role="assistant", content="two"),
            Message(role="user", content="three"),
        )
        await collect(provider, ChatRequest(model="m-1", messages=messages, instructions="be brief"))
        await provider.close()
        assert server.last.path == wire.path
        body = server.last.json
        sent = body.get("messages") or body["input"]
        assert [item["content"] for item in sent if item["role"] != "system"] == ["one", "two", "three"]
        assert "be brief" in json.dumps(body)
        assert body["stream"] is True


async def test_refused_connections_are_a_connection_error() -> None:
    async with serve(wires.good(WIRES[0])) as server:
        url = server.url
    for wire in WIRES:
        provider = connect(wire, url)
        with pytest.raises(ProviderError) as caught:
            await collect(provider)
        assert caught.value.info.kind == "connection"
        assert caught.value.info.retryable
        assert "Connection refused" in caught.value.info.message
        assert caught.value.info.hint
        await provider.close()
