"""A vendor of models: takes requests, streams answers or errors, bills, and writes down what it saw."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

from aethermind.domain.errors import ErrorInfo, InvalidError, ProviderError
from aethermind.domain.usage import Cost, Usage
from aethermind.engine.ports import (
    ChatEvent,
    ChatRequest,
    Estimate,
    Finished,
    ModelInfo,
    Provider,
    TextDelta,
    ToolCallRequested,
)

if TYPE_CHECKING:
    from tests.simulation.world import Life

TARIFF = {"cheap": (1, 4), "dear": (3, 12)}
"""Model → micro-USD per input and output token; others have no price."""
MODELS = ("vendor:cheap", "vendor:dear", "vendor:gift")


def amount(model: str, usage: Usage) -> int | None:
    price = TARIFF.get(model)
    return None if price is None else usage.input_tokens * price[0] + usage.output_tokens * price[1]


class SimPrices:
    def cost(self, provider: str, model: str, usage: Usage, *, at: int) -> Cost:
        known = amount(model, usage)
        return Cost() if known is None else Cost(micro_usd=known, source="simulation")

    def estimate(self, provider: str, model: str, *, input_bytes: int, max_output_tokens: int) -> Estimate:
        most = amount(model, Usage(input_tokens=input_bytes, output_tokens=max_output_tokens))
        return Estimate(low_micro_usd=most, high_micro_usd=most)


class SimProvider:
    name = "vendor"
    simulated = False

    def __init__(self, life: Life) -> None:
        self._life = life
        self._faults = life.world.faults

    async def stream(self, request: ChatRequest) -> AsyncIterator[ChatEvent]:
        life, faults = self._life, self._faults
        seen = life.began("request", call=request.context.call)
        life.place("request.sent")
        reply = faults.reply()
        refused, usage = self._refusal(reply), self._usage(request)
        if refused is None or reply == "timeout":
            # Billed from here on, whether anybody hears the answer or not.
            seen.billed = amount(request.model, usage)
        await asyncio.sleep(faults.first_token_s())
        if refused is not None:
            life.ended(seen)
            raise ProviderError(refused)
        pieces = faults.pieces()
        text = self._text(request, fits=reply != "unfit")
        for number in range(pieces):
            yield TextDelta(text[number * len(text) // pieces : (number + 1) * len(text) // pieces])
            if reply == "dropped":
                raise ProviderError(
                    ErrorInfo(kind="connection", message="the connection was lost", retryable=True)
                )
            await asyncio.sleep(faults.between_s())
        if reply == "cut":
            return
        wanted = faults.tools(len(request.messages)) if request.tools else ()
        for name in wanted:
            id_ = faults.tool_id()
            yield ToolCallRequested(id_, name, {"id": id_})
        life.place("reply.whole")
        life.ended(seen, whole=True)
        told = None if reply == "no_usage" else usage
        yield Finished(reason="tool_calls" if wanted else "stop", usage=told)

    def _usage(self, request: ChatRequest) -> Usage:
        sent = sum(len(m.content.encode()) for m in request.messages) + len(request.instructions.encode())
        most = request.settings.get("max_tokens", 4096)
        return Usage(input_tokens=max(1, sent), output_tokens=self._faults.output_tokens(int(most)))

    def _text(self, request: ChatRequest, *, fits: bool) -> str:
        if request.output_schema is None:
            return f"answer to {request.context.step}"
        return f'{{"score": {self._faults.chosen(10)}}}' if fits else "I would rather not"

    def _refusal(self, reply: str) -> ErrorInfo | None:
        match reply:
            case "rate_limit":
                return ErrorInfo(
                    kind="rate_limit",
                    message="too many requests",
                    status=429,
                    retryable=True,
                    retry_after_ms=self._faults.retry_after_ms(),
                )
            case "server":
                return ErrorInfo(kind="server", message="internal error", status=500, retryable=True)
            case "overloaded":
                return ErrorInfo(kind="overloaded", message="overloaded", status=529, retryable=True)
            case "connection":
                return ErrorInfo(kind="connection", message="connection refused", retryable=True)
            case "bad_request":
                return ErrorInfo(kind="bad_request", message="bad request", status=400)
            case "malformed":
                return ErrorInfo(kind="malformed", message="not an answer", retryable=True)
            case "timeout":
                return ErrorInfo(kind="timeout", message="no first token in time", retryable=True)
            case _:
                return None

    async def close(self) -> None:
        return None


class SimModels:
    def __init__(self, life: Life) -> None:
        self._life = life
        self._provider = SimProvider(life)
        self.prices = SimPrices()

    def resolve(self, name: str, *, sim: bool) -> str:
        if name not in MODELS:
            raise InvalidError(f"there is no model {name!r}")
        return name

    def provider(self, provider: str) -> Provider:
        return self._provider

    def list(self) -> list[ModelInfo]:
        return [ModelInfo(id=name, provider="vendor", configured=True) for name in MODELS]

    async def warm(self, providers: Sequence[str]) -> None:
        await asyncio.sleep(self._life.world.faults.read_s())

    async def close(self) -> None:
        return None
