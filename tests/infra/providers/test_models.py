from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from aethermind.domain.errors import InvalidError, NotFoundError
from aethermind.infra.config import load_config
from aethermind.infra.providers.anthropic import AnthropicProvider
from aethermind.infra.providers.models import BUILT_IN, VENDOR_MODELS, ConfiguredModels
from aethermind.infra.providers.ollama import OllamaProvider
from aethermind.infra.providers.openai import OpenAIProvider
from aethermind.infra.providers.simulated import SimulatedProvider
from aethermind.infra.secrets import Secrets
from tests.servers import wires
from tests.servers.http import Reply, Request, serve
from tests.servers.peers import ask, collect, text_of

KEY = "sk-abcdefgh-a3f"
GROQ = """
[providers.groq]
kind = "openai"
base_url = "https://api.groq.com/openai/v1"
key_env = "GROQ_API_KEY"
headers = {X-Team = "$TEAM"}
[providers.lab]
kind = "openai"
base_url = "http://127.0.0.1:9999/v1"
[models]
mine = "groq:llama-3.3-70b-versatile"
"""


def models(tmp_path: Path, environ: Mapping[str, str] | None = None, config: str = "") -> ConfiguredModels:
    path = tmp_path / "config.toml"
    path.write_text(config)
    loaded = load_config(environ or {}, path=path, home=tmp_path)
    key_env = {name: item.key_env for name, item in loaded.providers.items() if item.key_env}
    return ConfiguredModels(loaded, secrets=Secrets(loaded.environ, key_env=key_env, use_keyring=False))


@pytest.mark.parametrize(
    "environ, config, fast, smart",
    [
        ({}, "", "sim:fast", "sim:smart"),
        ({"OPENAI_API_KEY": KEY}, "", "openai:gpt-6-luna", "openai:gpt-6.1-sol"),
        ({"ANTHROPIC_API_KEY": KEY}, "", "anthropic:claude-haiku-5-5", "anthropic:claude-sonnet-5-5"),
        ({"ANTHROPIC_API_KEY": KEY, "OPENAI_API_KEY": KEY}, "", "openai:gpt-6-luna", "openai:gpt-6.1-sol"),
        ({"OPENAI_API_KEY": "  "}, "", "sim:fast", "sim:smart"),
        (
            {"OPENAI_API_KEY": KEY},
            '[models]\nsmart = "ollama:llama3.2:3b"',
            "openai:gpt-6-luna",
            "ollama:llama3.2:3b",
        ),
        ({}, '[models]\nfast = "sim:quick"', "sim:quick", "sim:smart"),
    ],
)
def test_the_built_in_aliases(
    tmp_path: Path, environ: dict[str, str], config: str, fast: str, smart: str
) -> None:
    found = models(tmp_path, environ, config)
    assert [found.resolve(name, sim=False) for name in BUILT_IN] == [fast, smart]


def test_the_vendors_models_are_in_the_price_list(tmp_path: Path) -> None:
    found = models(tmp_path)
    for vendor, names in VENDOR_MODELS.items():
        prices = [
            found.prices.tariff(vendor, name).output
            for name in (names["fast"], names["smart"], names["strong"])
        ]
        assert None not in prices
        assert prices == sorted(prices, key=lambda price: price or 0), "from cheap to dear"


@pytest.mark.parametrize(
    "name, expected",
    [
        ("smart", "sim:smart"),
        ("openai:gpt-6-luna", "sim:gpt-6-luna"),
        ("ollama:llama3.2:3b", "sim:llama3.2:3b"),
        ("sim:smart", "sim:smart"),
        ("anything", "sim:anything"),
    ],
)
def test_simulation_takes_any_name(tmp_path: Path, name: str, expected: str) -> None:
    assert models(tmp_path, {"OPENAI_API_KEY": KEY}).resolve(name, sim=True) == expected


