"""The stream of Claude Code (`claude -p --output-format stream-json --verbose`): one JSON object per line.

`system` (its first line has the session) · `stream_event` (pieces, as the Messages API has them) ·
`assistant` and `user` (whole messages: text, tools and their results) · `result` (the end: answer, usage,
dollars). Of a subagent (`parent_tool_use_id`) only the tools count: its words are not the answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from aethermind.domain.usage import Cost, Usage
from aethermind.engine.ports import ChatEvent, Finished, ReasoningDelta
from aethermind.infra.providers.cli_reading import (
    Answer,
    began,
    cut,
    ended,
    object_of,
    part,
    reported_cost,
    text_of,
)
from aethermind.infra.providers.conversation import usage_of

Reason = Literal["stop", "length", "refusal"]
_REASONS: dict[str, Reason] = {"max_tokens": "length", "refusal": "refusal"}


class ClaudeReader:
    """See `CliReader`."""

    def __init__(self) -> None:
        self.ended = False
        self.complaint = ""
        self.code = ""
        self._answer = Answer()
        self._streamed: set[str] = set()
        """Ids of messages that came in pieces already."""
        self._message = ""
        self._session: str | None = None
        self._model: str | None = None
        self._result: str | None = None
        self._reason: Reason = "stop"
        self._usage: Usage | None = None
        self._cost: Cost | None = None

    def feed(self, line: bytes) -> Iterator[ChatEvent]:
        event = object_of(line)
        if isinstance(session := event.get("session_id"), str):
            self._session = session
        own = event.get("parent_tool_use_id") is None
        match event.get("type"):
            case "system" if event.get("subtype") == "init":
                self._model = part(event, "model") or self._model
            case "stream_event" if own:
                yield from self._piece(event.get("event"))
            case "assistant":
                self._failed_with(event.get("error"))
                yield from self._said(event["message"], own=own)
            case "user":
                yield from self._told(event["message"])
            case "result":
                self._end(event)
            case _:
                pass

    def left(self) -> None:
        """Its end without a result is no good end."""

    def finish(self) -> Finished:
        return Finished(
            reason=self._reason,
            usage=self._usage,
            response_id=self._session,
            model=self._model,
            cost=self._cost,
            text=self._result,
        )

    def _piece(self, event: Any) -> Iterator[ChatEvent]:
        match part(event, "type"):
            case "message_start":
                self._message = str(part(part(event, "message"), "id") or "")
            case "content_block_start":
                self._answer.begin()
            case "content_block_delta":
                delta = part(event, "delta")
                self._streamed.add(self._message)
                if isinstance(text := part(delta, "text"), str):
                    yield from self._answer.say(text)
                elif isinstance(thought := part(delta, "thinking"), str):
                    yield ReasoningDelta(thought)
            case _:
                pass

    def _said(self, message: Any, *, own: bool) -> Iterator[ChatEvent]:
        fresh = own and message.get("id") not in self._streamed
        for block in _blocks(message.get("content")):
            match block.get("type"):
                case "text" if fresh:
                    self._answer.begin()
                    yield from self._answer.say(str(block["text"]))
                case "thinking" if fresh:
                    yield ReasoningDelta(str(block.get("thinking") or ""))
                case "tool_use" | "server_tool_use" | "mcp_tool_use":
                    yield began(block["id"], block.get("name"), block.get("input"))
                case _:
                    pass

    def _told(self, message: Any) -> Iterator[ChatEvent]:
        for block in _blocks(message.get("content")):
            if block.get("type") == "tool_result":
                text = text_of(block.get("content"))
                yield ended(block["tool_use_id"], text, is_error=block.get("is_error") is True)

    def _failed_with(self, error: object) -> None:
        if isinstance(error, str) and error:
            self.code = error

    def _end(self, event: dict[str, Any]) -> None:
        self.ended = True
        self._usage = _usage(event)
        self._cost = reported_cost(event.get("total_cost_usd"))
        result, subtype = event.get("result"), str(event.get("subtype") or "success")
        if event.get("is_error") is not True and subtype == "success":
            self.code = ""
            self._result = result if isinstance(result, str) and result else None
            self._reason = _REASONS.get(str(event.get("stop_reason")), "stop")
            return
        errors = event.get("errors")
        said = [str(part(e, "message") or e) for e in errors] if isinstance(errors, list) else []
        self.code = f"{self.code} {subtype if subtype != 'success' else ''}".strip()
        if isinstance(status := event.get("api_error_status"), int):
            self.code = f"{self.code} {status}".strip()
        self.complaint = cut(result if isinstance(result, str) and result else "; ".join(said) or subtype)


def _blocks(content: object) -> Iterator[dict[str, Any]]:
    if isinstance(content, str):
        yield {"type": "text", "text": content}
    elif isinstance(content, list):
        yield from (block for block in content if isinstance(block, dict))


def _usage(event: dict[str, Any]) -> Usage | None:
    """Inclusive totals. `usage` is of the conversation, `modelUsage` of all models, subagents' too: the
    dollars are of the latter."""
    told = event.get("usage")
    whole = _counted(
        part(told, "input_tokens"),
        part(told, "cache_read_input_tokens"),
        part(told, "cache_creation_input_tokens"),
        part(told, "output_tokens"),
    )
    models = event.get("modelUsage")
    each = [
        _counted(
            part(item, "inputTokens"),
            part(item, "cacheReadInputTokens"),
            part(item, "cacheCreationInputTokens"),
            part(item, "outputTokens"),
        )
        for item in (models.values() if isinstance(models, dict) else ())
    ]
    summed = sum((usage for usage in each if usage is not None), Usage())
    if whole is None or summed.total_tokens > whole.total_tokens:
        return summed if summed.total_tokens else whole
    return whole


def _counted(plain: object, read: object, written: object, output: object) -> Usage | None:
    """Input is told without what was read from the cache or written to it."""
    parts = [
        count if isinstance(count, int) and not isinstance(count, bool) and count >= 0 else 0
        for count in (plain, read, written)
    ]
    if not isinstance(plain, int) and not any(parts):
        return None
    return usage_of(input_tokens=sum(parts), cached=parts[1], written=parts[2], output_tokens=output)
