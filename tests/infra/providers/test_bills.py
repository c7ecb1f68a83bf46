"""From what a vendor sends to what a call cost, to the micro-dollar: computed by hand from the public list
prices of 2026-11-22 (dollars per million tokens: input, cached, cache write, output)."""

from __future__ import annotations

from decimal import Decimal

import pytest

from aethermind.domain.errors import ProviderError
from aethermind.domain.usage import Cost, Usage
from aethermind.engine.ports import ChatRequest, Message
from aethermind.infra.config import Price
from aethermind.infra.providers.endpoints import Endpoint
from aethermind.infra.providers.prices import GenaiPrices
from tests.servers import wires
from tests.servers.http import Handler, Script, serve
from tests.servers.peers import ask, collect, connect, end_of
from tests.servers.wires import Anthropic, Asked, Chat, Counts, Ollama, Responses, Wire

AT = 1_795_305_600_000  # 2026-11-22
OWN = Price(
    input=Decimal("1.5"), output=Decimal("4.5"), cached_input=Decimal("0.15"), cache_write=Decimal("1.875")
)
ENDPOINTS = {
    endpoint.name: endpoint
    for endpoint in (
        Endpoint(name="openai", kind="openai", base_url="https://api.openai.com/v1"),
        Endpoint(name="anthropic", kind="anthropic", base_url="https://api.anthropic.com"),
        Endpoint(name="groq", kind="openai", base_url="https://api.groq.com/openai/v1"),
        Endpoint(name="ollama", kind="ollama", base_url="http://127.0.0.1:11434"),
        Endpoint(name="far", kind="ollama", base_url="https://llm.example", prices={"big": OWN}),
        Endpoint(name="own", kind="openai", base_url="https://llm.example/v1", prices={"big": OWN}),
    )
}
PRICES = GenaiPrices(ENDPOINTS)


async def usages(wire: Wire, *replies: Handler, requests: list[ChatRequest] | None = None) -> list[Usage]:
    """What each of these calls used; a call that failed used nobody knows what."""
    found = []
    async with serve(Script(replies)) as server:
        provider = connect(wire, server.url)
        for request in requests or [ask()] * len(replies):
            try:
                events = await collect(provider, request)
            except ProviderError:
                continue
            usage = end_of(events).usage
            assert usage is not None
            found.append(usage)
        await provider.close()
    return found


def bill(provider: str, model: str, used: list[Usage]) -> tuple[int | None, int]:
    """The sum of what they cost, and of what the cache saved. Each call is rounded by itself."""
    costs: list[Cost] = [PRICES.cost(provider, model, usage, at=AT) for usage in used]
    known = [cost.micro_usd for cost in costs]
    total = None if None in known else sum(micro or 0 for micro in known)
    return total, sum(cost.saved_micro_usd for cost in costs)


PLAIN = Counts(input=1_000, cached=0, written=0, output=200, reasoning=0)
CACHED = Counts(input=10_000, cached=8_000, written=0, output=200, reasoning=0)
WRITTEN = Counts(input=10_000, cached=1_000, written=6_000, output=200, reasoning=0)
THOUGHT = Counts(input=1_000, cached=0, written=0, output=900, reasoning=850)


@pytest.mark.parametrize(
    "wire, provider, model, counts, micro, saved",
    [
        # gpt-6.1-sol: 2, 0.10, 2.50, 10
        (Responses(), "openai", "gpt-6.1-sol", PLAIN, 2_000 + 2_000, 0),
        # 2,000·2 + 8,000·0.1 + 200·10; without the cache 10,000·2 + 2,000
        (Responses(), "openai", "gpt-6.1-sol", CACHED, 4_000 + 800 + 2_000, 15_200),
        # 3,000·2 + 1,000·0.1 + 6,000·2.5 + 2,000 = 23,100; without 22,000: the write cost more than it saved
        (Responses(), "openai", "gpt-6.1-sol", WRITTEN, 23_100, 0),
        # Reasoning is part of the output: 1,000·2 + 900·10
        (Responses(), "openai", "gpt-6.1-sol", THOUGHT, 2_000 + 9_000, 0),
        (Chat(), "openai", "gpt-6.1-sol", PLAIN, 4_000, 0),
        (Chat(), "openai", "gpt-6.1-sol", CACHED, 6_800, 15_200),
        (Chat(), "openai", "gpt-6.1-sol", WRITTEN, 23_100, 0),
        (Chat(), "openai", "gpt-6.1-sol", THOUGHT, 11_000, 0),
        # claude-sonnet-5-5: 2, 0.10, 2.50, 10. Its input_tokens exclude both kinds of cache tokens
        (Anthropic(), "anthropic", "claude-sonnet-5-5", PLAIN, 4_000, 0),
        (Anthropic(), "anthropic", "claude-sonnet-5-5", CACHED, 6_800, 15_200),
        (Anthropic(), "anthropic", "claude-sonnet-5-5", WRITTEN, 23_100, 0),
        (Anthropic(), "anthropic", "claude-sonnet-5-5", THOUGHT, 11_000, 0),
        # claude-haiku-4-5: 1, 0.10, 1.25, 5. 2,000 + 800 + 1,000; 11,000 without
        (Anthropic(), "anthropic", "claude-haiku-4-5", CACHED, 3_800, 7_200),
        # 3,000 + 100 + 7,500 + 1,000; 11,000 without
        (Anthropic(), "anthropic", "claude-haiku-4-5", WRITTEN, 11_600, 0),
        # llama-3.3-70b at Groq: 0.59 and 0.79. 1,000·0.59 + 200·0.79 = 748
        (Chat(), "groq", "llama-3.3-70b-versatile", PLAIN, 748, 0),
        # Own prices: 1.5, 0.15, 1.875, 4.5. 2,000·1.5 + 8,000·0.15 + 200·4.5; 15,900 without
        (Chat(), "own", "big", CACHED, 3_000 + 1_200 + 900, 10_800),
        # 3,000·1.5 + 1,000·0.15 + 6,000·1.875 + 900 = 16,800; 15,900 without
        (Chat(), "own", "big", WRITTEN, 16_800, 0),
        (Chat(), "own", "big", THOUGHT, 1_500 + 4_050, 0),
        # Ollama tells no subsets: all of it is plain. Here it costs nothing; elsewhere what was configured
        (Ollama(), "ollama", "llama3.2", CACHED, 0, 0),
        (Ollama(), "far", "big", CACHED, 15_000 + 900, 0),
        (Ollama(), "far", "other", CACHED, None, 0),
        (Chat(), "own", "other", CACHED, None, 0),
    ],
)
async def test_one_call(
    wire: Wire, provider: str, model: str, counts: Counts, micro: int | None, saved: int
) -> None:
    assert bill(provider, model, await usages(wire, wires.good(wire, counts=counts))) == (micro, saved)


