"""Accounts are told apart by what decides an answer, and say nothing of the key."""

from __future__ import annotations

import pytest

from aethermind.infra.providers.anthropic import AnthropicProvider
from aethermind.infra.providers.ollama import OllamaProvider
from aethermind.infra.providers.openai import OpenAIProvider

KEY = "sk-abcdefghijklmnopqrstuvwx"
Owned = OpenAIProvider | AnthropicProvider | OllamaProvider


def providers() -> dict[str, Owned]:
    own = "http://127.0.0.1:9/v1"
    return {
        "openai": OpenAIProvider(KEY),
        "openai, other key": OpenAIProvider(KEY + "y"),
        "openai, chat": OpenAIProvider(KEY, api="chat"),
        "openai, elsewhere": OpenAIProvider(KEY, base_url=own),
        "openai, no key": OpenAIProvider("", base_url=own),
        "openai, header": OpenAIProvider(KEY, headers={"OpenAI-Organization": "o1"}),
        "openai, other header": OpenAIProvider(KEY, headers={"OpenAI-Organization": "o2"}),
        "openai, JSON by prompt": OpenAIProvider(KEY, structured="prompt"),
        "anthropic": AnthropicProvider(KEY),
        "anthropic, other key": AnthropicProvider(KEY + "y"),
        "anthropic, at the address of openai": AnthropicProvider(KEY, base_url="https://api.openai.com/v1"),
        "ollama": OllamaProvider("127.0.0.1"),
        "ollama, window": OllamaProvider("127.0.0.1", num_ctx=32_768),
        "ollama, behind a gateway": OllamaProvider("127.0.0.1", api_key=KEY),
    }


def test_what_decides_an_answer_tells_accounts_apart() -> None:
    accounts = {name: provider.account for name, provider in providers().items()}
    assert len(set(accounts.values())) == len(accounts)
    assert accounts == {name: provider.account for name, provider in providers().items()}


@pytest.mark.parametrize("name", list(providers()))
def test_nothing_of_a_key_is_in_it(name: str) -> None:
    account = providers()[name].account
    assert len(account) == 64
    assert not set(account) - set("0123456789abcdef")
    assert KEY[3:] not in account


def test_the_name_of_a_header_is_the_same_in_any_case() -> None:
    one = OpenAIProvider(KEY, headers={"X-Team": "a", "x-more": "b"})
    assert one.account == OpenAIProvider(KEY, headers={"X-More": "b", "x-team": "a"}).account
