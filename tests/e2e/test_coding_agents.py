"""`cli:` models in the real program: trust, trace, bill, crash."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import aethermind
from tests.e2e.running import running
from tests.e2e.waiting import until
from tests.servers.agents import (
    CODEX_END,
    CODEX_START,
    SESSION,
    StandIn,
    claude_end,
    claude_good,
    claude_init,
    claude_says,
    claude_tool,
    claude_uses,
    codex_item,
    lines,
)

WORKFLOW = """\
name: mend
agents:
  mender: {model: "cli:claude:sonnet", instructions: Be careful., settings: {permission_mode: edit}}
steps:
  - {id: mend, agent: mender, prompt: Mend it.}
outputs: {said: "{{ mend }}"}
"""
KEYS = {"ANTHROPIC_API_KEY": "sk-ant-not-for-children-7d1", "OPENAI_API_KEY": "sk-not-for-children-7d2abcdef"}
WORKS = lines(
    claude_init(),
    claude_says("m1", {"type": "text", "text": "I look."}, claude_uses("t1", command="make test")),
    claude_tool("t1", "1 passed"),
    claude_says("m2", {"type": "text", "text": "Mended."}),
    claude_end("Mended."),
)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with the workflow; `bin` in it comes first on PATH."""
    (tmp_path / "mend.yaml").write_text(WORKFLOW)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("AETHERMIND_CONFIG", str(tmp_path / "config.toml"))
    (tmp_path / "config.toml").write_text("")
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    return tmp_path


def shown() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(aethermind("show", "last", "--json").stdout)
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except OSError:
        return False


def test_a_run_with_its_tools_and_its_bill(here: Path) -> None:
    claude = StandIn(here / "bin", "claude", WORKS)
    refused = aethermind("run", "mend.yaml", cwd=here)
    assert refused.returncode == 4
    assert "cli:claude:sonnet is the program Claude Code" in refused.stderr
    assert claude.starts == 0

    done = aethermind("run", "mend.yaml", "--trust", cwd=here)
    assert done.returncode == 0, done.stderr
    assert "Mended." in done.stdout
    assert "I look" not in done.stdout
    assert "mend  uses Bash" in done.stderr
    assert claude.seen["cwd"] == str(here)
    assert not [name for name in KEYS if name in claude.seen["env"]]

    (attempt,) = shown()["steps"][0]["attempts"]
    (call,) = attempt["model_calls"]
    assert (call["provider"], call["model"], call["text"]) == ("cli", "claude:sonnet", "Mended.")
    assert (call["cost_micro_usd"], call["price_source"]) == (12_346, "reported")
    assert call["usage"]["input_tokens"] == 5_312
    (tool,) = call["tools"]
    assert (tool["tool"], tool["status"]) == ("Bash", "succeeded")
    database = (Path(os.environ["AETHERMIND_HOME"]) / "aethermind.db").read_bytes()
    assert SESSION.encode() in database
    assert not [key for key in KEYS.values() if key.encode() in database]


def test_an_alias_of_the_config_starts_programs_too(here: Path) -> None:
    StandIn(
        here / "bin", "codex", lines(CODEX_START, codex_item("agent_message", "i1", text="Hi."), CODEX_END)
    )
    (here / "config.toml").write_text('[models]\nsmart = "codex:gpt-6"\n')
    (here / "hi.yaml").write_text("name: hi\nsteps: [{id: hi, prompt: Say hi., model: smart}]\n")
    assert aethermind("run", "hi.yaml", cwd=here).returncode == 4
    done = aethermind("run", "hi.yaml", "--trust", cwd=here)
    assert done.returncode == 0, done.stderr
    (step,) = shown()["steps"]
    (call,) = step["attempts"][0]["model_calls"]
    assert (call["provider"], call["model"]) == ("cli", "codex:gpt-6")
    assert (call["cost_micro_usd"], call["price_source"]) == (None, "unpriced")


def test_a_killed_engine_leaves_no_agent_and_a_question(here: Path) -> None:
    claude = StandIn(
        here / "bin", "claude", lines(claude_init(), claude_says("m1", claude_uses("t1"))), ("wait",)
    )
    with running("run", "mend.yaml", "--trust", "--json", cwd=here) as started:
        started.out.event("ToolStarted", step="mend")
        started.kill()
    pid = claude.seen["pid"]
    until(lambda: not alive(pid) or None, what=lambda: f"{pid} is alive")
    claude.acts(claude_good())
    resumed = aethermind("resume", "last", cwd=here)
    assert resumed.returncode == 5, resumed.stderr
    assert claude.starts == 1
    assert shown()["steps"][0]["status"] == "in_doubt"
    answered = aethermind("answer", "last", "mend", "-i", "choice=retry", cwd=here)
    assert answered.returncode == 0, answered.stderr
    assert aethermind("resume", "last", cwd=here).returncode == 0
    assert claude.starts == 2
    assert shown()["run"]["outputs"] == {"said": "It works."}


def test_a_budget_wants_to_know_first(here: Path) -> None:
    claude = StandIn(here / "bin", "claude", claude_good())
    limited = aethermind("run", "mend.yaml", "--trust", "--budget", "1", cwd=here)
    assert limited.returncode == 2
    assert "says only in the end what it cost" in limited.stderr
    assert "unpriced: allow" in limited.stderr
    assert claude.starts == 0
    (here / "mend.yaml").write_text(f"{WORKFLOW}budget: {{usd: 1, unpriced: allow}}\n")
    done = aethermind("run", "mend.yaml", "--trust", cwd=here)
    assert done.returncode == 0, done.stderr
    assert shown()["run"]["cost_micro_usd"] == 12_346


def test_what_is_installed_is_listed_and_what_is_not_is_named(here: Path) -> None:
    StandIn(here / "bin", "claude", claude_good())
    rows = {row["id"]: row for row in json.loads(aethermind("models", "--json").stdout)["items"]}
    assert rows["cli:claude"]["configured"] is True
    assert str(here / "bin" / "claude") in rows["cli:claude"]["reason"]
    assert "cli:codex" not in rows
    (here / "codex.yaml").write_text('name: c\nsteps: [{id: a, prompt: x, model: "cli:codex"}]\n')
    assert aethermind("validate", "codex.yaml", cwd=here).returncode == 0
    missing = aethermind("run", "codex.yaml", "--trust", cwd=here)
    assert missing.returncode == 2
    assert "Codex is not installed" in missing.stderr
    assert "npm install -g @openai/codex" in missing.stderr
    (here / "typo.yaml").write_text('name: c\nsteps: [{id: a, prompt: x, model: "cli:claud"}]\n')
    typo = aethermind("validate", "typo.yaml", cwd=here)
    assert (typo.returncode, "did you mean claude?" in typo.stderr) == (2, True), typo.stderr


def test_a_simulated_run_starts_nothing(here: Path) -> None:
    claude = StandIn(here / "bin", "claude", claude_good())
    done = aethermind("run", "mend.yaml", "--sim", "--trust", cwd=here)
    assert done.returncode == 0, done.stderr
    assert claude.starts == 0


def test_who_is_not_logged_in_is_told_how(here: Path) -> None:
    said = "Invalid API key · Please run /login"
    claude = StandIn(
        here / "bin", "claude", lines(claude_init(), claude_end(said, is_error=True)), ("exit", 1)
    )
    failed = aethermind("run", "mend.yaml", "--trust", cwd=here)
    assert failed.returncode == 1
    assert f"Claude Code: {said}" in failed.stderr
    assert "log in: claude, then /login" in failed.stderr
    assert claude.starts == 1
