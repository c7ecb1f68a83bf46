"""Listings: runs, show, logs, agents, workflows, models, costs."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import Said, quick

CHATTY = """\
name: chatty
steps:
  - id: talk
    run: [sh, -c, "printf 'plain\\\\n\\\\033[2Jclear\\\\n[bold]markup[/bold]\\\\n'; echo warned >&2"]
outputs: {said: "{{ talk }}"}
"""


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: Said) -> str:
    """The research sample has run, and before it something else; the id of the sample's run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "chatty.yaml").write_text(CHATTY)
    assert said("run", "chatty.yaml", "--trust", "-q")[0] == 0
    quick("research-brief", tmp_path, faster=200)
    code, out, _ = said("run", "research-brief.yaml", "--sim", "--json")
    assert code == 0
    found: str = json.loads(out.splitlines()[-1])["summary"]["run"]["id"]
    return found


def items(said: Said, *arguments: str) -> list[dict[str, Any]]:
    code, out, err = said(*arguments, "--json")
    assert (code, err) == (0, "")
    page = json.loads(out)
    assert set(page) == {"items", "next"}
    found: list[dict[str, Any]] = page["items"]
    return found


def test_without_any_run_every_listing_says_so_kindly(said: Said) -> None:
    for name in ("runs", "agents", "costs"):
        code, out, err = said(name)
        assert (code, out) == (0, "")
        assert err.count("\n") == 1
        assert items(said, name) == []
    code, _, err = said("show", "last")
    assert (code, err) == (3, "there is no run yet (aethermind run research-brief --sim)\n")


def test_an_empty_file_is_an_empty_database(said: Said) -> None:
    home = Path(os.environ["AETHERMIND_HOME"])
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    (home / "aethermind.db").touch(mode=0o600)
    assert items(said, "runs") == []


def test_runs_by_page_status_and_workflow(ran: str, said: Said) -> None:
    both = items(said, "runs")
    assert [row["workflow"] for row in both] == ["research-brief", "chatty"]
    assert both[0]["id"] == ran
    assert both[0]["simulated"] is True
    _, out, _ = said("runs", "--limit", "1", "--json")
    page = json.loads(out)
    assert [row["id"] for row in page["items"]] == [ran]
    assert [row["workflow"] for row in items(said, "runs", "--cursor", page["next"])] == ["chatty"]
    assert [row["workflow"] for row in items(said, "runs", "--workflow", "chatty")] == ["chatty"]
    assert items(said, "runs", "--status", "failed") == []
    _code, out, _ = said("runs")
    head, first, second = out.splitlines()
    assert head.split()[:3] == ["RUN", "WORKFLOW", "STATUS"]
    assert first.split()[:4] == [ran, "research-brief", "✓", "succeeded"]
    assert first.rstrip().endswith("sim")
    assert not second.rstrip().endswith("sim")


def test_show_in_its_forms(ran: str, said: Said) -> None:
    code, out, _ = said("show", ran)
    assert code == 0
    for words in (f"research-brief  {ran}  ✓ succeeded", "(sim: notional)", "try 2/4", "brief:\n# "):
        assert words in out
    tree = said("show", "last", "--tree")[1]
    assert "├ ✓ findings" in tree
    assert "brief:\n#" not in tree
    raw = said("show", ran[2:6], "--output", "brief")[1]
    assert raw.startswith("# ")
    assert json.loads(said("show", ran, "--output", "plan", "--json")[1])["questions"]
    step = said("show", ran, "--step", "headline")[1]
    assert "✓ try 1  succeeded" in step
    assert "sim:" in step
    assert "\nuser\n" in step
    assert "\nanswer\n" in step
    sent = json.loads(said("show", ran, "--step", "headline", "--json")[1])
    assert sent["attempts"][0]["model_calls"][0]["request"]["messages"][0]["role"] == "user"


@pytest.mark.parametrize(
    "typed, code, told",
    [
        (["--output", "breif"], 3, "has no output 'breif' (outputs: brief)"),
        (["--step", "headlin"], 3, "has no step 'headlin' (did you mean `headline`?)"),
    ],
)
def test_what_is_not_there(typed: list[str], code: int, told: str, ran: str, said: Said) -> None:
    got, out, err = said("show", ran, *typed)
    assert (got, out) == (code, "")
    assert told in err


def test_a_prefix_that_fits_several_runs_is_refused(ran: str, said: Said) -> None:
    code, _, err = said("show", "r_")
    assert code == 2
    assert ran in err


