"""The wire format of Chat Completions, spoken by OpenAI and by nearly every other server."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from aethermind.domain.usage import Usage
from aethermind.engine.ports import ChatEvent, ChatRequest, Finished, ReasoningDelta, TextDelta
from aethermind.infra.providers.conversation import text_or_none, usage_of
from aethermind.infra.providers.settings import stop_list
from aethermind.infra.providers.structured import Structured, is_object, strict, with_words

Reason = Literal["stop", "length", "tool_calls", "content_filter", "refusal"]

_REASONS: dict[str, Reason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}


def chat_arguments(request: ChatRequest, *, official: bool, structured: Structured) -> dict[str, Any]:
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
    messages = [{"role": message.role, "content": message.content} for message in request.messages]
    if instructions:
        messages.insert(0, {"role": "system", "content": instructions})
    arguments["messages"] = messages
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


class ChatReader:
    """Ends with a `finish_reason`; `[DONE]` is not required. Usage may come on any chunk, most send it on
    one of its own after the end."""

    def __init__(self) -> None:
        self._reason: Reason | None = None
        self._refused = False
        self._usage: Usage | None = None
        self._id: str | None = None
        self._model: str | None = None

    @property
    def ended(self) -> bool:
        return self._reason is not None

    def feed(self, event: Any) -> Iterable[ChatEvent]:
        self._id = self._id or text_or_none(event.id)
        self._model = text_or_none(event.model) or self._model
        if (usage := event.usage) is not None:
            self._usage = chat_usage(usage) or self._usage
        choices = event.choices
        if choices is None and event.usage is None:
            raise TypeError("a chunk with neither choices nor usage")
        for choice in choices or ():
            if choice.index:  # another alternative than the one that was asked for
                continue
            yield from self._deltas(choice.delta)
            if choice.finish_reason:
                self._reason = _REASONS.get(choice.finish_reason, "stop")

    def finish(self) -> Finished:
        reason = "refusal" if self._refused and self._reason == "stop" else self._reason or "stop"
        return Finished(reason=reason, usage=self._usage, response_id=self._id, model=self._model)

    def _deltas(self, delta: Any) -> Iterable[ChatEvent]:
        if delta is None:
            return
        extra: Mapping[str, Any] = delta.model_extra or {}
        if thought := text_or_none(extra.get("reasoning_content")) or text_or_none(extra.get("reasoning")):
            yield ReasoningDelta(thought)
        if text := text_or_none(delta.content):
            yield TextDelta(text)
        if refusal := text_or_none(delta.refusal):
            self._refused = True
            yield TextDelta(refusal)


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
