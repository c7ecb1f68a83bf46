"""Anthropic's Messages API."""

from __future__ import annotations

import asyncio
import os
import re
import threading
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, cast

from aethermind.engine.ports import ChatEvent, ChatRequest, Finished, ReasoningDelta, TextDelta
from aethermind.infra.providers.accounts import account
from aethermind.infra.providers.conversation import Stream, converse, text_or_none, usage_of
from aethermind.infra.providers.deadlines import Deadlines
from aethermind.infra.providers.failures import Peer, bad_request, missing_key
from aethermind.infra.providers.names import ANTHROPIC_URL, is_anthropic
from aethermind.infra.providers.settings import require_settings, stop_list
from aethermind.infra.providers.structured import Structured, is_object, with_words
from aethermind.infra.secrets import remember

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic

MAX_TOKENS = 4_096
"""What is sent when `max_tokens` is not set; the API demands a number."""

CACHE_FROM_BYTES = 4_096
"""Instructions from this size on are marked for the vendor's prompt cache: about the 1,024 tokens below
which the vendor caches nothing. A write costs 1.25 of the input price, a later read a tenth or less."""

Reason = Literal["stop", "length", "tool_calls", "content_filter", "refusal"]
_REASONS: dict[str, Reason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "refusal",
}
_THINKING_TOKENS = {"low": 1_024, "medium": 4_096, "high": 16_384}
"""Budgets of the models that are told a number instead of a level."""

_VERSION = re.compile(r"claude-(?:[a-z]+-)?(\d+)(?:-(\d{1,2}))?(?!\d)")


class AnthropicProvider:
    """A connection to Anthropic or to a server that speaks its Messages API.

    `api_key` and `base_url` default to `ANTHROPIC_API_KEY` and `ANTHROPIC_BASE_URL` for the provider named
    `anthropic`. `max_tokens` is 4,096 unless set. All failures are `ProviderError`; there are no retries
    inside.
    """

    simulated = False

    def __init__(
        self,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        name: str = "anthropic",
        headers: Mapping[str, str] | None = None,
        structured: Structured = "json_schema",
        deadlines: Deadlines | None = None,
    ) -> None:
        own = name == "anthropic"
        self.name = name
        default = (os.environ.get("ANTHROPIC_BASE_URL") if own else None) or ANTHROPIC_URL
        self.base_url = (base_url or default).rstrip("/")
        self.official = is_anthropic(self.base_url)
        key = os.environ.get("ANTHROPIC_API_KEY") if api_key is None and own else api_key
        self._key = key or None
        if self._key:
            remember(self._key)
        self._headers = dict(headers or {})
        self._structured: Structured = structured
        self._deadlines = deadlines or Deadlines()
        self._lock = threading.Lock()
        self._client: AsyncAnthropic | None = None
        self._peer = Peer(
            name=name,
            label="Anthropic" if own else name,
            url=self.base_url,
            key=self._key,
            variable="ANTHROPIC_BASE_URL" if own else None,
        )

    @property
    def account(self) -> str:
        """Tells accounts apart without a word of the key (see `engine.answers`)."""
        return account("anthropic", self.base_url, self._structured, key=self._key, headers=self._headers)

    def stream(self, request: ChatRequest) -> AsyncIterator[ChatEvent]:
        return converse(lambda: self._open(request), MessagesReader(), self._peer, self._deadlines)

    def warm(self) -> None:
        """Import the SDK and make the client. Blocking: call it on a worker thread."""
        _ = self._connect().messages

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def _open(self, request: ChatRequest) -> Stream:
        require_settings("anthropic", request, self._peer)
        if self._key is None and self.official:
            raise missing_key(self._peer, ["ANTHROPIC_API_KEY"] if self.name == "anthropic" else [])
        client = await self._ready()
        arguments = messages_arguments(request, self._peer, structured=self._structured)
        return cast("Stream", await client.messages.create(**arguments))

    async def _ready(self) -> AsyncAnthropic:
        if self._client is not None:
            return self._client
        # Importing an SDK takes a second or more, which the engine's loop must not feel.
        return await asyncio.to_thread(self._connect)

    def _connect(self) -> AsyncAnthropic:
        with self._lock:
            if self._client is None:
                self._client = self._make_client()
            return self._client

    def _make_client(self) -> AsyncAnthropic:
        import inspect

        import httpx2
        from anthropic import AsyncAnthropic

        options: dict[str, Any] = {}
        if "open_telemetry" in inspect.signature(AsyncAnthropic).parameters:
            options["open_telemetry"] = False  # the spans are ours
        return AsyncAnthropic(
            api_key=self._key or "none",  # never None: the SDK would go looking for other credentials
            base_url=self.base_url,
            max_retries=0,
            timeout=httpx2.Timeout(None, connect=self._deadlines.connect_ms / 1_000),
            default_headers=self._headers,
            **options,
        )