def test_own_aliases_and_endpoints(tmp_path: Path) -> None:
    found = models(tmp_path, {"GROQ_API_KEY": "gsk-123456789"}, GROQ)
    assert found.resolve("mine", sim=False) == "groq:llama-3.3-70b-versatile"
    assert found.resolve("lab:any", sim=False) == "lab:any", "an endpoint without key_env needs no key"
    assert found.resolve("sim:x", sim=False) == "sim:x"
    assert found.resolve("ollama:x", sim=False) == "ollama:x"


@pytest.mark.parametrize(
    "name, message, hint",
    [
        ("smrt", "unknown model 'smrt'", "did you mean smart?"),
        ("gpt-6-luna", "unknown model 'gpt-6-luna'", "did you mean openai:gpt-6-luna?"),
        ("claude-opus-5-5", "unknown model", "did you mean anthropic:claude-opus-5-5?"),
        ("zzz", "unknown model 'zzz'", "write provider:model, or fast, smart, mine"),
        ("opnai:x", "unknown provider 'opnai' in 'opnai:x'", "did you mean openai?"),
        ("openai:", "'openai:' names no model", "write openai:MODEL"),
        (
            "openai:gpt-6-luna",
            "openai:gpt-6-luna: no key for openai",
            "aethermind auth openai, or set OPENAI_API_KEY",
        ),
        ("mine", "no key for groq", "aethermind auth groq, or set GROQ_API_KEY"),
    ],
)
def test_errors_name_the_repair(tmp_path: Path, name: str, message: str, hint: str) -> None:
    with pytest.raises(InvalidError) as caught:
        models(tmp_path, {}, GROQ).resolve(name, sim=False)
    assert message in caught.value.message
    assert caught.value.hint == hint


def test_a_missing_key_does_not_fail_validation(tmp_path: Path) -> None:
    found = models(tmp_path, {}, GROQ)
    assert found.check("openai:gpt-6-luna") == "openai:gpt-6-luna"
    assert found.check("mine") == "groq:llama-3.3-70b-versatile"
    with pytest.raises(InvalidError):
        found.check("nope")


def test_settings_are_checked_for_the_api_that_will_be_spoken(tmp_path: Path) -> None:
    found = models(tmp_path, {"OPENAI_API_KEY": KEY}, GROQ)
    assert found.check_settings("openai:gpt-6-luna", {"stop": "x"})
    assert not found.check_settings("groq:llama", {"stop": "x"})
    assert found.check_settings("anthropic:claude-opus-5-5", {"temperature": 1})
    assert not found.check_settings("sim:x", {"temperature": 1})


async def test_adapters_are_made_once_and_closed(tmp_path: Path) -> None:
    environ = {
        "OPENAI_API_KEY": KEY,
        "GROQ_API_KEY": "gsk-123456789",
        "TEAM": "tides",
        "OLLAMA_HOST": "127.0.0.1:1",
    }
    found = models(tmp_path, environ, GROQ)
    for name, kind in (
        ("openai", OpenAIProvider),
        ("anthropic", AnthropicProvider),
        ("ollama", OllamaProvider),
    ):
        provider = found.provider(name)
        assert isinstance(provider, kind)
        assert provider is found.provider(name)
        assert provider.name == name
    groq = found.provider("groq")
    assert isinstance(groq, OpenAIProvider)
    assert (groq.base_url, groq.api, groq._headers) == (
        "https://api.groq.com/openai/v1",
        "chat",
        {"X-Team": "tides"},
    )
    assert isinstance(found.provider("sim"), SimulatedProvider)
    with pytest.raises(NotFoundError, match="unknown provider 'grok'"):
        found.provider("grok")
    await found.close()
    assert found.provider("sim") is not None


def test_a_header_from_a_variable_that_is_not_set(tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match="X-Team needs TEAM"):
        models(tmp_path, {"GROQ_API_KEY": "gsk-123456789"}, GROQ).provider("groq")


async def test_keys_come_from_the_config_s_environment_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-process")
    provider = models(tmp_path).provider("openai")
    assert isinstance(provider, OpenAIProvider)
    assert provider._key is None


