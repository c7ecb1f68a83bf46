"""Prices to the micro-dollar, computed by hand from the vendors' public list prices."""

from __future__ import annotations

from decimal import Decimal

import pytest

from aethermind.domain.usage import Usage
from aethermind.infra.config import Price
from aethermind.infra.providers.endpoints import Endpoint
from aethermind.infra.providers.prices import GenaiPrices, Tariff

AT = 1_795_305_600_000  # 2026-11-22

ENDPOINTS = {
    endpoint.name: endpoint
    for endpoint in (
        Endpoint(name="sim", kind="sim"),
        Endpoint(name="openai", kind="openai", base_url="https://api.openai.com/v1"),
        Endpoint(name="anthropic", kind="anthropic", base_url="https://api.anthropic.com"),
        Endpoint(name="ollama", kind="ollama", base_url="http://127.0.0.1:11434"),
        Endpoint(name="far", kind="ollama", base_url="http://192.0.2.1:11434"),
        Endpoint(name="groq", kind="openai", base_url="https://api.groq.com/openai/v1"),
        Endpoint(name="proxy", kind="openai", base_url="http://127.0.0.1:8080/v1"),
        Endpoint(name="foe", kind="openai", base_url="https://api.openai.com.foe.example/v1"),
        Endpoint(
            name="own", kind="openai", base_url="https://llm.example/v1",
            prices={"big": Price(input=Decimal("1.5"), output=Decimal("4.5"), cached_input=Decimal("0.15"))},
        ),
        Endpoint(name="mine", kind="own", registered=True),
    )
}  # fmt: skip
PRICES = GenaiPrices(
    ENDPOINTS, {"openai:tuned": Price(input=Decimal(3), output=Decimal(6), cache_write=Decimal(4))}
)
MIXED = Usage(
    input_tokens=1_000,
    cached_input_tokens=400,
    cache_write_tokens=100,
    output_tokens=200,
    reasoning_tokens=50,
)


@pytest.mark.parametrize(
    "provider, model, usage, micro, saved",
    [
        # gpt-6.1-sol: $2, cached $0.10, write $2.50, out $10 per million.
        # 500·2 + 400·0.1 + 100·2.5 + 200·10 = 1000 + 40 + 250 + 2000 = 3290; uncached 4000 → saved 710
        ("openai", "gpt-6.1-sol", MIXED, 3_290, 710),
        # gpt-4.1: $2, cached $0.50, no price for writes (they are plain input), out $8.
        # 600·2 + 400·0.5 + 200·8 = 1200 + 200 + 1600 = 3000; 3600 without → saved 600
        ("openai", "gpt-4.1", MIXED, 3_000, 600),
        # claude-haiku-4-5: $1, cached $0.10, write $1.25, out $5.
        # 500 + 40 + 125 + 1000 = 1665; 2000 without → saved 335
        ("anthropic", "claude-haiku-4-5", MIXED, 1_665, 335),
        # Reasoning is part of the output and not paid twice: 100·2 + 50·10
        ("openai", "gpt-6.1-sol", Usage(input_tokens=100, output_tokens=50, reasoning_tokens=50), 700, 0),
        # gpt-6-luna: $0.10 and $0.50. 1·0.1 + 1·0.5 = 0.6 → 1
        ("openai", "gpt-6-luna", Usage(input_tokens=1, output_tokens=1), 1, 0),
        # 5·0.1 = 0.5 → half-even 0; 15·0.1 = 1.5 → 2; 25·0.1 = 2.5 → 2
        ("openai", "gpt-6-luna", Usage(input_tokens=5), 0, 0),
        ("openai", "gpt-6-luna", Usage(input_tokens=15), 2, 0),
        ("openai", "gpt-6-luna", Usage(input_tokens=25), 2, 0),
        # llama-3.3-70b at Groq: $0.59 and $0.79. 1000·0.59 + 1000·0.79
        ("groq", "llama-3.3-70b-versatile", Usage(input_tokens=1_000, output_tokens=1_000), 1_380, 0),
    ],
)
def test_the_list(provider: str, model: str, usage: Usage, micro: int, saved: int) -> None:
    cost = PRICES.cost(provider, model, usage, at=AT)
    assert (cost.micro_usd, cost.saved_micro_usd) == (micro, saved)
    assert cost.source.startswith("genai-prices 0.")


