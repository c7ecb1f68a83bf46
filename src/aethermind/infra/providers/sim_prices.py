"""What simulated calls cost, notionally: never added to real money."""

from __future__ import annotations

from decimal import Decimal

from aethermind.domain.usage import Cost, Usage, micro_usd

TARIFF: dict[str, tuple[Decimal, Decimal]] = {
    "fast": (Decimal("0.20"), Decimal("0.80")),
    "smart": (Decimal(2), Decimal(10)),
}
"""Notional dollars per million input and output tokens. A cached token costs a tenth of an input token, a
cache write a quarter more."""

OTHER_TARIFF = (Decimal(1), Decimal(4))
"""Of every other simulated model."""


def sim_cost(model: str, usage: Usage) -> Cost:
    """The notional cost of a simulated call, and what the cache would have saved."""
    price_in, price_out = TARIFF.get(model, OTHER_TARIFF)
    plain = usage.input_tokens - usage.cached_input_tokens - usage.cache_write_tokens
    cached, written = Decimal(usage.cached_input_tokens), Decimal(usage.cache_write_tokens)
    whole = price_in * (plain + cached / 10 + written * 5 / 4) + price_out * usage.output_tokens
    saved = price_in * (cached * 9 / 10 - written / 4)
    million = Decimal(1_000_000)
    return Cost(
        micro_usd=micro_usd(whole / million), source="sim", saved_micro_usd=max(0, micro_usd(saved / million))
    )
