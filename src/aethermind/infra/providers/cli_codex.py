"""The stream of Codex (`codex exec --json`): one JSON object per line.

`thread.started` (the session) · `turn.started` · `item.started/updated/completed` (what it says and does) ·
`turn.completed` (the end, with the usage) or `turn.failed`. A bare `error` is a warning unless nothing
follows: Codex connects again by itself. Its last message is the answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aethermind.domain.usage import Usage
from aethermind.engine.ports import ChatEvent, Finished, ReasoningDelta
from aethermind.infra.providers.cli_reading import Answer, began, cut, ended, object_of, part, text_of
from aethermind.infra.providers.conversation import usage_of

_TOOLS = {
    "command_execution": "shell",
    "file_change": "files",
    "mcp_tool_call": "mcp",
    "collab_tool_call": "agent",
    "web_search": "web_search",
}
"""Kind of item → what it is called in the trace."""
_OWN_WORDS = frozenset({"id", "type", "status", "aggregated_output", "exit_code", "result", "error"})
"""Fields of an item that do not say what was asked."""


class CodexReader:
    """See `CliReader`."""

    def __init__(self) -> None:
        self.ended = False
        self.complaint = ""
        self.code = ""
        self._answer = Answer()
        self._begun: set[str] = set()
        self._thread: str | None = None
        self._usage: Usage | None = None
        self._result: str | None = None

    def feed(self, line: bytes) -> Iterator[ChatEvent]:
        event = object_of(line)
        match event.get("type"):
            case "thread.started":
                self._thread = str(event["thread_id"])
            case "item.started" | "item.updated":
                yield from self._begin(event["item"])
            case "item.completed":
                yield from self._done(event["item"])
            case "turn.completed":
                self.ended, self.complaint, self.code = True, "", ""
                self._usage = _usage(event.get("usage"))
            case "turn.failed":
                self.ended = True
                self._complain(part(event.get("error"), "message") or event.get("error"))
            case "error":
                self._complain(event.get("message"))
            case _:
                pass

    def left(self) -> None:
        """Its end without the end of its turn is no good end."""

    def finish(self) -> Finished:
        return Finished(reason="stop", usage=self._usage, response_id=self._thread, text=self._result)

    def _begin(self, item: Any) -> Iterator[ChatEvent]:
        kind, id_ = item.get("type"), str(item["id"])
        if kind not in _TOOLS or id_ in self._begun:
            return
        self._begun.add(id_)
        name = _TOOLS[kind]
        if kind == "mcp_tool_call":
            name = f"mcp:{item.get('server')}:{item.get('tool')}"
        asked = item.get("arguments") if kind == "mcp_tool_call" else None
        yield began(id_, name, asked or {key: v for key, v in item.items() if key not in _OWN_WORDS})

    def _done(self, item: Any) -> Iterator[ChatEvent]:
        match item.get("type"):
            case "agent_message":
                text = str(item.get("text") or "")
                self._answer.begin()
                self._result = text
                yield from self._answer.say(text)
            case "reasoning" | "plan":
                yield ReasoningDelta(str(item.get("text") or ""))
            case kind if kind in _TOOLS:
                yield from self._begin(item)
                failed = item.get("status") in {"failed", "declined"} or bool(item.get("exit_code"))
                yield ended(item["id"], _outcome(item), is_error=failed)
            case _:
                pass

    def _complain(self, message: object) -> None:
        self.complaint = cut(str(message or "no reason was given"))


def _outcome(item: dict[str, Any]) -> str:
    text = item.get("aggregated_output")
    if not isinstance(text, str):
        text = text_of(part(item.get("result"), "content")) or str(part(item.get("error"), "message") or "")
    code = item.get("exit_code")
    status = str(item.get("status") or "done")
    return f"{text.rstrip()}\n[exit code {code}]".lstrip() if code else text or status


def _usage(told: object) -> Usage | None:
    """Its totals are inclusive already."""
    return usage_of(
        input_tokens=part(told, "input_tokens"),
        cached=part(told, "cached_input_tokens"),
        written=part(told, "cache_write_input_tokens"),
        output_tokens=part(told, "output_tokens"),
        reasoning=part(told, "reasoning_output_tokens"),
    )
