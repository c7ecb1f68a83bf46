"""The wire format of Anthropic's Messages API."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, assert_never

from aethermind.engine.ports import ChatEvent, ChatRequest, Message, ReasoningDelta, TextDelta
from aethermind.infra.providers.answer import Answer, Reason
from aethermind.infra.providers.conversation import text_or_none, usage_of
from aethermind.infra.providers.failures import Peer, bad_request
from aethermind.infra.providers.settings import LEAST_THOUGHT, stop_list, thinking_version
from aethermind.infra.providers.structured import Structured, has_open_mapping, is_object, with_words
from aethermind.infra.providers.toolwire import (
    Block,
    BlockPart,
    Call,
    CallPart,
    Talk,
    TextPart,
    parts_of,
    wire_id,
)

MAX_TOKENS = 4_096
"""What is sent when `max_tokens` is not set; the API demands a number."""

CACHE_FROM_BYTES = 4_096
"""A prefix from this size on is marked for the vendor's prompt cache: about the 1,024 tokens below which the
vendor caches nothing. A write costs 1.25 of the input price, a later read a tenth or less."""

_EPHEMERAL = {"type": "ephemeral"}
_REASONS: dict[str, Reason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "refusal",
}
_THINKING_TOKENS = {"low": 1_024, "medium": 4_096, "high": 16_384}
"""Budgets of the models that are told a number instead of a level."""


def messages_arguments(
    request: ChatRequest, talk: Talk, peer: Peer, *, structured: Structured
) -> dict[str, Any]:
    """A request → keyword arguments of `messages.create`."""
    settings = request.settings
    arguments: dict[str, Any] = {
        "model": request.model,
        "stream": True,
        "max_tokens": settings.get("max_tokens", MAX_TOKENS),
    }
    output_config: dict[str, Any] = {}
    system = "\n\n".join(
        [request.instructions, *(m.content for m in request.messages if m.role == "system")]
    ).strip()
    schema = request.output_schema
    if schema is not None:
        enforced = _output_format(schema) if structured == "json_schema" else None
        if enforced is not None:
            output_config["format"] = enforced
        else:
            system = with_words(system, schema)
    if request.tools:
        arguments["tools"] = [_tool(tool) for tool in request.tools]
    if system:
        arguments["system"] = [{"type": "text", "text": system}]
    messages = _messages(request, talk)
    if not messages:
        raise bad_request(peer, "Anthropic needs a message besides the instructions")
    arguments["messages"] = messages
    if settings.get("prompt_cache", True):
        _mark(arguments)
    if stop := stop_list(settings):
        arguments["stop_sequences"] = stop
    thinking = thinking_arguments(request, talk)
    output_config |= thinking.pop("output_config", {})
    arguments |= thinking
    if output_config:
        arguments["output_config"] = output_config
    return arguments


def thinking_arguments(request: ChatRequest, talk: Talk) -> dict[str, Any]:
    """`settings.reasoning` as this model takes it: a level from Claude 4.6 on, a number of tokens before,
    not at all before 3.7. Those that take a number refuse a conversation whose last calls of tools came
    without thoughts: of another model, then."""
    level = request.settings.get("reasoning")
    if level is None:
        return {}
    version = thinking_version(request.model)
    if version >= (4, 6):
        return {"thinking": {"type": "adaptive"}, "output_config": {"effort": level}}
    last = [message for message in request.messages if message.role in {"assistant", "user"}][-1:]
    if last and last[0].tool_calls and not any(isinstance(p, BlockPart) for p in parts_of(last[0], talk)):
        return {}
    limit = request.settings.get("max_tokens", MAX_TOKENS)
    # `max_tokens` bounds thoughts and answer together: whoever thinks all of it away says nothing.
    room = max(LEAST_THOUGHT, limit // 2)
    return {"thinking": {"type": "enabled", "budget_tokens": min(_THINKING_TOKENS[level], room)}}


def _output_format(schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """The schema in the subset that the API enforces, made by the SDK; None where that cannot say it."""
    if not is_object(schema) or has_open_mapping(schema):
        return None
    from anthropic import transform_schema

    try:
        return {"type": "json_schema", "schema": transform_schema(dict(schema))}
    except (ValueError, TypeError, AttributeError, AssertionError):
        return None


def _tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": tool["name"],
        "description": tool.get("description", ""),
        "input_schema": {"type": "object", **tool["input_schema"]},
    }


# --- messages ----------------------------------------------------------------------------------


def _messages(request: ChatRequest, talk: Talk) -> list[dict[str, Any]]:
    """Answers of tools stand at the head of one message of the user, all those of one turn together, as the
    API demands; what is empty is left out, because it refuses that."""
    sent: list[dict[str, Any]] = []
    for message in request.messages:
        if message.role == "system":
            continue
        if message.role == "tool":
            blocks = [_result(message)]
            if sent and sent[-1]["role"] == "user" and isinstance(sent[-1]["content"], list):
                sent[-1]["content"] += blocks
            else:
                sent.append({"role": "user", "content": blocks})
        elif message.tool_calls:
            sent.append({"role": "assistant", "content": _blocks(message, talk)})
        elif (
            message.role == "user"
            and sent
            and isinstance(sent[-1]["content"], list)
            and (sent[-1]["role"] == "user")
        ):
            sent[-1]["content"].append({"type": "text", "text": message.content})
        elif message.content or message.role == "user":
            sent.append({"role": message.role, "content": message.content})
    return sent


def _result(message: Message) -> dict[str, Any]:
    block: dict[str, Any] = {
        "type": "tool_result",
        "tool_use_id": wire_id(message.tool_call_id or ""),
        "content": message.content,
    }
    return block | {"is_error": True} if message.is_error else block


def _blocks(message: Message, talk: Talk) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    for part in parts_of(message, talk):
        match part:
            case TextPart():
                if part.text.strip():
                    blocks.append({"type": "text", "text": part.text})
            case CallPart():
                block = {"type": "tool_use", "id": part.id, "name": part.name, "input": part.object}
                blocks.append(block)
            case BlockPart():
                blocks.append(dict(part.data))
            case _:
                assert_never(part)
    return blocks


# --- the vendor's prompt cache -----------------------------------------------------------------


def _mark(arguments: dict[str, Any]) -> None:
    """Set at most four marks: after the tools, after the instructions, after the last message, and after the
    one with which the call before it ended, where its own mark was: so a long turn still finds it.

    Messages are marked only where there are tools: their conversation goes on, and each call reads what the
    one before it wrote. A prompt that is asked once would be written for nobody.
    """
    size = 0
    if tools := arguments.get("tools"):
        size += _size(tools)
        if size >= CACHE_FROM_BYTES:
            tools[-1]["cache_control"] = _EPHEMERAL
    if system := arguments.get("system"):
        size += _size(system)
        if size >= CACHE_FROM_BYTES:
            system[-1]["cache_control"] = _EPHEMERAL
    if not tools:
        return
    messages = arguments["messages"]
    asked = [index for index, message in enumerate(messages) if message["role"] == "user"][-2:]
    for index, message in enumerate(messages):
        size += _size(message["content"])
        if index in asked and size >= CACHE_FROM_BYTES:
            if isinstance(message["content"], str):
                message["content"] = [{"type": "text", "text": message["content"]}]
            message["content"][-1]["cache_control"] = _EPHEMERAL


def _size(value: object) -> int:
    """Bytes, about."""
    return len(json.dumps(value, ensure_ascii=False, default=str).encode())


# --- answers -----------------------------------------------------------------------------------


class MessagesReader(Answer):
    """Ends with `message_stop`. `message_start` and `message_delta` carry cumulative usage: later numbers
    replace earlier ones. `input_tokens` excludes what was read from and written to the cache. Thoughts are
    signed and have to come back, unchanged and in order, as long as tools answer."""

    def __init__(self, talk: Talk) -> None:
        super().__init__(talk)
        self._last: Reason = "stop"
        self._counts: dict[str, int] = {}
        self._open: dict[int, Call | Block] = {}

    def feed(self, event: Any) -> Iterable[ChatEvent]:
        match event.type:
            case "message_start":
                self.id = text_or_none(event.message.id)
                self.model = text_or_none(event.message.model)
                self._count(event.message.usage)
            case "content_block_start":
                yield from self._start(event.index, event.content_block)
            case "content_block_delta":
                yield from self._delta(event.index, event.delta)
            case "message_delta":
                if event.delta.stop_reason:
                    self._last = _REASONS.get(event.delta.stop_reason, "stop")
                self._count(event.usage)
            case "message_stop":
                self.reason = self._last
                self._settle_usage()
            case str():  # block boundaries, and what later versions add
                return
            case _:
                raise TypeError("an event without a type")

    def _start(self, index: int, block: Any) -> Iterable[ChatEvent]:
        match block.type:
            case "text":
                if text := text_or_none(block.text):
                    self.said(text)
                    yield TextDelta(text)
            case "tool_use":
                call = Call(text_or_none(block.id) or "", text_or_none(block.name) or "")
                call.value = block.input or None  # whole already, at servers that imitate this API
                self._open[index] = self.call(call)
            case "thinking":
                data = {"type": "thinking", "thinking": text_or_none(block.thinking) or ""}
                data["signature"] = text_or_none(getattr(block, "signature", None)) or ""
                self._block(index, data)
            case "redacted_thinking":
                self._block(index, {"type": "redacted_thinking", "data": text_or_none(block.data) or ""})
            case _:
                return

    def _block(self, index: int, data: dict[str, Any]) -> None:
        block = self._open[index] = Block(data)
        self.order.append(block)

    def _delta(self, index: int, delta: Any) -> Iterable[ChatEvent]:
        place = self._open.get(index)
        match delta.type:
            case "text_delta":
                if text := text_or_none(delta.text):
                    self.said(text)
                    yield TextDelta(text)
            case "thinking_delta":
                if text := text_or_none(delta.thinking):
                    if isinstance(place, Block):
                        place.data["thinking"] += text
                    yield ReasoningDelta(text)
            case "signature_delta":
                if isinstance(place, Block) and (text := text_or_none(delta.signature)):
                    place.data["signature"] += text
            case "input_json_delta":
                if isinstance(place, Call) and (text := text_or_none(delta.partial_json)):
                    place.value = None
                    place.pieces.append(text)
            case _:
                return

    def _count(self, usage: Any) -> None:
        if usage is None:
            return
        names = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens")
        for name in names:
            if isinstance(value := getattr(usage, name, None), int):
                self._counts[name] = value
        thinking = getattr(getattr(usage, "output_tokens_details", None), "thinking_tokens", None)
        if isinstance(thinking, int):
            self._counts["thinking_tokens"] = thinking

    def _settle_usage(self) -> None:
        counts = self._counts
        cached = counts.get("cache_read_input_tokens", 0)
        written = counts.get("cache_creation_input_tokens", 0)
        fresh = counts.get("input_tokens")
        self.usage = usage_of(
            input_tokens=None if fresh is None else fresh + cached + written,
            cached=cached,
            written=written,
            output_tokens=counts.get("output_tokens"),
            reasoning=counts.get("thinking_tokens"),
        )
