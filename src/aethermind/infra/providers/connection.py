"""What every adapter of a vendor is made of: who is called and with which key, and one client, made late."""

from __future__ import annotations

import asyncio
import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Generic, Literal, TypeVar

from aethermind.infra.providers.deadlines import Deadlines
from aethermind.infra.providers.failures import Peer
from aethermind.infra.secrets import remember

Client = TypeVar("Client")
Kind = Literal["openai", "anthropic", "ollama"]

_LABELS: dict[Kind, str] = {"openai": "OpenAI", "anthropic": "Anthropic", "ollama": "Ollama"}
_KEYS: dict[Kind, str] = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY"}
_ADDRESSES: dict[Kind, str] = {
    "openai": "OPENAI_BASE_URL",
    "anthropic": "ANTHROPIC_BASE_URL",
    "ollama": "OLLAMA_HOST",
}


def address(kind: Kind, name: str, given: str | None, default: str | None = None) -> str | None:
    """What was given; for the vendor's own provider what the environment says; else `default`."""
    return given or (os.environ.get(_ADDRESSES[kind]) if name == kind else None) or default


class Connection(ABC, Generic[Client]):
    """`api_key` None: for the vendor's own provider the one in the environment; `""` is no key at all.

    Nobody follows a redirect: prompt and key are meant for the address that was given.
    """

    simulated = False

    def __init__(
        self,
        kind: Kind,
        api_key: str | None,
        *,
        name: str,
        base_url: str,
        headers: Mapping[str, str] | None,
        deadlines: Deadlines | None,
    ) -> None:
        own = name == kind
        self.name = name
        self.base_url = base_url
        if api_key is None and own and kind in _KEYS:
            api_key = os.environ.get(_KEYS[kind])
        self._key = api_key or None
        if self._key:
            remember(self._key)
        self._headers = dict(headers or {})
        self._deadlines = deadlines or Deadlines()
        self._lock = threading.Lock()
        self._client: Client | None = None
        self._peer = Peer(
            name=name,
            label=_LABELS[kind] if own else name,
            url=base_url,
            key=self._key,
            variable=_ADDRESSES[kind] if own else None,
        )

    @abstractmethod
    def _make_client(self) -> Client:
        """Blocking: imports the SDK."""

    @staticmethod
    @abstractmethod
    async def _shut(client: Client) -> None: ...

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await self._shut(client)

    async def _ready(self) -> Client:
        if self._client is not None:
            return self._client
        # Importing an SDK takes a second or more, which the engine's loop must not feel.
        return await asyncio.to_thread(self._connect)

    def _connect(self) -> Client:
        with self._lock:
            if self._client is None:
                self._client = self._make_client()
            return self._client

    def _timeout(self) -> Any:
        """The SDKs' own: connecting alone. Everything else has deadlines of ours."""
        import httpx2

        return httpx2.Timeout(None, connect=self._deadlines.connect_ms / 1_000)
