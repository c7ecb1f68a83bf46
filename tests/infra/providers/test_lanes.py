"""What the config says of limits, and which names are one account."""

from __future__ import annotations

from pathlib import Path

import pytest

from aethermind.domain.errors import InvalidError
from aethermind.engine.lane import LaneLimits
from aethermind.infra.config import load_config
from aethermind.infra.providers.lanes import Lanes
from aethermind.infra.providers.models import ConfiguredModels

CONFIG = """\
[providers.groq]
kind = "openai"
base_url = "https://api.groq.com/openai/v1"
key_env = "GROQ_API_KEY"
[providers.groq.limits]
concurrency = 4
rpm = 500
tpm = 200_000
[providers.groq.limits.models."llama-70b"]
rpm = 30
[providers.again]
kind = "openai"
base_url = "https://api.groq.com/openai/v1"
key_env = "AGAIN_KEY"
"""


def lanes(tmp_path: Path, text: str = CONFIG, **environ: str) -> Lanes:
    path = tmp_path / "config.toml"
    path.write_text(text)
    config = load_config(environ, path=path)
    return Lanes(config, ConfiguredModels(config))


def test_limits_of_a_provider_and_of_one_model(tmp_path: Path) -> None:
    it = lanes(tmp_path)
    assert it.limits("groq:any") == LaneLimits(concurrency=4, rpm=500, tpm=200_000)
    assert it.limits("groq:llama-70b") == LaneLimits(concurrency=4, rpm=30, tpm=200_000)
    assert it.limits("openai:gpt") == LaneLimits()


def test_an_account_is_an_endpoint_and_a_key(tmp_path: Path) -> None:
    one, other = "gsk-one-0123456789", "gsk-other-0123456789"
    it = lanes(tmp_path, GROQ_API_KEY=one, AGAIN_KEY=one)
    assert it.account("groq:m") == it.account("again:m")
    assert it.account("groq:m") != it.account("groq:n")
    assert one not in it.account("groq:m")
    it = lanes(tmp_path, GROQ_API_KEY=one, AGAIN_KEY=other)
    assert it.account("groq:m") != it.account("again:m")
    assert it.account("sim:smart") == "sim:smart"


@pytest.mark.parametrize(
    "line, number, message",
    [
        ("rpm = 0", 2, "rpm must be 1 or more, not 0"),
        ("rps = 1", 2, "unknown key 'rps'"),
        ("[providers.openai.limits.models.m]\ntpm = -1", 3, "tpm must be 1 or more, not -1"),
    ],
)
def test_bad_limits_are_named_with_their_line(tmp_path: Path, line: str, number: int, message: str) -> None:
    with pytest.raises(InvalidError, match=message) as caught:
        lanes(tmp_path, f"[providers.openai.limits]\n{line}\n")
    assert caught.value.line_no == number
