"""The state of model calls and of the tool calls that they ask for. Data, no rules."""

from __future__ import annotations

from typing import Any, Literal

from aethermind.domain.errors import ErrorInfo
from aethermind.domain.events import Origin
from aethermind.domain.usage import Cost, Usage

Json = Any
CallStatus = Literal["running", "succeeded", "failed", "lost"]
Doubt = Literal["", "retry", "tell"]


class CallState:
    """One model call. `request` and `text` are what was sent and what came back."""

    __slots__ = (
        "agent",
        "cached_from",
        "carry",
        "cost",
        "digest",
        "error",
        "finish",
        "finished_at",
        "first_token_ms",
        "model",
        "n",
        "provider",
        "reasoning",
        "request",
        "reserved",
        "started_at",
        "status",
        "text",
        "tool_calls",
        "tools",
        "usage",
    )

    def __init__(self, n: int, provider: str, model: str, request: Json, at: int) -> None:
        self.n = n
        self.provider = provider
        self.model = model
        self.request = request
        self.digest = ""
        """Of what was asked, if a later attempt may go on from its answer."""
        self.agent: str | None = None
        self.status: CallStatus = "running"
        self.started_at = at
        self.finished_at: int | None = None
        self.first_token_ms: int | None = None
        self.usage: Usage | None = None
        self.cost: Cost | None = None
        self.reserved: int | None = None
        self.error: ErrorInfo | None = None
        self.text = ""
        self.reasoning = ""
        self.finish: str | None = None
        self.cached_from: Origin | None = None
        """Whose answer this is, if nothing was sent."""
        self.tool_calls: tuple[Json, ...] = ()
        """What the model asked for: `{"id", "name", "arguments"}` each."""
        self.carry: Json = None
        self.tools: list[ToolState] = []
        """Those that were begun or refused, in order."""


class ToolState:
    """One tool call inside a model call's turn."""

    __slots__ = (
        "arguments",
        "by",
        "digest",
        "doubt",
        "effect",
        "error",
        "finished_at",
        "id",
        "is_error",
        "result",
        "started_at",
        "status",
        "tool",
        "tries",
        "truncated",
    )

    def __init__(self, id_: str, tool: str, arguments: Json, at: int) -> None:
        self.id = id_
        self.tool = tool
        self.arguments = arguments
        self.effect = ""
        self.digest = ""
        self.status: CallStatus = "running"
        """`lost`: its attempt ended before it did."""
        self.doubt: Doubt = ""
        """What was decided about a lost one: run it again, or tell the model that nobody knows."""
        self.tries = 1
        self.started_at = at
        self.finished_at: int | None = None
        self.result: Json = None
        """What the model was told."""
        self.is_error = False
        self.truncated = False
        self.error: ErrorInfo | None = None
        self.by: str | None = None
        """Who approved or rejected it, if somebody was asked."""
