"""Adapters connected to the test servers, one per wire format, with a key that ends in `a3f`."""

from __future__ import annotations

from typing import Any

from aethermind.domain.errors import ErrorInfo, ProviderError
from aethermind.engine.ports import ChatEvent, ChatRequest, Finished, Message, Provider, TextDelta
from aethermind.infra.providers.anthropic import AnthropicProvider
from aethermind.infra.providers.ollama import OllamaProvider
from aethermind.infra.providers.openai import OpenAIProvider
from tests.servers.wires import Wire

KEY = "sk-test-0123456789-a3f"


def connect(wire: Wire, url: str, **options: Any) -> Adapter:
    """The adapter of this wire format, talking to the server at `url`."""
    match wire.name:
        case "chat":
            return OpenAIProvider(KEY, base_url=f"{url}/v1", **options)
        case "responses":
            return OpenAIProvider(KEY, base_url=f"{url}/v1", api="responses", **options)
        case "anthropic":
            return AnthropicProvider(KEY, base_url=url, **options)
        case _:
            return OllamaProvider(url, **options)


def ask(text: str = "What are tides?", **more: Any) -> ChatRequest:
    return ChatRequest(model=more.pop("model", "m-1"), messages=(Message(role="user", content=text),), **more)


Adapter = OpenAIProvider | AnthropicProvider | OllamaProvider


async def collect(provider: Provider, request: ChatRequest | None = None) -> list[ChatEvent]:
    return [event async for event in provider.stream(request or ask())]


async def failure(provider: Provider, request: ChatRequest | None = None) -> ErrorInfo:
    """The error of a call that has to fail."""
    got: list[ChatEvent] = []
    try:
        async for event in provider.stream(request or ask()):
            got += [event]
    except ProviderError as error:
        assert not any(isinstance(event, Finished) for event in got), "an error after the end"
        return error.info
    raise AssertionError(f"no error, but {got}")


def text_of(events: list[ChatEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def end_of(events: list[ChatEvent]) -> Finished:
    """The terminal event, which must be the last and the only one."""
    *before, last = events
    assert isinstance(last, Finished)
    assert not any(isinstance(event, Finished) for event in before)
    return last
