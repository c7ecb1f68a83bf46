"""Pure views of tool calls: their object in `show --json`, and lines for people (not yet made harmless)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aethermind.domain.call_states import CallStatus, ToolState
from aethermind.domain.errors import ErrorInfo

Json = Any
MOST_CHARS = 80


def tool_title(tool: ToolState) -> str:
    """What it does to what: `write_file brief.md`, `shell pytest -q`, `search tides`."""
    arguments = tool.arguments
    if not isinstance(arguments, dict):
        return tool.tool
    argv = arguments.get("argv")
    if isinstance(argv, list):
        about = " ".join(map(str, argv))
    else:
        about = next((value for value in arguments.values() if isinstance(value, str)), "")
    line = about.strip().partition("\n")[0]
    return f"{tool.tool} {line[:MOST_CHARS]}{'…' if len(line) > MOST_CHARS else ''}".rstrip()


def tool_status(tool: ToolState) -> CallStatus:
    """As a mark: an answer that tells of an error is one."""
    return "failed" if tool.is_error else tool.status


def tool_said(tool: ToolState) -> str:
    """A line of what the model was told: the first, or how a program ended; empty while it is not over."""
    if tool.error is not None:
        return tool.error.message
    if not isinstance(tool.result, str):
        return ""
    text = tool.result.strip()
    line = text.rpartition("\n")[2] if tool.is_error and text.endswith("]") else text.partition("\n")[0]
    return f"{line[:MOST_CHARS]}{'…' if len(line) > MOST_CHARS else ''}"


def tool_object(
    tool: ToolState,
    *,
    at: Callable[[int | None], str | None],
    error: Callable[[ErrorInfo | None], dict[str, Json] | None],
) -> dict[str, Json]:
    """`at` and `error` say how a time and an error are written."""
    return {
        "id": tool.id,
        "tool": tool.tool,
        "arguments": tool.arguments,
        "effect": tool.effect or None,
        "status": tool.status,
        "started_at": at(tool.started_at),
        "finished_at": at(tool.finished_at),
        "duration_ms": None if tool.finished_at is None else tool.finished_at - tool.started_at,
        "result": tool.result,
        "is_error": tool.is_error or tool.error is not None,
        "truncated": tool.truncated,
        "error": error(tool.error),
        "decided_by": tool.by,
        "tries": tool.tries,
    }
