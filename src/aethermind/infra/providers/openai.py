"""OpenAI, and every server that speaks one of its two APIs.

Responses on OpenAI's own hosts, Chat Completions anywhere else, unless `api` says otherwise.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, cast

from aethermind.engine.ports import ChatEvent, ChatRequest
from aethermind.infra.providers.accounts import account
from aethermind.infra.providers.connection import Connection, address
from aethermind.infra.providers.conversation import Reader, Stream, converse
from aethermind.infra.providers.deadlines import Deadlines
from aethermind.infra.providers.failures import missing_key
from aethermind.infra.providers.names import OPENAI_URL, is_openai
from aethermind.infra.providers.openai_chat import ChatReader, chat_arguments
from aethermind.infra.providers.openai_responses import ResponsesReader, responses_arguments
from aethermind.infra.providers.settings import require_settings
from aethermind.infra.providers.structured import Structured
from aethermind.infra.providers.toolwire import Talk, talk_of
from aethermind.wire import digest

if TYPE_CHECKING:
    from openai import AsyncOpenAI

Api = Literal["chat", "responses"]


# From gpt-5.6 on the cache can be switched off; before, it was free and had no switch.
_CACHE_OPTIONS = re.compile(r"gpt-(5\.([6-9]|[1-9]\d)|[6-9]|[1-9]\d)(?![\d])")


def cache_arguments(request: ChatRequest) -> dict[str, Any]:
    """OpenAI caches by itself. The calls of one conversation with tools are kept together by a key, so that
    each is sent to where its beginning is cached."""
    if not request.settings.get("prompt_cache", True):
        return {"prompt_cache_options": {"mode": "explicit"}} if _CACHE_OPTIONS.match(request.model) else {}
    if not request.tools:
        return {}
    first = request.messages[0].content if request.messages else ""
    return {"prompt_cache_key": digest([request.model, request.instructions, first])}


class OpenAIProvider(Connection["AsyncOpenAI"]):
    """A connection to OpenAI or to a compatible server.

    `api_key` and `base_url` default to `OPENAI_API_KEY` and `OPENAI_BASE_URL` for the provider named
    `openai`, and to nothing for any other (`""` is no key at all); OpenAI's own hosts need a key, others may
    do without. `name` is the prefix of its models. `structured` says how an endpoint is asked for JSON. All
    failures are `ProviderError`; there are no retries inside.
    """

    def __init__(
        self,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        api: Api | None = None,
        name: str = "openai",
        headers: Mapping[str, str] | None = None,
        structured: Structured = "json_schema",
        deadlines: Deadlines | None = None,
    ) -> None:
        url = (address("openai", name, base_url) or OPENAI_URL).rstrip("/")
        super().__init__("openai", api_key, name=name, base_url=url, headers=headers, deadlines=deadlines)
        self.official = is_openai(url)
        self.api: Api = api or ("responses" if self.official else "chat")
        self._structured: Structured = structured

    @property
    def account(self) -> str:
        """Tells accounts apart without a word of the key (see `engine.answers`)."""
        return account(
            "openai", self.base_url, self.api, self._structured, key=self._key, headers=self._headers
        )

    def stream(self, request: ChatRequest) -> AsyncIterator[ChatEvent]:
        talk = talk_of(request, self.name, self.api)
        reader: Reader = ResponsesReader(talk) if self.api == "responses" else ChatReader(talk)
        return converse(lambda: self._open(request, talk), reader, self._peer, self._deadlines)

    def warm(self) -> None:
        """Import the SDK and make the client, with the resources that the SDK loads late. Blocking: call it
        on a worker thread."""
        client = self._connect()
        _ = client.responses if self.api == "responses" else client.chat.completions

    async def _open(self, request: ChatRequest, talk: Talk) -> Stream:
        require_settings(self.api, request, self._peer)
        if self._key is None and self.official:
            raise missing_key(self._peer, ["OPENAI_API_KEY"] if self.name == "openai" else [])
        client = await self._ready()
        if self.api == "responses":
            arguments = responses_arguments(request, talk, structured=self._structured)
        else:
            arguments = chat_arguments(request, talk, official=self.official, structured=self._structured)
        if self.official:
            arguments |= cache_arguments(request)
        if self.api == "responses":
            return cast("Stream", await client.responses.create(**arguments))
        return cast("Stream", await client.chat.completions.create(**arguments))

    def _make_client(self) -> AsyncOpenAI:
        from openai import AsyncOpenAI, DefaultAsyncHttpxClient

        headers: dict[str, Any] = dict(self._headers)
        if not self.official:
            # What the SDK reads from OPENAI_* is meant for OpenAI and goes to nobody else.
            headers.setdefault("Authorization", f"Bearer {self._key or 'none'}")
        client = AsyncOpenAI(
            api_key=self._key or "none",
            admin_api_key="",
            base_url=self.base_url,
            max_retries=0,
            timeout=self._timeout(),
            default_headers=headers,
            http_client=DefaultAsyncHttpxClient(follow_redirects=False),
        )
        if not self.official:
            client.organization = client.project = None
        return client

    @staticmethod
    async def _shut(client: AsyncOpenAI) -> None:
        await client.close()
