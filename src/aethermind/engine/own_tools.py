"""What a provider that is an agent itself (`cli:`) tells of its own tools, among its other chat events."""

from __future__ import annotations

from typing import Any

import msgspec

Json = Any


class ToolBegan(msgspec.Struct, frozen=True, kw_only=True):
    """The provider, an agent itself, has begun to use a tool of its own: for the trace. `id` is unique in the
    call; `arguments` are JSON of a bounded size."""

    id: str
    name: str
    arguments: Json = None


class ToolEnded(msgspec.Struct, frozen=True, kw_only=True):
    """How a tool of the provider's own ended."""

    id: str
    text: str = ""
    is_error: bool = False
