"""The wire format of Chat Completions, spoken by OpenAI and by nearly every other server."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from aethermind.domain.usage import Usage
from aethermind.engine.ports import ChatEvent, ChatRequest, Message, ReasoningDelta, TextDelta
from aethermind.infra.providers.answer import Answer, Reason
from aethermind.infra.providers.conversation import text_or_none, usage_of
from aethermind.infra.providers.settings import stop_list
from aethermind.infra.providers.structured import Structured, is_object, strict, with_words
from aethermind.infra.providers.toolwire import (
    Call,
    CallPart,
    Talk,
    answer_text,
    fields_of,
    function_tool,
    parts_of,
    wire_id,
)

_REASONS: dict[str, Reason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}


def chat_arguments(
    request: ChatRequest, talk: Talk, *, official: bool, structured: Structured
) -> dict[str, Any]:
    """A request → keyword arguments of `chat.completions.create`. `official`: OpenAI itself, which has
    renamed `max_tokens`."""
    settings = request.settings
    arguments: dict[str, Any] = {
        "model": request.model,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    instructions = request.instructions
    schema = request.output_schema
    if schema is not None:
        if structured == "json_schema" and is_object(schema):
            arguments["response_format"] = {"type": "json_schema", "json_schema": schema_format(schema)}
        else:
            instructions = with_words(instructions, schema)
            if structured == "json_object" and is_object(schema):
                arguments["response_format"] = {"type": "json_object"}
    messages = [_message(message, talk) for message in request.messages]
    if instructions:
        messages.insert(0, {"role": "system", "content": instructions})
    arguments["messages"] = messages
    if request.tools:
        arguments["tools"] = [function_tool(tool) for tool in request.tools]
    if "max_tokens" in settings:
        arguments["max_completion_tokens" if official else "max_tokens"] = settings["max_tokens"]
    for name in ("temperature", "top_p", "seed"):
        if name in settings:
            arguments[name] = settings[name]
    if "reasoning" in settings:
        arguments["reasoning_effort"] = settings["reasoning"]
    if stop := stop_list(settings):
        arguments["stop"] = stop
    return arguments


def schema_format(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Name, schema and strictness, as both OpenAI APIs want them."""
    closed = strict(schema)
    return {"name": "output", "schema": closed or dict(schema), "strict": closed is not None}


def _message(message: Message, talk: Talk) -> dict[str, Any]:
    if message.role == "tool":
        name = wire_id(message.tool_call_id or "")
        return {"role": "tool", "tool_call_id": name, "content": answer_text(message)}
    sent: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        sent["content"] = message.content or None
        sent["tool_calls"] = [
            {
                "id": part.id,
                "type": "function",
                "function": {"name": part.name, "arguments": part.text},
                **part.more,
            }
            for part in parts_of(message, talk)
            if isinstance(part, CallPart)
        ]
        sent |= fields_of(message, talk)
    return sent


class ChatReader(Answer):
    """Ends with a `finish_reason`; `[DONE]` is not required. Usage may come on any chunk, most send it on
    one of its own after the end.

    A call of a tool comes in pieces that belong together by `index`. Some servers send whole calls without
    one, or several with the same: another id begins another call.
    """

    def __init__(self, talk: Talk) -> None:
        super().__init__(talk)
        self._calls: dict[int, Call] = {}

    def feed(self, event: Any) -> Iterable[ChatEvent]:
        self.id = self.id or text_or_none(event.id)
        self.model = text_or_none(event.model) or self.model
        if (usage := event.usage) is not None:
            self.usage = chat_usage(usage) or self.usage
        choices = event.choices
        if choices is None and event.usage is None:
            raise TypeError("a chunk with neither choices nor usage")
        for choice in choices or ():
            if choice.index:  # another alternative than the one that was asked for
                continue
            yield from self._deltas(choice.delta)
            if choice.finish_reason:
                self.reason = _REASONS.get(choice.finish_reason, "stop")

    def _deltas(self, delta: Any) -> Iterable[ChatEvent]:
        if delta is None:
            return
        extra: Mapping[str, Any] = delta.model_extra or {}
        thought = text_or_none(extra.get("reasoning_content"))
        if thought:  # servers that have this field want it back with the answers of the tools
            self.fields["reasoning_content"] = self.fields.get("reasoning_content", "") + thought
        if thought := thought or text_or_none(extra.get("reasoning")):
            yield ReasoningDelta(thought)
        if text := text_or_none(delta.content):
            yield TextDelta(text)
        if refusal := text_or_none(delta.refusal):
            self.refused = True
            yield TextDelta(refusal)
        for piece in delta.tool_calls or ():
            self._piece(piece)

    def _piece(self, piece: Any) -> None:
        name = text_or_none(piece.id)
        index = getattr(piece, "index", None)
        place = index if isinstance(index, int) else max(self._calls, default=0)
        call = self._calls.get(place)
        named = piece.function is not None and bool(piece.function.name)
        other = call is not None and bool(name and call.id and name != call.id)
        if call is None or other or (index is None and named and call.name):
            call = self._calls[place] = self.call(Call())
        call.id = call.id or name or ""
        if (function := piece.function) is not None:
            if given := text_or_none(function.name):
                call.name = call.name or given
            if isinstance(function.arguments, str):
                call.pieces.append(function.arguments)
            elif function.arguments is not None:
                call.value = function.arguments
        if (extra := (piece.model_extra or {}).get("extra_content")) is not None:
            call.extra = {"extra_content": extra}  # a signature of the thought behind the call


def chat_usage(usage: Any) -> Usage | None:
    """All details are subsets of their totals; compatible servers omit them or send null."""
    into, out = usage.prompt_tokens_details, usage.completion_tokens_details
    cached = getattr(into, "cached_tokens", None)
    if cached is None:  # DeepSeek's older name
        cached = (usage.model_extra or {}).get("prompt_cache_hit_tokens")
    return usage_of(
        input_tokens=usage.prompt_tokens,
        cached=cached,
        written=getattr(into, "cache_write_tokens", None),
        output_tokens=usage.completion_tokens,
        reasoning=getattr(out, "reasoning_tokens", None),
    )
