"""Anthropic's Messages API."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any, cast

from aethermind.engine.ports import ChatEvent, ChatRequest
from aethermind.infra.providers.accounts import account
from aethermind.infra.providers.anthropic_messages import MessagesReader, messages_arguments
from aethermind.infra.providers.connection import Connection, address
from aethermind.infra.providers.conversation import Stream, converse
from aethermind.infra.providers.deadlines import Deadlines
from aethermind.infra.providers.failures import missing_key
from aethermind.infra.providers.names import ANTHROPIC_URL, is_anthropic
from aethermind.infra.providers.settings import require_settings
from aethermind.infra.providers.structured import Structured
from aethermind.infra.providers.toolwire import Talk, talk_of

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic


class AnthropicProvider(Connection["AsyncAnthropic"]):
    """A connection to Anthropic or to a server that speaks its Messages API.

    `api_key` and `base_url` default to `ANTHROPIC_API_KEY` and `ANTHROPIC_BASE_URL` for the provider named
    `anthropic`. `max_tokens` is 4,096 unless set. All failures are `ProviderError`; there are no retries
    inside.
    """

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
        url = (address("anthropic", name, base_url) or ANTHROPIC_URL).rstrip("/")
        super().__init__(
            "anthropic", api_key, name=name, base_url=url, headers=headers, deadlines=deadlines
        )  # fmt: skip
        self.official = is_anthropic(url)
        self._structured: Structured = structured

    @property
    def account(self) -> str:
        """Tells accounts apart without a word of the key (see `engine.answers`)."""
        return account("anthropic", self.base_url, self._structured, key=self._key, headers=self._headers)

    def stream(self, request: ChatRequest) -> AsyncIterator[ChatEvent]:
        talk = talk_of(request, self.name, "messages")
        return converse(
            lambda: self._open(request, talk), MessagesReader(talk), self._peer, self._deadlines
        )  # fmt: skip

    def warm(self) -> None:
        """Import the SDK and make the client. Blocking: call it on a worker thread."""
        _ = self._connect().messages

    async def _open(self, request: ChatRequest, talk: Talk) -> Stream:
        require_settings("anthropic", request, self._peer)
        if self._key is None and self.official:
            raise missing_key(self._peer, ["ANTHROPIC_API_KEY"] if self.name == "anthropic" else [])
        client = await self._ready()
        arguments = messages_arguments(request, talk, self._peer, structured=self._structured)
        return cast("Stream", await client.messages.create(**arguments))

    def _make_client(self) -> AsyncAnthropic:
        import inspect

        from anthropic import AsyncAnthropic, DefaultAsyncHttpxClient

        options: dict[str, Any] = {}
        if "open_telemetry" in inspect.signature(AsyncAnthropic).parameters:
            options["open_telemetry"] = False  # the spans are ours
        return AsyncAnthropic(
            api_key=self._key or "none",  # never None: the SDK would go looking for other credentials
            base_url=self.base_url,
            max_retries=0,
            timeout=self._timeout(),
            default_headers=self._headers,
            http_client=DefaultAsyncHttpxClient(follow_redirects=False),
            **options,
        )

    @staticmethod
    async def _shut(client: AsyncAnthropic) -> None:
        await client.close()