def test_costs_by_everything(ran: str, said: Said) -> None:
    total = items(said, "runs")[0]["cost_micro_usd"]
    assert total > 0
    for by in ("model", "agent", "workflow", "day", "run"):
        rows = items(said, "costs", "--sim", "--by", by)
        assert sum(row["cost_micro_usd"] for row in rows) == total, by
    assert [row["key"] for row in items(said, "costs", "--sim", "--by", "run")] == [ran]
    assert items(said, "costs", "--sim", "--since", "1h") != []
    assert items(said, "costs", "--sim", "--since", "2999-01-01") == []
    assert items(said, "costs") == []
    table = said("costs", "--sim")[1].splitlines()
    assert table[-1].startswith("total (sim: notional)")
    rows = list(csv.DictReader(said("costs", "--sim", "--csv")[1].splitlines()))
    assert sum(int(row["cost_micro_usd"]) for row in rows) == total
    code, _, err = said("costs", "--since", "yesterday")
    assert code == 2
    assert "neither an age (7d, 24h) nor a date" in err


def test_logs_by_level_step_and_page(ran: str, said: Said) -> None:
    every = items(said, "logs", ran)
    assert any("429" in row["message"] and row["level"] == "warning" for row in every)
    assert items(said, "logs", ran, "--level", "error") == []
    step = next(row["step"] for row in every if "429" in row["message"])
    assert {row["step"] for row in items(said, "logs", ran, "--step", step)} == {step}
    assert len(items(said, "logs", ran, "--limit", "1")) == 1
    line = next(line for line in said("logs", "last", "-f")[1].splitlines() if "429" in line)
    assert "WARNING" in line
    assert step in line


def test_hostile_logs_take_one_harmless_row_each(ran: str, said: Said) -> None:
    chatty = next(row["id"] for row in items(said, "runs") if row["workflow"] == "chatty")
    code, out, _ = said("logs", chatty)
    assert code == 0
    assert "\x1b" not in out
    assert "[bold]markup[/bold]" in out
    assert sum("clear" in line for line in out.splitlines()) == 1
    assert len(out.splitlines()) == len(items(said, "logs", chatty))


def test_agents_models_workflows_samples(ran: str, said: Said) -> None:
    agents = {row["name"]: row for row in items(said, "agents")}
    assert agents["researcher"]["model"] == "sim:smart"
    assert agents["researcher"]["failed"] == 1
    assert agents["researcher"]["last_seen_at"].endswith("Z")
    models = {row["id"]: row for row in items(said, "models")}
    assert "smart" in models["sim:smart"]["aliases"]
    assert models["sim:smart"]["configured"] is True
    origins = {row["name"]: row["origin"] for row in items(said, "workflows")}
    assert origins["chatty"] == "./"
    assert origins["research-brief"] == "./"  # the one that would run
    assert origins["review-diff"] == "samples"
    samples = items(said, "samples")
    assert all(row["description"] and Path(row["path"]).is_file() for row in samples)
    for name in ("agents", "models", "workflows", "samples"):
        assert said(name)[0] == 0


def test_calls_that_all_failed_cost_nothing_and_each_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: Said
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "down.yaml").write_text(
        "name: down\ndefaults: {retry: {max_attempts: 1}}\n"
        "agents: {w: {model: [smart, fast]}}\nsteps: [{id: a, agent: w, prompt: A}]\n"
    )
    (tmp_path / "down.sim.yaml").write_text("steps: {a: {reply: AAA, errors: [500, 500]}}\n")
    code, _, err = said("run", "down.yaml", "--sim")
    assert (code, "unpriced" in err, "$0.0000 (sim: notional)" in err) == (1, False, True)
    assert "unpriced" not in said("show", "last")[1]
    shown = said("show", "last", "--step", "a")[1]
    calls = [line for line in shown.splitlines() if line.startswith("  call ")]
    assert calls == ["  call 1  sim:smart  failed", "  call 2  sim:fast  failed"]
    assert shown.count("500: the simulated provider failed") == 2


def test_a_step_is_cancelled_once_and_what_is_left_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: Said
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gate.yaml").write_text(
        "name: gate\nsteps:\n  - {id: a, value: 1}\n  - {id: go, approval: {message: Go?}}\n"
        '  - {id: b, value: 2, depends_on: [go]}\n  - {id: end, value: "{{ b }}"}\n'
    )
    assert said("run", "gate.yaml", "--sim", "-q")[0] == 5
    assert said("cancel", "last", "--step", "a")[::2] == (2, "step a is over: succeeded\n")
    code, out, err = said("cancel", "last", "--step", "go")
    assert (code, "interrupted" in out) == (0, True)
    assert err.startswith("to go on: aethermind resume r_")
    assert "goes on  aethermind resume r_" in said("show", "last")[1]
