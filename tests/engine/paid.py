"""A vendor of the test's own, whose prices are round: an output token costs a micro-dollar, input nothing.

`Paid` answers each call with as many tokens as `cost` says, after `pace` has been awaited. Both are given the
text of the last message.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from aethermind.domain.errors import ErrorInfo, NotFoundError, ProviderError
from aethermind.domain.usage import Cost, Usage
from aethermind.engine.ports import (
    ChatEvent,
    ChatRequest,
    Estimate,
    Finished,
    ModelInfo,
    Provider,
    TextDelta,
)


async def at_once(_text: str) -> None:
    await asyncio.sleep(0)


class Tariff:
    """The port `Prices`. `paid:gratis` costs nothing, `paid:mystery` nobody knows what; writing into the
    cache costs `cache_write` micro-dollars a token."""

    def __init__(self, *, cache_write: int = 0) -> None:
        self.cache_write = cache_write

    def cost(self, provider: str, model: str, usage: Usage, *, at: int) -> Cost:
        if model == "mystery":
            return Cost()
        if model == "gratis":
            return Cost(micro_usd=0, source="local")
        micro = usage.output_tokens + usage.cache_write_tokens * self.cache_write
        return Cost(micro_usd=micro, source="config")

    def estimate(self, provider: str, model: str, *, input_bytes: int, max_output_tokens: int) -> Estimate:
        return Estimate(low_micro_usd=0, high_micro_usd=max_output_tokens)


class Paid:
    """The port `Provider`. Breaks off after a first word where `breaks` says so."""

    name = "paid"
    simulated = False

    def __init__(
        self,
        *,
        cost: Callable[[str], int | None] = lambda _text: 10,
        pace: Callable[[str], Awaitable[None]] = at_once,
        breaks: Callable[[str], ErrorInfo | None] = lambda _text: None,
        speaks: bool = True,
    ) -> None:
        self._cost, self._pace, self._breaks, self._speaks = cost, pace, breaks, speaks
        self.asked: list[str] = []

    async def stream(self, request: ChatRequest) -> AsyncIterator[ChatEvent]:
        text = request.messages[-1].content
        self.asked.append(text)
        if self._speaks:
            yield TextDelta("word")
        await self._pace(text)
        if (error := self._breaks(text)) is not None:
            raise ProviderError(error)
        cost = self._cost(text)
        yield Finished(reason="stop", usage=None if cost is None else Usage(output_tokens=cost))

    async def close(self) -> None:
        return None


class PaidModels:
    """The port `Models`, with this vendor alone."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    def resolve(self, name: str, *, sim: bool) -> str:
        return name

    def provider(self, provider: str) -> Provider:
        if provider != "paid":
            raise NotFoundError(f"no provider {provider}")
        return self._provider

    def list(self) -> list[ModelInfo]:
        return []

    async def warm(self, providers: Sequence[str]) -> None:
        return None

    async def close(self) -> None:
        return None