TOOL = {"name": "look", "description": "Looks.", "input_schema": {"type": "object"}}
LOOP = [
    # The first call writes the prefix to the cache, the second reads it and writes what was added.
    Counts(input=5_000, cached=0, written=4_900, output=60, reasoning=40),
    Counts(input=5_300, cached=4_900, written=350, output=90, reasoning=0),
]


@pytest.mark.parametrize(
    "wire, provider, model, micro",
    [
        # 100·2 + 4,900·2.5 + 60·10 = 13,050; 50·2 + 4,900·0.1 + 350·2.5 + 90·10 = 100 + 490 + 875 + 900
        (Responses(), "openai", "gpt-6.1-sol", 13_050 + 2_365),
        (Chat(), "openai", "gpt-6.1-sol", 13_050 + 2_365),
        (Anthropic(), "anthropic", "claude-sonnet-5-5", 13_050 + 2_365),
        # 100·1.5 + 4,900·1.875 + 60·4.5 = 9,607.5 → 9,608 (half to even)
        # 50·1.5 + 4,900·0.15 + 350·1.875 + 90·4.5 = 75 + 735 + 656.25 + 405 = 1,871.25 → 1,871
        (Chat(), "own", "big", 9_608 + 1_871),
        # (5,000 + 5,300)·1.5 + 150·4.5
        (Ollama(), "far", "big", 15_450 + 675),
    ],
)
async def test_a_conversation_with_a_tool(wire: Wire, provider: str, model: str, micro: int) -> None:
    calls = (Asked("look", "{}", "c1"),)
    replies = [wires.good(wire, "", LOOP[0], calls=calls), wires.good(wire, "Done.", LOOP[1])]
    messages = (
        Message(role="user", content="look"),
        Message(role="assistant", content="", tool_calls=({"id": "c1", "name": "look", "arguments": {}},)),
        Message(role="tool", tool_call_id="c1", content="a lot"),
    )
    requests = [
        ChatRequest(model="m", messages=messages[:1], tools=(TOOL,)),
        ChatRequest(model="m", messages=messages, tools=(TOOL,)),
    ]
    used = await usages(wire, *replies, requests=requests)
    assert bill(provider, model, used)[0] == micro


@pytest.mark.parametrize("wire", wires.WIRES, ids=lambda wire: wire.name)
async def test_a_call_that_is_tried_again_is_billed_for_each_answer(wire: Wire) -> None:
    """529, an answer that is cut off, 429, then a good one: only that one says what it used. What the second
    used nobody knows: it is recorded as unknown, never as 0."""
    replies = [
        wires.status(wire, 529, "Overloaded", kind="overloaded_error"),
        wires.raw(wire, wire.cut("half")),
        wires.status(wire, 429, "slow down", kind="rate_limit_error"),
        wires.good(wire, counts=PLAIN),
    ]
    used = await usages(wire, *replies)
    assert used == [wire.usage(PLAIN)]


async def test_the_last_count_of_a_stream_stands() -> None:
    """Anthropic's counts are cumulative: they replace each other. What a first event said of the output must
    not be added."""
    (usage,) = await usages(Anthropic(), wires.good(Anthropic(), counts=PLAIN))
    assert (usage.input_tokens, usage.output_tokens) == (1_000, 200)
