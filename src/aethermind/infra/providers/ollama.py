"""Ollama's native API: `/v1` would ignore `num_ctx`, and without it Ollama cuts long prompts silently."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import threading
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from aethermind.domain.usage import Usage
from aethermind.engine.ports import ChatEvent, ChatRequest, Finished, ReasoningDelta, TextDelta
from aethermind.infra.providers.accounts import account
from aethermind.infra.providers.conversation import Stream, converse, text_or_none, usage_of
from aethermind.infra.providers.deadlines import Deadlines
from aethermind.infra.providers.failures import Peer, WireError, failure, from_status
from aethermind.infra.providers.names import ollama_url
from aethermind.infra.providers.settings import require_settings, stop_list
from aethermind.infra.secrets import remember

if TYPE_CHECKING:
    import httpx2

NUM_CTX = 8_192
"""The context window that is asked for when neither the settings nor the config say. It is the same for
every call, because Ollama reloads a model whose window changes."""

_BYTES_PER_TOKEN = 7
"""No text has more; so a prompt has at least its bytes / 7 tokens."""

_log = logging.getLogger(__name__)


class OllamaProvider:
    """A connection to an Ollama server; `host` as in `OLLAMA_HOST` (the default), `api_key` only for one
    behind a gateway. A prompt that cannot fit `num_ctx` is refused before it is sent. All failures are
    `ProviderError`; there are no retries inside.
    """

    simulated = False

    def __init__(
        self,
        host: str | None = None,
        *,
        api_key: str | None = None,
        name: str = "ollama",
        num_ctx: int = NUM_CTX,
        headers: Mapping[str, str] | None = None,
        deadlines: Deadlines | None = None,
    ) -> None:
        own = name == "ollama"
        self.name = name
        self.base_url = ollama_url(host or (os.environ.get("OLLAMA_HOST") if own else None))
        self.num_ctx = num_ctx
        self._headers = dict(headers or {})
        if api_key:
            remember(api_key)
            self._headers.setdefault("Authorization", f"Bearer {api_key}")
        self._deadlines = deadlines or Deadlines()
        self._lock = threading.Lock()
        self._client: httpx2.AsyncClient | None = None
        self._peer = Peer(
            name=name,
            label="Ollama" if own else name,
            url=self.base_url,
            key=api_key,
            variable="OLLAMA_HOST" if own else None,
        )

    @property
    def account(self) -> str:
        """Tells accounts apart without a word of the key (see `engine.answers`)."""
        return account("ollama", self.base_url, self.num_ctx, key=None, headers=self._headers)

    def stream(self, request: ChatRequest) -> AsyncIterator[ChatEvent]:
        reader = NdjsonReader()
        return converse(lambda: self._open(request, reader), reader, self._peer, self._deadlines)

    def warm(self) -> None:
        """Import httpx2 and make the client. Blocking: call it on a worker thread."""
        self._connect()

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _open(self, request: ChatRequest, reader: NdjsonReader) -> Stream:
        require_settings("ollama", request, self._peer)
        body = chat_body(request, num_ctx=self.num_ctx)
        window: int = body["options"]["num_ctx"]
        least = sum(len(message["content"].encode()) for message in body["messages"]) // _BYTES_PER_TOKEN
        if least >= window:
            text = f"the prompt has at least {least} tokens, but num_ctx is {window}"
            hint = f"settings: {{num_ctx: {_next_window(2 * least)}}}"
            raise failure(self._peer, "context_length", text, hint=hint)
        reader.expect(request.model, window=window, least=least)
        client = await self._ready()
        response = await client.send(client.build_request("POST", "/api/chat", json=body), stream=True)
        if response.status_code >= 400:
            try:
                raw = await response.aread()
            finally:
                await response.aclose()
            raise from_status(self._peer, response.status_code, _json_or_text(raw), response.headers)
        return _Lines(response)

    async def _ready(self) -> httpx2.AsyncClient:
        if self._client is not None:
            return self._client
        # Importing an SDK takes a second or more, which the engine's loop must not feel.
        return await asyncio.to_thread(self._connect)

    def _connect(self) -> httpx2.AsyncClient:
        with self._lock:
            if self._client is None:
                import httpx2

                self._client = httpx2.AsyncClient(
                    base_url=self.base_url,
                    headers=self._headers,
                    timeout=httpx2.Timeout(None, connect=self._deadlines.connect_ms / 1_000),
                    limits=httpx2.Limits(max_connections=1_000, max_keepalive_connections=100),
                )
            return self._client


def chat_body(request: ChatRequest, *, num_ctx: int) -> dict[str, Any]:
    """A request → the JSON of `/api/chat`."""
    settings = request.settings
    messages = [{"role": message.role, "content": message.content} for message in request.messages]
    if request.instructions:
        messages.insert(0, {"role": "system", "content": request.instructions})
    options: dict[str, Any] = {"num_ctx": settings.get("num_ctx", num_ctx)}
    if "max_tokens" in settings:
        options["num_predict"] = settings["max_tokens"]
    for name in ("temperature", "top_p", "seed"):
        if name in settings:
            options[name] = settings[name]
    if stop := stop_list(settings):
        options["stop"] = stop
    body: dict[str, Any] = {"model": request.model, "messages": messages, "stream": True, "options": options}
    if request.output_schema is not None:
        body["format"] = dict(request.output_schema)
    if level := settings.get("reasoning"):
        # Only gpt-oss knows levels; other models that think take a plain yes.
        body["think"] = level if "gpt-oss" in request.model else True
    return body


class NdjsonReader:
    """One JSON object per line; ends with the line whose `done` is true, which carries the usage."""

    def __init__(self) -> None:
        self._asked, self._window, self._least = "", NUM_CTX, 0
        self._reason: Literal["stop", "length"] | None = None
        self._usage: Usage | None = None
        self._model: str | None = None

    @property
    def ended(self) -> bool:
        return self._reason is not None

    def expect(self, model: str, *, window: int, least: int) -> None:
        """What was sent: the window that was asked for and the fewest tokens the prompt can have."""
        self._asked, self._window, self._least = model, window, least

    def feed(self, event: Any) -> Iterable[ChatEvent]:
        if not isinstance(event, dict):
            raise TypeError("a line that is no JSON object")
        if error := event.get("error"):
            raise WireError(str(error))
        message = event.get("message") or {}
        if thought := text_or_none(message.get("thinking")):
            yield ReasoningDelta(thought)
        if text := text_or_none(message.get("content")):
            yield TextDelta(text)
        if event.get("done") is True:
            self._reason = "length" if event.get("done_reason") == "length" else "stop"
            self._model = text_or_none(event.get("model"))
            self._usage = usage_of(
                input_tokens=event.get("prompt_eval_count"), output_tokens=event.get("eval_count")
            )
            self._warn()

    def finish(self) -> Finished:
        return Finished(reason=self._reason or "stop", usage=self._usage, model=self._model)

    def _warn(self) -> None:
        """Ollama cuts what does not fit and says nothing; the counts give it away."""
        if self._usage is None:
            return
        read = self._usage.input_tokens
        if read < self._least or read >= self._window - 1:
            _log.warning(
                "%s read %d tokens of a prompt of at least %d with num_ctx %d: it was probably cut",
                self._asked, read, self._least, self._window,
            )  # fmt: skip


class _Lines:
    """An NDJSON response as an iterator over its objects."""

    def __init__(self, response: httpx2.Response) -> None:
        self.response = response

    async def __aiter__(self) -> AsyncIterator[Any]:
        rest = b""
        async for chunk in self.response.aiter_bytes():
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                if line.strip():
                    yield json.loads(line.decode())
        if rest.strip():
            yield json.loads(rest.decode())

    async def close(self) -> None:
        await self.response.aclose()


def _json_or_text(raw: bytes) -> object:
    try:
        return json.loads(raw)
    except ValueError:
        return raw.decode(errors="replace")


def _next_window(tokens: int) -> int:
    window = NUM_CTX
    while window < tokens:
        window *= 2
    return window
