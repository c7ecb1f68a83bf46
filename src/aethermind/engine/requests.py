"""What is sent to a model besides what was said."""

from __future__ import annotations

from msgspec.structs import replace

from aethermind.domain.state import Node
from aethermind.engine.ports import CallContext, ChatRequest

DEFAULT_MAX_TOKENS = 4_096


def with_context(request: ChatRequest, context: CallContext, *, bounded: bool) -> ChatRequest:
    """`bounded`: there is a budget, so the answer may not be longer than what is reserved for it."""
    settings = {"max_tokens": DEFAULT_MAX_TOKENS, **request.settings} if bounded else request.settings
    return replace(request, settings=settings, context=context)


def turn_of(node: Node) -> int:
    """Which attempt this is for a script of replies, from 1: those that were lost, held back or cancelled do
    not count, and those before a run was taken up again do.
    """
    return 1 + sum(attempt.status in {"failed", "succeeded"} for attempt in node.attempts)
