"""The vendors' wire formats, written down by hand from their documentation: what the real servers send.

A `Wire` knows one API: its good answers as a list of chunks, its errors, its terminal marker, and the usage
that ours should make of its numbers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aethermind.domain.usage import Usage
from tests.servers.http import NDJSON, SSE

CREATED = 1_790_000_000


@dataclass(frozen=True)
class Counts:
    """Tokens of an answer, inclusive totals."""

    input: int = 1_200
    cached: int = 400
    written: int = 100
    output: int = 50
    reasoning: int = 20

    @property
    def usage(self) -> Usage:
        return Usage(
            input_tokens=self.input,
            cached_input_tokens=self.cached,
            cache_write_tokens=self.written,
            output_tokens=self.output,
            reasoning_tokens=self.reasoning,
        )


COUNTS = Counts()


@dataclass(frozen=True)
class Asked:
    """A tool that the model calls; `arguments` as the text that it wrote."""

    name: str
    arguments: str
    id: str = ""


SIGNATURE = "EqQBCkgIARABGAIiQ-signed"
"""What only the vendor can read, wherever its API signs or encrypts thoughts."""


class Wire:
    """One API. `path` is where requests have to arrive."""

    name = ""
    path = ""
    content_type = SSE

    def chunks(
        self,
        text: str,
        counts: Counts | None = COUNTS,
        *,
        reason: str = "stop",
        thought: str = "",
        calls: Sequence[Asked] = (),
    ) -> list[bytes]:
        """A whole answer, its terminal marker last but for what may follow it."""
        raise AssertionError("each wire says it")

    def usage(self, counts: Counts) -> Usage:
        """What ours should read out of it."""
        return counts.usage

    def cut(self, text: str) -> list[bytes]:
        """A beginning without the terminal marker."""
        raise AssertionError("each wire says it")

    def error(self, message: str, *, code: str = "", kind: str = "") -> bytes:
        """The body of an error status."""
        return json.dumps(
            {"error": {"message": message, "type": kind or None, "code": code or None}}
        ).encode()

    def event(self, data: str) -> bytes:
        """Any data as one event, good or bad."""
        return f"data: {data}\n\n".encode()


def sse(data: Mapping[str, Any], event: str = "") -> bytes:
    head = f"event: {event}\n" if event else ""
    return f"{head}data: {json.dumps(data)}\n\n".encode()


def halves(text: str) -> list[str]:
    middle = len(text) // 2
    return [part for part in (text[:middle], text[middle:]) if part]


class Chat(Wire):
    name = "chat"
    path = "/v1/chat/completions"

    def chunks(
        self,
        text: str,
        counts: Counts | None = COUNTS,
        *,
        reason: str = "stop",
        thought: str = "",
        calls: Sequence[Asked] = (),
    ) -> list[bytes]:
        deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
        if thought:
            deltas.append({"reasoning_content": thought})
        deltas += [{"content": part} for part in halves(text)]
        for number, call in enumerate(calls):
            head = {"index": number, "id": call.id, "type": "function"}
            deltas.append({"tool_calls": [{**head, "function": {"name": call.name, "arguments": ""}}]})
            deltas += [
                {"tool_calls": [{"index": number, "function": {"arguments": part}}]}
                for part in halves(call.arguments)
            ]
        reason = "tool_calls" if calls and reason == "stop" else reason
        chunks = [self._chunk([{"index": 0, "delta": delta, "finish_reason": None}]) for delta in deltas]
        chunks.append(self._chunk([{"index": 0, "delta": {}, "finish_reason": reason}]))
        if counts is not None:
            usage = {
                "prompt_tokens": counts.input,
                "completion_tokens": counts.output,
                "total_tokens": counts.input + counts.output,
                "prompt_tokens_details": {
                    "cached_tokens": counts.cached,
                    "cache_write_tokens": counts.written,
                    "audio_tokens": 0,
                },
                "completion_tokens_details": {"reasoning_tokens": counts.reasoning},
            }
            chunks.append(self._chunk([], usage=usage))
        return [*chunks, b"data: [DONE]\n\n"]

    def cut(self, text: str) -> list[bytes]:
        return [self._chunk([{"index": 0, "delta": {"content": text}, "finish_reason": None}])]

    def _chunk(self, choices: list[dict[str, Any]], usage: Mapping[str, Any] | None = None) -> bytes:
        head = {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1_790_000_000,
            "model": "m-1",
        }
        return sse({**head, "choices": choices, "usage": usage})


class Responses(Wire):
    name = "responses"
    path = "/v1/responses"

    def chunks(
        self,
        text: str,
        counts: Counts | None = COUNTS,
        *,
        reason: str = "stop",
        thought: str = "",
        calls: Sequence[Asked] = (),
    ) -> list[bytes]:
        events: list[tuple[str, dict[str, Any]]] = [
            ("response.created", {"response": self._response("in_progress", None)}),
            ("response.in_progress", {"response": self._response("in_progress", None)}),
            ("response.output_item.added", {"output_index": 0, "item": {"type": "message", "id": "msg_1"}}),
        ]
        place = {"item_id": "msg_1", "output_index": 0}
        if thought:
            events.append(
                ("response.reasoning_summary_text.delta", {**place, "summary_index": 0, "delta": thought})
            )
        events += [
            ("response.output_text.delta", {**place, "content_index": 0, "delta": part, "logprobs": []})
            for part in halves(text)
        ]
        events.append(("response.output_text.done", {**place, "content_index": 0, "text": text}))
        done: list[dict[str, Any]] = []
        if thought:
            summary = [{"type": "summary_text", "text": thought}]
            done.append({"type": "reasoning", "id": "rs_1", "summary": summary})
            done[-1] |= {"encrypted_content": SIGNATURE, "status": None}
        content = [{"type": "output_text", "text": text, "annotations": []}]
        done.append({"type": "message", "id": "msg_1", "role": "assistant", "status": "completed"})
        done[-1] |= {"content": content, "phase": None}
        for number, call in enumerate(calls, len(done)):
            item = {"type": "function_call", "id": f"fc_{number}", "call_id": call.id, "name": call.name}
            added = item | {"arguments": "", "status": "in_progress"}
            events.append(("response.output_item.added", {"output_index": number, "item": added}))
            where = {"item_id": f"fc_{number}", "output_index": number}
            events += [
                ("response.function_call_arguments.delta", {**where, "delta": part})
                for part in halves(call.arguments)
            ]
            done.append(item | {"arguments": call.arguments, "status": "completed"})
        for number, item in enumerate(done):
            events.append(("response.output_item.done", {"output_index": number, "item": item}))
        usage = None
        if counts is not None:
            usage = {
                "input_tokens": counts.input,
                "input_tokens_details": {
                    "cached_tokens": counts.cached,
                    "cache_write_tokens": counts.written,
                },
                "output_tokens": counts.output,
                "output_tokens_details": {"reasoning_tokens": counts.reasoning},
                "total_tokens": counts.input + counts.output,
            }
        if reason == "stop":
            events.append(("response.completed", {"response": self._response("completed", usage)}))
        else:
            why = {"length": "max_output_tokens"}.get(reason, reason)
            response = self._response("incomplete", usage) | {"incomplete_details": {"reason": why}}
            events.append(("response.incomplete", {"response": response}))
        return self._numbered(events)

    def cut(self, text: str) -> list[bytes]:
        delta = {"item_id": "msg_1", "output_index": 0, "content_index": 0, "delta": text, "logprobs": []}
        return self._numbered([("response.output_text.delta", delta)])

    def failed(self, code: str, message: str) -> list[bytes]:
        response = self._response("failed", None) | {"error": {"code": code, "message": message}}
        return self._numbered([("response.failed", {"response": response})])

    def _numbered(self, events: Sequence[tuple[str, dict[str, Any]]]) -> list[bytes]:
        return [
            sse({"type": name, "sequence_number": number, **data}, event=name)
            for number, (name, data) in enumerate(events)
        ]

    def _response(self, status: str, usage: Mapping[str, Any] | None) -> dict[str, Any]:
        return {
            "id": "resp_1", "object": "response", "created_at": CREATED, "status": status, "model": "m-1",
            "output": [], "usage": usage, "error": None, "incomplete_details": None, "instructions": None,
            "metadata": {}, "parallel_tool_calls": True, "temperature": 1.0, "top_p": 1.0, "tools": [],
            "tool_choice": "auto",
        }  # fmt: skip


class Anthropic(Wire):
    name = "anthropic"
    path = "/v1/messages"

    def chunks(
        self,
        text: str,
        counts: Counts | None = COUNTS,
        *,
        reason: str = "stop",
        thought: str = "",
        calls: Sequence[Asked] = (),
    ) -> list[bytes]:
        start: dict[str, Any] = {}
        if counts is not None:
            start = {
                "input_tokens": counts.input - counts.cached - counts.written,
                "cache_read_input_tokens": counts.cached,
                "cache_creation_input_tokens": counts.written,
                "output_tokens": 1,
            }
        events = [self._start(start)]
        if thought:
            block = {"type": "thinking", "thinking": "", "signature": ""}
            delta = {"type": "thinking_delta", "thinking": thought}
            events += [
                {"type": "content_block_start", "index": 0, "content_block": block},
                {"type": "content_block_delta", "index": 0, "delta": delta},
                {
                    "type": "content_block_delta",
                    "index": 0,
                    "delta": {"type": "signature_delta", "signature": SIGNATURE},
                },
                {"type": "content_block_stop", "index": 0},
            ]
        block = {"type": "text", "text": ""}
        events.append({"type": "content_block_start", "index": 1, "content_block": block})
        events.append({"type": "ping"})
        events += [self._text(part) for part in halves(text)]
        events.append({"type": "content_block_stop", "index": 1})
        for number, call in enumerate(calls, 2):
            tool = {"type": "tool_use", "id": call.id, "name": call.name, "input": {}}
            events.append({"type": "content_block_start", "index": number, "content_block": tool})
            for part in ["", *halves(call.arguments)]:
                piece = {"type": "input_json_delta", "partial_json": part}
                events.append({"type": "content_block_delta", "index": number, "delta": piece})
            events.append({"type": "content_block_stop", "index": number})
        reason = "tool_use" if calls and reason == "stop" else reason
        why = {"stop": "end_turn", "length": "max_tokens"}.get(reason, reason)
        final: dict[str, Any] = {"output_tokens": 0}
        if counts is not None:
            # Cumulative: it replaces what message_start said.
            final = {
                "output_tokens": counts.output,
                "output_tokens_details": {"thinking_tokens": counts.reasoning},
            }
        events.append(
            {"type": "message_delta", "delta": {"stop_reason": why, "stop_sequence": None}, "usage": final}
        )
        events.append({"type": "message_stop"})
        if counts is None:
            for event in events:
                event.pop("usage", None)
                event.get("message", {}).pop("usage", None)
        return [sse(event, event=event["type"]) for event in events]

    def cut(self, text: str) -> list[bytes]:
        events = [self._start({"input_tokens": 5, "output_tokens": 1}), self._text(text)]
        return [sse(event, event=event["type"]) for event in events]

    def error(self, message: str, *, code: str = "", kind: str = "") -> bytes:
        error = {"type": kind or code or "api_error", "message": message}
        return json.dumps({"type": "error", "error": error}).encode()

    def event(self, data: str) -> bytes:
        return f"event: content_block_delta\ndata: {data}\n\n".encode()

    def failed(self, kind: str, message: str) -> list[bytes]:
        return [sse({"type": "error", "error": {"type": kind, "message": message}}, event="error")]

    def _text(self, text: str) -> dict[str, Any]:
        return {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": text}}

    def _start(self, usage: Mapping[str, Any]) -> dict[str, Any]:
        message: dict[str, Any] = {
            "id": "msg_1", "type": "message", "role": "assistant", "model": "m-1", "content": [],
            "stop_reason": None, "stop_sequence": None, "usage": dict(usage),
        }  # fmt: skip
        return {"type": "message_start", "message": message}


class Ollama(Wire):
    name = "ollama"
    path = "/api/chat"
    content_type = NDJSON

    def chunks(
        self,
        text: str,
        counts: Counts | None = COUNTS,
        *,
        reason: str = "stop",
        thought: str = "",
        calls: Sequence[Asked] = (),
    ) -> list[bytes]:
        lines = [self._line({"role": "assistant", "content": "", "thinking": thought})] if thought else []
        lines += [self._line({"role": "assistant", "content": part}) for part in halves(text)]
        for call in calls:
            function = {"name": call.name, "arguments": _value(call.arguments)}
            told = {"function": function} | ({"id": call.id} if call.id else {})
            lines.append(self._line({"role": "assistant", "content": "", "tool_calls": [told]}))
        last: dict[str, Any] = {"done_reason": reason, "total_duration": 5_000, "load_duration": 100}
        if counts is not None:
            last |= {"prompt_eval_count": counts.input, "eval_count": counts.output}
        return [*lines, self._line({"role": "assistant", "content": ""}, done=True, **last)]

    def usage(self, counts: Counts) -> Usage:
        return Usage(input_tokens=counts.input, output_tokens=counts.output)

    def cut(self, text: str) -> list[bytes]:
        return [self._line({"role": "assistant", "content": text})]

    def error(self, message: str, *, code: str = "", kind: str = "") -> bytes:
        return json.dumps({"error": message}).encode()

    def event(self, data: str) -> bytes:
        return f"{data}\n".encode()

    def failed(self, message: str) -> list[bytes]:
        return [json.dumps({"error": message}).encode() + b"\n"]

    def _line(self, message: Mapping[str, Any], *, done: bool = False, **more: Any) -> bytes:
        head = {"model": "m-1", "created_at": "2026-11-22T10:00:00Z", "message": message, "done": done}
        return json.dumps(head | more).encode() + b"\n"


def _value(text: str) -> Any:
    """What Ollama makes of what a model wrote; it hands on what it cannot read."""
    try:
        return json.loads(text)
    except ValueError:
        return text
