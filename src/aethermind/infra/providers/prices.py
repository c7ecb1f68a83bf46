"""What calls cost, from the price list that the package genai-prices ships.

Rules
- The user's own prices (config) win over the list.
- A vendor's own host is looked up under that vendor. A foreign endpoint is looked up by its address, never
  by a model's name alone: the same name costs something else, or nothing, elsewhere.
- An Ollama on this machine costs 0 (`local`). Simulated models have a notional tariff (`sim`).
- What is not known is `None` (`unpriced`), never 0.
- Each call is rounded once, half-even, to the micro-dollar.
- The list is bundled with the package, its version is part of every cost's source, and it is never updated
  over the network.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from aethermind.domain.usage import Cost, Usage, micro_usd
from aethermind.engine.ports import Estimate
from aethermind.infra.config import Price
from aethermind.infra.providers.endpoints import Endpoint
from aethermind.infra.providers.sim_prices import OTHER_TARIFF, TARIFF, sim_cost

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice, Provider

UNPRICED = Cost()
LOCAL = Cost(micro_usd=0, source="local")

BYTES_PER_TOKEN = (7, 2)
"""Most and fewest bytes of a token: brackets English, code, JSON, digits and Chinese."""

_MILLION = Decimal(1_000_000)


class Tariff(msgspec.Struct, frozen=True):
    """List prices of a model, micro-USD per million tokens; None is unknown."""

    input: int | None = None
    output: int | None = None
    context_window: int | None = None


class GenaiPrices:
    """The port `Prices`. `endpoints` may grow while it is in use; `own`: `provider:model` → price.

    The list takes 0.5 s to import: `warm` does it on a worker thread, otherwise the first call pays for it.
    """

    def __init__(self, endpoints: Mapping[str, Endpoint], own: Mapping[str, Price] | None = None) -> None:
        self._endpoints = endpoints
        self._own = dict(own or {})
        self._lock = threading.Lock()
        self._version = ""

    async def warm(self) -> None:
        await asyncio.to_thread(self._load)

    def cost(self, provider: str, model: str, usage: Usage, *, at: int) -> Cost:
        """What a call cost. `at`: epoch milliseconds; prices change with time."""
        endpoint = self._endpoints.get(provider)
        if (own := self._own_price(provider, model)) is not None:
            return _by_own_price(own, usage)
        if endpoint is None or endpoint.kind in {"own", "cli"}:
            return UNPRICED
        if endpoint.kind == "sim":
            return sim_cost(model, usage)
        if endpoint.local:
            return LOCAL
        return self._listed(endpoint, model, usage, at)

    def estimate(
        self, provider: str, model: str, *, input_bytes: int, max_output_tokens: int, at: int | None = None
    ) -> Estimate:
        """The range a call may cost before it is made: input from bytes/7 to bytes/2 tokens, output from none
        to `max_output_tokens`. `at`: epoch milliseconds, now unless given."""
        endpoint = self._endpoints.get(provider)
        if endpoint is not None and endpoint.kind == "cli":  # it asks its models nobody knows how often
            return Estimate(low_micro_usd=None, high_micro_usd=None)
        moment = int(datetime.now(UTC).timestamp() * 1_000) if at is None else at
        most, fewest = BYTES_PER_TOKEN
        low = Usage(input_tokens=input_bytes // most)
        high = Usage(input_tokens=-(-input_bytes // fewest), output_tokens=max_output_tokens)
        costs = [self.cost(provider, model, usage, at=moment).micro_usd for usage in (low, high)]
        return Estimate(low_micro_usd=costs[0], high_micro_usd=costs[1])

    def tariff(self, provider: str, model: str, *, at: int | None = None) -> Tariff:
        """List prices and context window, for `aethermind models`."""
        endpoint = self._endpoints.get(provider)
        if (own := self._own_price(provider, model)) is not None:
            return Tariff(micro_usd(own.input), micro_usd(own.output))
        if endpoint is None or endpoint.kind in {"own", "cli"}:
            return Tariff()
        if endpoint.kind == "sim":
            price_in, price_out = TARIFF.get(model, OTHER_TARIFF)
            return Tariff(micro_usd(price_in), micro_usd(price_out))
        if endpoint.local:
            return Tariff(0, 0)
        if (found := self._find(endpoint, model)) is None:
            return Tariff()
        moment = datetime.now(UTC) if at is None else datetime.fromtimestamp(at / 1_000, UTC)
        price = found[1].get_prices(moment)
        return Tariff(_base(price.input_mtok), _base(price.output_mtok), found[1].context_window)

    def _own_price(self, provider: str, model: str) -> Price | None:
        if (price := self._own.get(f"{provider}:{model}")) is not None:
            return price
        endpoint = self._endpoints.get(provider)
        return endpoint.prices.get(model) if endpoint else None

    def _listed(self, endpoint: Endpoint, model: str, usage: Usage, at: int) -> Cost:
        found = self._find(endpoint, model)
        if found is None:
            return UNPRICED
        provider, info = found
        moment = datetime.fromtimestamp(at / 1_000, UTC)
        if not _is_complete(info.get_prices(moment)):
            return UNPRICED
        try:
            total = full = _calculate(provider, info, usage, moment)
            if usage.cached_input_tokens:  # without the cache each input token would have cost the full rate
                full = _calculate(provider, info, _uncached(usage), moment)
        except (LookupError, ValueError):
            return UNPRICED
        source = f"genai-prices {self._version}"
        saved = max(0, micro_usd(full - total))
        return Cost(micro_usd=micro_usd(total), source=source, saved_micro_usd=saved)

    def _find(self, endpoint: Endpoint, model: str) -> tuple[Provider, ModelInfo] | None:
        self._load()
        from genai_prices.data_snapshot import get_snapshot

        snapshot = get_snapshot()
        try:
            if endpoint.official:
                return snapshot.find_provider_model(model, None, endpoint.kind, None)
            provider = snapshot.find_provider(None, None, endpoint.base_url)
            if not _owns(provider.api_pattern, endpoint.base_url):
                return None
            return snapshot.find_provider_model(model, provider, None, None)
        except LookupError:
            return None

    def _load(self) -> None:
        with self._lock:
            if self._version:
                return
            import genai_prices
            from genai_prices.data_snapshot import get_snapshot

            get_snapshot()
            self._version = genai_prices.__version__


def _calculate(provider: Provider, info: ModelInfo, usage: Usage, moment: datetime) -> Decimal:
    import genai_prices

    # Reasoning is contained in the output and priced like it; cache tokens are contained in the input.
    counted = genai_prices.Usage(
        input_tokens=usage.input_tokens,
        cache_read_tokens=usage.cached_input_tokens or None,
        cache_write_tokens=usage.cache_write_tokens or None,
        output_tokens=usage.output_tokens,
    )
    return info.calc_price(counted, provider, genai_request_timestamp=moment).total_price


def _by_own_price(price: Price, usage: Usage) -> Cost:
    cached_price = price.input if price.cached_input is None else price.cached_input
    write_price = price.input if price.cache_write is None else price.cache_write
    plain = usage.input_tokens - usage.cached_input_tokens - usage.cache_write_tokens
    total = (
        price.input * plain
        + cached_price * usage.cached_input_tokens
        + write_price * usage.cache_write_tokens
        + price.output * usage.output_tokens
    ) / _MILLION
    full = (price.input * usage.input_tokens + price.output * usage.output_tokens) / _MILLION
    saved = max(0, micro_usd(full - total)) if usage.cached_input_tokens else 0
    return Cost(micro_usd=micro_usd(total), source="config", saved_micro_usd=saved)


def _uncached(usage: Usage) -> Usage:
    return Usage(input_tokens=usage.input_tokens, output_tokens=usage.output_tokens)


def _is_complete(price: ModelPrice) -> bool:
    """A chat model has a price for both directions; a list entry without them says nothing about one."""
    return price.input_mtok is not None and price.output_mtok is not None


def _owns(pattern: str, url: str) -> bool:
    """The list's patterns are prefixes: `https://api.vendor.com` must not claim `https://api.vendor.com.foe`."""
    found = re.match(pattern, url)
    if found is None:
        return False
    return found.end() == len(url) or url[found.end()] in "/:?" or url[found.end() - 1] in "/."


def _base(price: Any) -> int | None:
    """Dollars per million → micro-USD per million; of a tiered price the first tier."""
    if price is None:
        return None
    return micro_usd(price if isinstance(price, Decimal) else price.base)
