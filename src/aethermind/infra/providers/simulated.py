"""The simulated provider: replies from a script (`sim_script`), else made up (`sim_invent`).

It needs no network, spends nothing, and keeps no state: an answer is a function of the request alone.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Any

import msgspec

from aethermind.domain.usage import Usage
from aethermind.engine.ports import ChatEvent, ChatRequest, Finished, Message, TextDelta, ToolCallRequested
from aethermind.infra.providers.failures import Peer, failure, from_status
from aethermind.infra.providers.settings import require_settings
from aethermind.infra.providers.sim_invent import Inventor
from aethermind.infra.providers.sim_prices import sim_cost
from aethermind.infra.providers.sim_script import SimError, Turn, turn_of
from aethermind.wire import digest

Sleep = Callable[[float], Awaitable[object]]

_WORDS = re.compile(r"\s*\S+\s*|\s+")
_ROUND = re.compile(r"#(\d+)")
_TICK = 0.02
"""Seconds: no shorter sleeps; at high speed a delta holds several words."""
_BURST = 64
"""Characters of a delta when there is no speed to keep."""

_PEER = Peer(name="sim", label="the simulated provider", url="sim:")


class SimulatedProvider:
    """Scripted or invented replies, streamed word by word.

    `tokens_per_second` and `delay_ms` hold where the script says nothing (None: as fast as possible).
    `sleep` is what waits, so that a test owns the time. The cost is notional and marked `sim`.
    """

    name = "sim"
    simulated = True

    def __init__(
        self,
        *,
        tokens_per_second: float | None = None,
        delay_ms: int = 0,
        seed: int = 0,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._tokens_per_second = tokens_per_second
        self._delay_ms = delay_ms
        self._seed = seed
        self._sleep = sleep

    async def stream(self, request: ChatRequest) -> AsyncIterator[ChatEvent]:
        require_settings("sim", request, _PEER)
        turn = turn_of(request)
        if turn.changed:
            step = request.context.step
            raise failure(
                _PEER,
                "bad_request",
                f"no recorded reply fits step {step}: its prompt has changed since it was recorded",
                hint="record it again (aethermind export RUN --sim), or take its prompt_digest out",
            )
        delay = self._delay_ms if turn.delay_ms is None else turn.delay_ms
        await self._sleep(delay / 1_000)
        text, cut = self._answer(request, turn)
        if turn.error is not None and turn.error != "drop":
            _fail(turn.error)
        speed = turn.tokens_per_second or self._tokens_per_second
        sent = 0
        for piece, seconds in _pieces(text, speed):
            if turn.error == "drop" and sent * 2 >= len(text):
                break
            if seconds or sent % 4_096 < _BURST:  # without a speed, let others run now and then
                await self._sleep(seconds)
            yield TextDelta(piece)
            sent += len(piece)
        if turn.error is not None:
            _fail(turn.error)
        calls = _calls(request, turn)
        for call in calls:
            yield call
        usage = None if turn.no_usage else _usage(request, text, calls, turn)
        yield Finished(
            reason="tool_calls" if calls else "length" if cut else "stop",
            usage=usage,
            response_id=f"sim-{digest([request.model, text, *turn.calls])}",
            model=request.model,
            cost=None if usage is None else sim_cost(request.model, usage),
        )

    async def close(self) -> None:
        """Nothing to close."""

    def _answer(self, request: ChatRequest, turn: Turn) -> tuple[str, bool]:
        if turn.scripted:
            reply = turn.reply
            return (reply if isinstance(reply, str) else json.dumps(reply, ensure_ascii=False)), False
        path = request.context.step
        said = ([message.role, message.content, *message.tool_calls] for message in request.messages)
        prompt = [request.instructions, *said]
        rounds = _ROUND.findall(path)
        inventor = Inventor(
            f"{self._seed + turn.seed}\n{path}\n{digest(prompt)}",
            request.messages[-1].content if request.messages else request.instructions,
            round_number=int(rounds[-1]) if rounds else 1,
        )
        if request.output_schema is not None:
            return json.dumps(inventor.value(request.output_schema), ensure_ascii=False), False
        return inventor.prose(max_tokens=request.settings.get("max_tokens"))


def _calls(request: ChatRequest, turn: Turn) -> list[ToolCallRequested]:
    """With ids that are unique in their conversation and the same whenever it is held."""
    before = sum(len(message.tool_calls) for message in request.messages)
    return [
        ToolCallRequested(f"call_{number}", call["name"], call.get("arguments", {}))
        for number, call in enumerate(turn.calls, before + 1)
    ]


def _usage(request: ChatRequest, text: str, calls: list[ToolCallRequested], turn: Turn) -> Usage:
    size = len(request.instructions.encode()) + _size(request.tools)
    size += sum(_message_size(message) for message in request.messages)
    said = len(text.encode()) + _size([[call.name, call.arguments] for call in calls])
    counted = Usage(input_tokens=_tokens(size), output_tokens=_tokens(said))
    return msgspec.structs.replace(counted, **turn.usage) if turn.usage else counted


def _message_size(message: Message) -> int:
    return len(message.content.encode()) + _size(message.tool_calls)


def _size(value: Sequence[Any]) -> int:
    """Bytes of what is sent as JSON, if there is anything."""
    return len(json.dumps(value, ensure_ascii=False).encode()) if value else 0


def _tokens(size: int) -> int:
    return -(-size // 4)


def _pieces(text: str, tokens_per_second: float | None) -> Iterator[tuple[str, float]]:
    """Deltas and how long each takes to come."""
    piece = ""
    for word in _WORDS.findall(text):
        piece += word
        seconds = _tokens(len(piece.encode())) / tokens_per_second if tokens_per_second else 0.0
        if (seconds >= _TICK) if tokens_per_second else len(piece) >= _BURST:
            yield piece, seconds
            piece = ""
    if piece:
        yield piece, _tokens(len(piece.encode())) / tokens_per_second if tokens_per_second else 0.0


def _fail(error: SimError) -> None:
    match error:
        case int():
            raise from_status(_PEER, error, {"message": "as its script says"}, {})
        case "timeout":
            text = "the simulated provider sent no token in time: as its script says"
            raise failure(_PEER, "timeout", text, retryable=True)
        case _:
            text = "the connection to the simulated provider broke: as its script says"
            raise failure(_PEER, "connection", text, retryable=True)
