from __future__ import annotations

import subprocess
import sys

import pytest

from aethermind.infra.providers import names
from aethermind.infra.providers.durations import parse_ms


@pytest.mark.parametrize(
    "host, url",
    [
        (None, "http://127.0.0.1:11434"),
        ("", "http://127.0.0.1:11434"),
        ("localhost", "http://localhost:11434"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        (":8000", "http://127.0.0.1:8000"),
        ("box:8000", "http://box:8000"),
        ("http://box", "http://box:80"),
        ("https://box/ollama/", "https://box:443/ollama"),
        ("[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_ollamas_host(host: str | None, url: str) -> None:
    assert names.ollama_url(host) == url


@pytest.mark.parametrize(
    "url, local",
    [
        ("http://localhost:1", True),
        ("http://app.localhost", True),
        ("http://127.9.9.9", True),
        ("http://[::1]:1", True),
        ("http://127.0.0.1.foe.example", False),
        ("http://192.168.0.1", False),
        ("http://0.0.0.0", False),
        ("not a url", False),
        ("http://[broken", False),
    ],
)
def test_loopback(url: str, local: bool) -> None:
    assert names.is_loopback(url) is local


@pytest.mark.parametrize(
    "text, ms",
    [
        ("300ms", 300),
        ("1.5s", 1_500),
        ("10m", 600_000),
        ("1h30m", 5_400_000),
        ("1d", 86_400_000),
        ("0s", 0),
        (2, 2_000),
        (0.25, 250),
    ],
)
def test_durations(text: object, ms: int) -> None:
    assert parse_ms(text) == ms


@pytest.mark.parametrize(
    "text", ["", "1:30", "ten", "5", "-1s", "1s!", -1, float("nan"), float("inf"), True, None, []]
)
def test_what_is_no_duration(text: object) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_ms(text)


LAZY = """
import sys
import aethermind.infra.providers as providers
from aethermind.infra.config import load_config
from aethermind.infra.providers.models import ConfiguredModels
models = ConfiguredModels(load_config({"OPENAI_API_KEY": "k", "ANTHROPIC_API_KEY": "k"}))
models.resolve("smart", sim=False)
models.resolve("anything", sim=True)
models.provider("openai"), models.provider("anthropic"), models.provider("ollama"), models.provider("sim")
providers.OpenAIProvider, providers.AnthropicProvider, providers.OllamaProvider, providers.SimulatedProvider
heavy = {"openai", "anthropic", "httpx2", "genai_prices", "keyring", "pydantic", "textual"} & set(sys.modules)
print(sorted(heavy))
"""


def test_nothing_heavy_is_imported_before_a_call() -> None:
    out = subprocess.run([sys.executable, "-c", LAZY], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
