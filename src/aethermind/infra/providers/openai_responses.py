"""The wire format of OpenAI's Responses API."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from aethermind.domain.usage import Usage
from aethermind.engine.ports import ChatEvent, ChatRequest, Finished, ReasoningDelta, TextDelta
from aethermind.infra.providers.conversation import text_or_none, usage_of
from aethermind.infra.providers.failures import WireError
from aethermind.infra.providers.openai_chat import schema_format
from aethermind.infra.providers.structured import Structured, is_object, with_words

Reason = Literal["stop", "length", "tool_calls", "content_filter", "refusal"]


def responses_arguments(request: ChatRequest, *, structured: Structured) -> dict[str, Any]:
    """A request → keyword arguments of `responses.create`. Nothing is stored at the vendor: a run has its
    own record."""
    settings = request.settings
    arguments: dict[str, Any] = {"model": request.model, "stream": True, "store": False}
    instructions = request.instructions
    schema = request.output_schema
    if schema is not None:
        if structured == "json_schema" and is_object(schema):
            arguments["text"] = {"format": {"type": "json_schema", **schema_format(schema)}}
        else:
            instructions = with_words(instructions, schema)
            if structured == "json_object" and is_object(schema):
                arguments["text"] = {"format": {"type": "json_object"}}
    if instructions:
        arguments["instructions"] = instructions
    arguments["input"] = [{"role": message.role, "content": message.content} for message in request.messages]
    if "max_tokens" in settings:
        arguments["max_output_tokens"] = settings["max_tokens"]
    for name in ("temperature", "top_p"):
        if name in settings:
            arguments[name] = settings[name]
    if "reasoning" in settings:
        arguments["reasoning"] = {"effort": settings["reasoning"]}
    return arguments


class ResponsesReader:
    """Ends with `response.completed` or `response.incomplete`; `response.failed` is an error. The final
    event carries the usage."""

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
        match event.type:
            case "response.output_text.delta":
                if text := text_or_none(event.delta):
                    yield TextDelta(text)
            case "response.refusal.delta":
                self._refused = True
                if text := text_or_none(event.delta):
                    yield TextDelta(text)
            case "response.reasoning_summary_text.delta" | "response.reasoning_text.delta":
                if text := text_or_none(event.delta):
                    yield ReasoningDelta(text)
            case "response.completed":
                self._end(event.response, "refusal" if self._refused else "stop")
            case "response.incomplete":
                details = event.response.incomplete_details
                filtered = details is not None and details.reason == "content_filter"
                self._end(event.response, "content_filter" if filtered else "length")
            case "response.failed":
                error = event.response.error
                if error is None:
                    raise WireError("the response failed without a reason")
                raise WireError(str(error.message), error.code, error.type)
            case "error":
                raise WireError(str(event.message), event.code)
            case str():  # progress, item boundaries, and what later versions add
                return
            case _:
                raise TypeError("an event without a type")

    def finish(self) -> Finished:
        return Finished(
            reason=self._reason or "stop", usage=self._usage, response_id=self._id, model=self._model
        )

    def _end(self, response: Any, reason: Reason) -> None:
        self._reason = reason
        self._id = text_or_none(response.id)
        self._model = text_or_none(response.model)
        if response.usage is not None:
            self._usage = responses_usage(response.usage)


def responses_usage(usage: Any) -> Usage | None:
    """All details are subsets of their totals; compatible servers omit them."""
    into, out = usage.input_tokens_details, usage.output_tokens_details
    return usage_of(
        input_tokens=usage.input_tokens,
        cached=getattr(into, "cached_tokens", None),
        written=getattr(into, "cache_write_tokens", None),
        output_tokens=usage.output_tokens,
        reasoning=getattr(out, "reasoning_tokens", None),
    )