def messages_arguments(request: ChatRequest, peer: Peer, *, structured: Structured) -> dict[str, Any]:
    """A request → keyword arguments of `messages.create`."""
    settings = request.settings
    arguments: dict[str, Any] = {
        "model": request.model,
        "stream": True,
        "max_tokens": settings.get("max_tokens", MAX_TOKENS),
    }
    output_config: dict[str, Any] = {}
    system = "\n\n".join(
        [request.instructions, *(m.content for m in request.messages if m.role == "system")]
    ).strip()
    schema = request.output_schema
    if schema is not None:
        enforced = _output_format(schema) if structured == "json_schema" else None
        if enforced is not None:
            output_config["format"] = enforced
        else:
            system = with_words(system, schema)
    if system:
        block: dict[str, Any] = {"type": "text", "text": system}
        if len(system.encode()) >= CACHE_FROM_BYTES:
            block["cache_control"] = {"type": "ephemeral"}
        arguments["system"] = [block]
    messages = [{"role": m.role, "content": m.content} for m in request.messages if m.role != "system"]
    if not messages:
        raise bad_request(peer, "Anthropic needs a message besides the instructions")
    arguments["messages"] = messages
    if stop := stop_list(settings):
        arguments["stop_sequences"] = stop
    thinking = thinking_arguments(request, peer)
    output_config |= thinking.pop("output_config", {})
    arguments |= thinking
    if output_config:
        arguments["output_config"] = output_config
    return arguments


def thinking_arguments(request: ChatRequest, peer: Peer) -> dict[str, Any]:
    """`settings.reasoning` as this model takes it: a level from Claude 4.6 on, a number of tokens before,
    not at all before 3.7."""
    level = request.settings.get("reasoning")
    if level is None:
        return {}
    found = _VERSION.match(request.model)
    version = (int(found[1]), int(found[2] or 0)) if found else (99, 0)
    if version >= (4, 6):
        return {"thinking": {"type": "adaptive"}, "output_config": {"effort": level}}
    if version < (3, 7):
        raise bad_request(peer, f"{request.model} does not take the setting 'reasoning'", "leave it out")
    limit = request.settings.get("max_tokens", MAX_TOKENS)
    budget = min(_THINKING_TOKENS[level], limit - 1)
    if budget < 1_024:
        hint = "settings: {max_tokens: 4096} or more"
        raise bad_request(peer, f"{request.model} needs max_tokens above 1024 to reason", hint)
    return {"thinking": {"type": "enabled", "budget_tokens": budget}}


def _output_format(schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """The schema in the subset that the API enforces, made by the SDK; None where that cannot say it."""
    if not is_object(schema):
        return None
    from anthropic import transform_schema

    try:
        return {"type": "json_schema", "schema": transform_schema(dict(schema))}
    except (ValueError, TypeError, AttributeError, AssertionError):
        return None


class MessagesReader:
    """Ends with `message_stop`. `message_start` and `message_delta` carry cumulative usage: later numbers
    replace earlier ones. `input_tokens` excludes what was read from and written to the cache."""

    def __init__(self) -> None:
        self._stopped = False
        self._reason: Reason = "stop"
        self._counts: dict[str, Any] = {}
        self._id: str | None = None
        self._model: str | None = None

    @property
    def ended(self) -> bool:
        return self._stopped

    def feed(self, event: Any) -> Iterable[ChatEvent]:
        match event.type:
            case "message_start":
                self._id = text_or_none(event.message.id)
                self._model = text_or_none(event.message.model)
                self._count(event.message.usage)
            case "content_block_start":
                if event.content_block.type == "text" and (text := text_or_none(event.content_block.text)):
                    yield TextDelta(text)
            case "content_block_delta":
                if event.delta.type == "text_delta" and (text := text_or_none(event.delta.text)):
                    yield TextDelta(text)
                elif event.delta.type == "thinking_delta" and (text := text_or_none(event.delta.thinking)):
                    yield ReasoningDelta(text)
            case "message_delta":
                if event.delta.stop_reason:
                    self._reason = _REASONS.get(event.delta.stop_reason, "stop")
                self._count(event.usage)
            case "message_stop":
                self._stopped = True
            case str():  # block boundaries, and what later versions add
                return
            case _:
                raise TypeError("an event without a type")

    def finish(self) -> Finished:
        counts = self._counts
        cached = counts.get("cache_read_input_tokens", 0)
        written = counts.get("cache_creation_input_tokens", 0)
        fresh = counts.get("input_tokens")
        usage = usage_of(
            input_tokens=None if fresh is None else fresh + cached + written,
            cached=cached,
            written=written,
            output_tokens=counts.get("output_tokens"),
            reasoning=counts.get("thinking_tokens"),
        )
        return Finished(reason=self._reason, usage=usage, response_id=self._id, model=self._model)

    def _count(self, usage: Any) -> None:
        if usage is None:
            return
        names = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens")
        for name in names:
            if isinstance(value := getattr(usage, name, None), int):
                self._counts[name] = value
        thinking = getattr(getattr(usage, "output_tokens_details", None), "thinking_tokens", None)
        if isinstance(thinking, int):
            self._counts["thinking_tokens"] = thinking
