"""Ollama's native API: `/v1` would ignore `num_ctx`, and without it Ollama cuts long prompts silently."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from aethermind.engine.ports import ChatEvent, ChatRequest, Message, ReasoningDelta, TextDelta
from aethermind.infra.providers.accounts import account
from aethermind.infra.providers.answer import Answer
from aethermind.infra.providers.connection import Connection, address
from aethermind.infra.providers.conversation import Stream, converse, text_or_none, usage_of
from aethermind.infra.providers.deadlines import Deadlines
from aethermind.infra.providers.failures import WireError, failure, from_status
from aethermind.infra.providers.names import NUM_CTX, ollama_url
from aethermind.infra.providers.settings import require_settings, stop_list
from aethermind.infra.providers.structured import with_words
from aethermind.infra.providers.toolwire import (
    Call,
    CallPart,
    Talk,
    answer_text,
    fields_of,
    function_tool,
    parts_of,
    talk_of,
    wire_id,
)

if TYPE_CHECKING:
    import httpx2

_BYTES_PER_TOKEN = 7
"""No text has more; so a prompt has at least its bytes / 7 tokens."""


class OllamaProvider(Connection["httpx2.AsyncClient"]):
    """A connection to an Ollama server; `host` as in `OLLAMA_HOST` (the default), `api_key` only for one
    behind a gateway. A prompt that cannot fit `num_ctx` is refused before it is sent. All failures are
    `ProviderError`; there are no retries inside.
    """

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
        url = ollama_url(address("ollama", name, host))
        super().__init__(
            "ollama", api_key or "", name=name, base_url=url, headers=headers, deadlines=deadlines
        )  # fmt: skip
        if self._key:
            self._headers.setdefault("Authorization", f"Bearer {self._key}")
        self.num_ctx = num_ctx

    @property
    def account(self) -> str:
        """Tells accounts apart without a word of the key (see `engine.answers`)."""
        return account("ollama", self.base_url, self.num_ctx, key=None, headers=self._headers)

    def stream(self, request: ChatRequest) -> AsyncIterator[ChatEvent]:
        talk = talk_of(request, self.name, "ollama")
        reader = NdjsonReader(talk)
        return converse(lambda: self._open(request, talk, reader), reader, self._peer, self._deadlines)

    def warm(self) -> None:
        """Import httpx2 and make the client. Blocking: call it on a worker thread."""
        self._connect()

    async def _open(self, request: ChatRequest, talk: Talk, reader: NdjsonReader) -> Stream:
        require_settings("ollama", request, self._peer)
        body = chat_body(request, talk, num_ctx=self.num_ctx)
        window: int = body["options"]["num_ctx"]
        least = _prompt_bytes(request) // _BYTES_PER_TOKEN
        if least >= window:
            text = f"the prompt has at least {least} tokens, but num_ctx is {window}"
            hint = f"settings: {{num_ctx: {_next_window(2 * least)}}}"
            raise failure(self._peer, "context_length", text, hint=hint)
        reader.expect(request.model, window=window, least=least)
        client = await self._ready()
        response = await client.send(client.build_request("POST", "/api/chat", json=body), stream=True)
        if response.status_code >= 300:
            try:
                raw = await response.aread()
            finally:
                await response.aclose()
            raise from_status(self._peer, response.status_code, _json_or_text(raw), response.headers)
        return _Lines(response)

    def _make_client(self) -> httpx2.AsyncClient:
        import httpx2

        return httpx2.AsyncClient(
            base_url=self.base_url,
            headers=self._headers,
            timeout=self._timeout(),
            limits=httpx2.Limits(max_connections=1_000, max_keepalive_connections=100),
        )

    @staticmethod
    async def _shut(client: httpx2.AsyncClient) -> None:
        await client.aclose()


def _prompt_bytes(request: ChatRequest) -> int:
    """What the model has to read at the least; how its template writes calls of tools is not known."""
    texts = [request.instructions, *(message.content for message in request.messages)]
    return sum(len(text.encode()) for text in texts)


def chat_body(request: ChatRequest, talk: Talk, *, num_ctx: int) -> dict[str, Any]:
    """A request → the JSON of `/api/chat`."""
    settings = request.settings
    instructions = request.instructions
    if request.output_schema is not None and request.tools:
        # A grammar for the answer would leave no room for calls of tools.
        instructions = with_words(instructions, request.output_schema)
    names: dict[str, str] = {}
    messages = [_message(message, talk, names) for message in request.messages]
    if instructions:
        messages.insert(0, {"role": "system", "content": instructions})
    options: dict[str, Any] = {"num_ctx": settings.get("num_ctx", num_ctx)}
    if "max_tokens" in settings:
        options["num_predict"] = settings["max_tokens"]
    for name in ("temperature", "top_p", "seed"):
        if name in settings:
            options[name] = settings[name]
    if stop := stop_list(settings):
        options["stop"] = stop
    body: dict[str, Any] = {"model": request.model, "messages": messages, "stream": True, "options": options}
    if request.tools:
        body["tools"] = [function_tool(tool) for tool in request.tools]
    elif request.output_schema is not None:
        body["format"] = dict(request.output_schema)
    if level := settings.get("reasoning"):
        # Only gpt-oss knows levels; other models that think take a plain yes.
        body["think"] = level if "gpt-oss" in request.model else True
    return body


def _message(message: Message, talk: Talk, names: dict[str, str]) -> dict[str, Any]:
    """`names`: the tools that were called so far, by the call's id; an answer has to name its tool."""
    if message.role == "tool":
        call = message.tool_call_id or ""
        return {
            "role": "tool",
            "tool_name": names.get(call, ""),
            "tool_call_id": wire_id(call),
            "content": answer_text(message),
        }
    sent: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        names |= {str(call["id"]): str(call["name"]) for call in message.tool_calls}
        sent["tool_calls"] = [
            {"id": part.id, "function": {"name": part.name, "arguments": part.object}}
            for part in parts_of(message, talk)
            if isinstance(part, CallPart)
        ]
        sent |= fields_of(message, talk)
    return sent


class NdjsonReader(Answer):
    """One JSON object per line; ends with the line whose `done` is true, which carries the usage. Calls of
    tools come whole, on any line."""

    def __init__(self, talk: Talk) -> None:
        super().__init__(talk)
        self._asked, self._window, self._least = "", NUM_CTX, 0

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
            self.fields["thinking"] = self.fields.get("thinking", "") + thought
            yield ReasoningDelta(thought)
        if text := text_or_none(message.get("content")):
            yield TextDelta(text)
        for call in message.get("tool_calls") or ():
            function = call["function"]
            name = text_or_none(function.get("name")) or ""
            value = function.get("arguments")
            self.call(Call(text_or_none(call.get("id")) or "", name, [], {} if value is None else value))
        if event.get("done") is True:
            self.reason = "length" if event.get("done_reason") == "length" else "stop"
            self.model = text_or_none(event.get("model"))
            self.usage = usage_of(
                input_tokens=event.get("prompt_eval_count"), output_tokens=event.get("eval_count")
            )
            self._warn()

    def _warn(self) -> None:
        """Ollama cuts what does not fit and says nothing; the counts give it away."""
        if self.usage is None:
            return
        read = self.usage.input_tokens
        if read < self._least or read >= self._window - 1:
            repair = f"settings: {{num_ctx: {_next_window(2 * self._window)}}}"
            self.warnings.append(
                f"{self._asked} read {read} tokens of a prompt of at least {self._least}, and num_ctx is "
                f"{self._window}: it was probably cut ({repair})"
            )


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
