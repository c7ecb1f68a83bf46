"""What `cli:` names mean, and what the config may say of coding agents."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from aethermind.domain.errors import InvalidError
from aethermind.domain.usage import Usage
from aethermind.infra.clock import SystemClock
from aethermind.infra.config import load_config
from aethermind.infra.providers.lanes import Lanes, governor
from aethermind.infra.providers.models import ConfiguredModels
from tests.servers.agents import StandIn

AIDER = """
[models]
smart = "aider:gpt-6"
[providers.aider]
kind = "cli"
command = ["aider", "--model", "{model}"]
[providers.aider.limits]
concurrency = 2
[providers.aider.prices."gpt-6"]
input = 1.0
output = 2.0
[providers.codex]
args = ["--skip-git-repo-check"]
"""


def models(tmp_path: Path, text: str = AIDER) -> ConfiguredModels:
    path = tmp_path / "config.toml"
    path.write_text(text)
    environ = {"PATH": f"{tmp_path / 'bin'}{os.pathsep}/nowhere"}
    return ConfiguredModels(load_config(environ, path=path, home=tmp_path))


def test_names(tmp_path: Path) -> None:
    found = models(tmp_path)
    assert found.check("cli:claude:sonnet") == "cli:claude:sonnet"
    assert found.check("cli:codex") == "cli:codex"
    assert found.check("aider:gpt-6") == found.check("smart") == "cli:aider:gpt-6"
    assert found.resolve("cli:claude:sonnet", sim=True) == "sim:claude:sonnet"


@pytest.mark.parametrize(
    "name, what, hint",
    [
        ("cli:claud", "unknown program 'claud'", "did you mean claude?"),
        ("cli:zzz", "unknown program", "cli:claude, cli:codex"),
        ("cli:", "names no model", "cli:MODEL"),
        ("cli:claude:", "names no model", "cli:claude:MODEL"),
        ("cli:aider", "names no model", "cli:aider:MODEL"),
        ("cli:claude:--dangerously", "cannot begin with -", None),
        ("claude", "unknown model", "did you mean cli:claude?"),
    ],
)
def test_names_that_mean_nothing(tmp_path: Path, name: str, what: str, hint: str | None) -> None:
    with pytest.raises(InvalidError) as caught:
        models(tmp_path).check(name)
    assert what in caught.value.message
    assert hint is None or hint in str(caught.value.hint)


def test_a_program_without_a_place_for_the_model_takes_none(tmp_path: Path) -> None:
    found = models(tmp_path, '[providers.mine]\nkind = "cli"\ncommand = ["mine"]\n')
    assert found.check("cli:mine") == "cli:mine"
    with pytest.raises(InvalidError, match="no place for"):
        found.check("cli:mine:big")


def test_what_is_not_installed_is_refused_with_the_repair(tmp_path: Path) -> None:
    found = models(tmp_path)
    with pytest.raises(InvalidError) as caught:
        found.resolve("smart", sim=False)
    assert "no program aider on PATH" in caught.value.message
    StandIn(tmp_path / "bin", "aider")
    assert found.resolve("smart", sim=False) == "cli:aider:gpt-6"


def test_the_list_has_what_is_installed(tmp_path: Path) -> None:
    StandIn(tmp_path / "bin", "codex")
    rows = {row.id: row for row in models(tmp_path).list()}
    assert rows["cli:codex"].configured
    assert rows["cli:codex"].reason == f"program {tmp_path / 'bin' / 'codex'}"
    assert "cli:claude" not in rows
    assert not rows["cli:aider:gpt-6"].configured
    assert rows["cli:aider:gpt-6"].aliases == ("smart",)
    reports = {report.provider: report for report in models(tmp_path).describe().providers}
    assert reports["cli"].ready


def test_its_own_price_counts_but_bounds_nothing(tmp_path: Path) -> None:
    prices = models(tmp_path).prices
    used = Usage(input_tokens=1_000_000, output_tokens=1_000_000)
    assert prices.cost("cli", "aider:gpt-6", used, at=0).micro_usd == 3_000_000
    assert prices.cost("cli", "claude:sonnet", used, at=0).micro_usd is None
    estimate = prices.estimate("cli", "aider:gpt-6", input_bytes=10, max_output_tokens=10)
    assert (estimate.low_micro_usd, estimate.high_micro_usd) == (None, None)


def test_its_limits(tmp_path: Path) -> None:
    found = models(tmp_path)
    path = tmp_path / "config.toml"
    lanes = Lanes(load_config({}, path=path, home=tmp_path), found)
    assert lanes.limits("cli:aider:gpt-6").concurrency == 2
    assert lanes.limits("cli:claude").concurrency != 2
    assert governor(lanes.config, found, SystemClock()) is not None


def test_what_it_starts_is_told(tmp_path: Path) -> None:
    told = models(tmp_path).programs_in(["smart", "cli:claude", "sim:x"])
    assert [line.split(",")[0] for line in told] == [
        "the model smart is the program aider",
        "the model cli:claude is the program Claude Code",
    ]


def test_settings(tmp_path: Path) -> None:
    found = models(tmp_path)
    assert not list(found.check_settings("cli:claude", {"permission_mode": "edit", "reasoning": "low"}))
    assert list(found.check_settings("cli:claude", {"temperature": 1}))
    assert list(found.check_settings("openai:gpt-6", {"permission_mode": "edit"}))


@pytest.mark.parametrize(
    "text, line, what",
    [
        ('[providers.x]\nkind = "cli"\n', 1, "'command' is missing for x"),
        ('[providers.x]\nkind = "cli"\ncommand = ["x"]\nbase_url = "http://h"\n', 4, "means nothing"),
        (
            '[providers.x]\nkind = "cli"\ncommand = ["x"]\nenv = ["A=1"]\n',
            4,
            "names of environment variables",
        ),
        ('[providers.x]\nkind = "cli"\ncommand = ["x"]\nfields = {txt = "a"}\n', 4, "unknown field 'txt'"),
        ('[providers.openai]\nkind = "cli"\ncommand = ["x"]\n', 2, "is of kind openai"),
        (
            '[providers.x]\nkind = "openai"\nbase_url = "http://h"\ncommand = ["x"]\n',
            4,
            "belongs to kind cli",
        ),
        ('[providers.x]\nkind = "cli"\ncommand = ["x"]\nformat = "xml"\n', 4, "must be"),
    ],
)
def test_bad_configs(tmp_path: Path, text: str, line: int, what: str) -> None:
    with pytest.raises(InvalidError) as caught:
        models(tmp_path, text)
    assert (caught.value.line_no, what in caught.value.message) == (line, True), caught.value.line()


@pytest.mark.parametrize(
    "text, what",
    [
        (
            '[providers.x]\nkind = "cli"\ncommand = ["x"]\nformat = "jsonl"\n',
            "does not say where the text is",
        ),
        (
            '[providers.x]\nkind = "cli"\ncommand = ["x"]\nfields = {text = "a"}\n',
            "belong to the format jsonl",
        ),
    ],
)
def test_configs_that_do_not_fit_together(tmp_path: Path, text: str, what: str) -> None:
    with pytest.raises(InvalidError, match=what):
        models(tmp_path, text)