def test_prices_change_with_time() -> None:
    """claude-sonnet-4-6 lost its surcharge for long prompts on 2026-03-13."""
    long = Usage(input_tokens=300_000)
    before = PRICES.cost("anthropic", "claude-sonnet-4-6", long, at=1_772_409_600_000)  # 2026-03-02
    after = PRICES.cost("anthropic", "claude-sonnet-4-6", long, at=AT)
    assert after.micro_usd == 900_000
    assert before.micro_usd is not None
    assert before.micro_usd > after.micro_usd


@pytest.mark.parametrize(
    "provider, model",
    [
        ("openai", "no-such-model"),
        ("openai", "text-embedding-3-small"),  # has no price for output
        ("proxy", "gpt-4.1"),  # a known name at an unknown address
        ("foe", "gpt-4.1"),  # an address that only begins like a known one
        ("far", "llama3.2"),  # an Ollama elsewhere costs what nobody knows
        ("own", "gpt-4.1"),
        ("mine", "gpt-4.1"),
        ("nowhere", "gpt-4.1"),
    ],
)
def test_what_is_unknown_is_unpriced_and_never_zero(provider: str, model: str) -> None:
    cost = PRICES.cost(provider, model, MIXED, at=AT)
    assert (cost.micro_usd, cost.source, cost.saved_micro_usd) == (None, "unpriced", 0)
    estimate = PRICES.estimate(provider, model, input_bytes=100, max_output_tokens=10)
    assert (estimate.low_micro_usd, estimate.high_micro_usd) == (None, None)


def test_a_local_ollama_costs_nothing() -> None:
    cost = PRICES.cost("ollama", "llama3.2:3b", MIXED, at=AT)
    assert (cost.micro_usd, cost.source) == (0, "local")


def test_own_prices_win_over_the_list() -> None:
    # 500·1.5 + 400·0.15 + 100·1.5 (writes as input) + 200·4.5 = 750 + 60 + 150 + 900; 2400 without the cache
    cost = PRICES.cost("own", "big", MIXED, at=AT)
    assert (cost.micro_usd, cost.source, cost.saved_micro_usd) == (1_860, "config", 540)
    # 500·3 + 400·3 (no cached price) + 100·4 + 200·6 = 1500 + 1200 + 400 + 1200
    cost = PRICES.cost("openai", "tuned", MIXED, at=AT)
    assert (cost.micro_usd, cost.source, cost.saved_micro_usd) == (4_300, "config", 0)
    luna = GenaiPrices(ENDPOINTS, {"openai:gpt-6-luna": Price(input=Decimal(7), output=Decimal(0))})
    assert luna.cost("openai", "gpt-6-luna", Usage(input_tokens=10), at=AT).micro_usd == 70


def test_simulated_costs_are_marked() -> None:
    assert PRICES.cost("sim", "smart", Usage(input_tokens=1_000), at=AT).source == "sim"


def test_estimates_are_ranges() -> None:
    # 7000 bytes: 1000 to 3500 tokens at $2; output none to 1000 at $10
    estimate = PRICES.estimate("openai", "gpt-6.1-sol", input_bytes=7_000, max_output_tokens=1_000, at=AT)
    assert (estimate.low_micro_usd, estimate.high_micro_usd) == (2_000, 17_000)
    nothing = PRICES.estimate("ollama", "llama3.2", input_bytes=7_000, max_output_tokens=1_000, at=AT)
    assert (nothing.low_micro_usd, nothing.high_micro_usd) == (0, 0)


def test_tariffs() -> None:
    assert PRICES.tariff("openai", "gpt-6.1-sol", at=AT) == Tariff(2_000_000, 10_000_000, 1_050_000)
    assert PRICES.tariff("own", "big") == Tariff(1_500_000, 4_500_000)
    assert PRICES.tariff("ollama", "x") == Tariff(0, 0)
    assert PRICES.tariff("proxy", "gpt-4.1") == Tariff()
    assert PRICES.tariff("sim", "fast") == Tariff(200_000, 800_000)


async def test_the_list_can_be_loaded_beforehand() -> None:
    prices = GenaiPrices(ENDPOINTS)
    await prices.warm()
    assert prices._version
