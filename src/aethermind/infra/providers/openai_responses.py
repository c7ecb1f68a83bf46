"""The wire format of OpenAI's Responses API."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, assert_never

from aethermind.domain.usage import Usage
from aethermind.engine.ports import ChatEvent, ChatRequest, Message, ReasoningDelta, TextDelta
from aethermind.infra.providers.answer import Answer, Reason
from aethermind.infra.providers.conversation import text_or_none, usage_of
from aethermind.infra.providers.failures import WireError
from aethermind.infra.providers.openai_chat import schema_format
from aethermind.infra.providers.structured import Structured, is_object, with_words
from aethermind.infra.providers.toolwire import (
    Block,
    BlockPart,
    Call,
    CallPart,
    Said,
    Talk,
    TextPart,
    answer_text,
    parts_of,
    wire_id,
)


def responses_arguments(request: ChatRequest, talk: Talk, *, structured: Structured) -> dict[str, Any]:
    """A request → keyword arguments of `responses.create`. Nothing is stored at the vendor: a run has its
    own record, with the reasoning between two calls of tools in it, encrypted."""
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
    arguments["input"] = [item for message in request.messages for item in _items(message, talk)]
    if request.tools:
        arguments["tools"] = [_tool(tool) for tool in request.tools]
        arguments["include"] = ["reasoning.encrypted_content"]
    if "max_tokens" in settings:
        arguments["max_output_tokens"] = settings["max_tokens"]
    for name in ("temperature", "top_p"):
        if name in settings:
            arguments[name] = settings[name]
    if "reasoning" in settings:
        arguments["reasoning"] = {"effort": settings["reasoning"]}
    return arguments


def _tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "function",
        "name": tool["name"],
        "description": tool.get("description", ""),
        "parameters": tool["input_schema"],
        "strict": False,  # the schema is the tool's own, and its arguments are checked before it is called
    }


def _items(message: Message, talk: Talk) -> Iterator[dict[str, Any]]:
    if message.role == "tool":
        name = wire_id(message.tool_call_id or "")
        yield {"type": "function_call_output", "call_id": name, "output": answer_text(message)}
    elif not message.tool_calls:
        yield {"role": message.role, "content": message.content}
    else:
        for part in parts_of(message, talk):
            match part:
                case TextPart():
                    yield {"role": "assistant", "content": part.text, **part.more}
                case CallPart():
                    yield {
                        "type": "function_call",
                        "call_id": part.id,
                        "name": part.name,
                        "arguments": part.text,
                    }
                case BlockPart():
                    yield dict(part.data)
                case _:
                    assert_never(part)


class ResponsesReader(Answer):
    """Ends with `response.completed` or `response.incomplete`; `response.failed` is an error. The final
    event carries the usage. Items count when they are done: what `output_item.added` says may be partial."""

    def __init__(self, talk: Talk) -> None:
        super().__init__(talk)
        self._said = 0

    def feed(self, event: Any) -> Iterable[ChatEvent]:
        match event.type:
            case "response.output_text.delta":
                if text := text_or_none(event.delta):
                    self._said += len(text)
                    yield TextDelta(text)
            case "response.refusal.delta":
                self.refused = True
                if text := text_or_none(event.delta):
                    yield TextDelta(text)
            case "response.reasoning_summary_text.delta" | "response.reasoning_text.delta":
                if text := text_or_none(event.delta):
                    yield ReasoningDelta(text)
            case "response.function_call_arguments.delta":
                self.begun = True
            case "response.output_item.done":
                self._item(event.item)
            case "response.completed":
                self._end(event.response, "stop")
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

    def _item(self, item: Any) -> None:
        match item.type:
            case "function_call":
                name = text_or_none(item.call_id) or text_or_none(getattr(item, "id", None)) or ""
                arguments = item.arguments
                text = arguments if isinstance(arguments, str) else ""
                value = None if isinstance(arguments, str) else arguments
                self.call(Call(name, text_or_none(item.name) or "", [text], value))
            case "message":
                phase = text_or_none(getattr(item, "phase", None))
                self.order.append(Said(self._said, {"phase": phase} if phase else {}))
                self._said = 0
            case "reasoning":
                # Without its content it would be looked up at the vendor, where nothing was stored.
                if text_or_none(getattr(item, "encrypted_content", None)):
                    data = item.model_dump(mode="json", exclude_none=True, exclude={"status"})
                    self.order.append(Block(data))
            case _:
                return

    def _end(self, response: Any, reason: Reason) -> None:
        if not any(isinstance(part, Call) for part in self.order):  # servers that tell items only here
            for item in response.output or ():
                if item.type == "function_call":
                    self._item(item)
        self.reason = reason
        self.id = text_or_none(response.id)
        self.model = text_or_none(response.model)
        if response.usage is not None:
            self.usage = responses_usage(response.usage)


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
