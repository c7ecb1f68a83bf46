"""What is sent to a model, and how it is recorded."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from aethermind.engine.ports import CallContext, ChatRequest

DEFAULT_MAX_TOKENS = 4_096


def with_context(request: ChatRequest, context: CallContext, *, bounded: bool) -> ChatRequest:
    """`bounded`: there is a budget, so the answer may not be longer than what is reserved for it."""
    settings = {"max_tokens": DEFAULT_MAX_TOKENS, **request.settings} if bounded else request.settings
    return replace(request, settings=settings, context=context)


def shown(request: ChatRequest) -> dict[str, Any]:
    """The request as `CallStarted` has it."""
    found: dict[str, Any] = {
        "system": request.instructions,
        "messages": [{"role": m.role, "content": m.content} for m in request.messages],
        "settings": dict(request.settings),
    }
    if request.output_schema is not None:
        found["output"] = dict(request.output_schema)
    return found