async def test_a_registered_provider_needs_no_key_and_keeps_its_price(tmp_path: Path) -> None:
    found = models(tmp_path)
    found.register("openai", OpenAIProvider(KEY))
    assert found.resolve("openai:gpt-6-luna", sim=False) == "openai:gpt-6-luna"
    assert found.prices.tariff("openai", "gpt-6-luna").input == 100_000
    found.register("local", OllamaProvider("127.0.0.1:5", name="local"))
    assert found.prices.tariff("local", "x").input == 0
    found.register("fake", SimulatedProvider())
    assert found.resolve("fake:x", sim=False) == "fake:x"
    await found.close()


async def test_environment_overrides_addresses(tmp_path: Path) -> None:
    async with serve(wires.good(wires.Chat(), "from the server")) as server:
        environ = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": f"{server.url}/v1"}
        found = models(tmp_path, environ, '[providers.openai]\nbase_url = "http://127.0.0.1:1/v1"')
        await found.warm(["openai", "sim", "openai"])
        assert text_of(await collect(found.provider("openai"), ask())) == "from the server"
        await found.close()


def tags(names: list[str]) -> Any:
    async def handle(request: Request, reply: Reply) -> None:
        assert request.path == "/api/tags"
        body = json.dumps({"models": [{"name": name} for name in names]}).encode()
        await reply.whole(200, body, "application/json")

    return handle


async def test_a_running_ollama_is_offered_by_name_and_not_adopted(tmp_path: Path) -> None:
    async with serve(tags(["llama3.2:latest", "qwen4:8b"])) as server:
        found = models(tmp_path, {"OLLAMA_HOST": server.url})
        assert await found.discover() == ("llama3.2", "qwen4:8b")
    assert found.resolve("smart", sim=False) == "sim:smart"
    listed = {model.id: model for model in found.list()}
    assert listed["ollama:qwen4:8b"].configured
    assert (listed["ollama:qwen4:8b"].input_price, listed["ollama:qwen4:8b"].output_price) == (0, 0)
    assert any("--model ollama:llama3.2" in note for note in found.describe().notes)


async def test_something_else_on_ollamas_port_is_no_ollama(tmp_path: Path) -> None:
    async with serve(wires.page()) as server:
        assert await models(tmp_path, {"OLLAMA_HOST": server.url}).discover() == ()
    assert await models(tmp_path, {"OLLAMA_HOST": server.url}).discover() == ()


def test_the_list_says_what_is_ready_and_why(tmp_path: Path) -> None:
    found = models(
        tmp_path, {"ANTHROPIC_API_KEY": KEY}, GROQ + '[prices."openai:tuned"]\ninput = 1\noutput = 2'
    )
    listed = {model.id: model for model in found.list()}
    smart = listed["anthropic:claude-sonnet-5-5"]
    assert smart.aliases == ("smart",)
    assert smart.configured
    assert smart.reason == "key …a3f from ANTHROPIC_API_KEY"
    assert (smart.input_price, smart.output_price) == (2_000_000, 10_000_000)
    assert smart.context_window == 1_000_000
    assert listed["openai:gpt-6-luna"].configured is False
    assert "aethermind auth openai" in listed["openai:gpt-6-luna"].reason
    assert listed["groq:llama-3.3-70b-versatile"].aliases == ("mine",)
    assert listed["openai:tuned"].output_price == 2_000_000


def test_describe_shows_no_secret(tmp_path: Path) -> None:
    report = models(tmp_path, {"OPENAI_API_KEY": KEY}, GROQ).describe()
    by_name = {item.provider: item for item in report.providers}
    assert by_name["openai"].key == "…a3f"
    assert by_name["openai"].origin == "OPENAI_API_KEY"
    assert by_name["anthropic"].ready is False
    assert by_name["groq"].hint == "aethermind auth groq, or set GROQ_API_KEY"
    assert {item.alias: item.model for item in report.aliases}["smart"] == "openai:gpt-6.1-sol"
    assert {item.alias: item.reason for item in report.aliases}["mine"] == "[models] in config.toml"
    assert KEY not in repr(report)
