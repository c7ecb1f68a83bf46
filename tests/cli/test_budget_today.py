"""What all runs together may spend on a day: set, shown, waited for, raised."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import Said

FLOW = "name: dear\nsteps: [{id: a, prompt: Say hi at length., settings: {max_tokens: 1000}}]\n"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dear.yaml").write_text(FLOW)
    return tmp_path


def today(said: Said, *more: str) -> dict[str, Any]:
    code, out, _ = said("budget", "today", *more, "--json")
    assert code == 0
    found: dict[str, Any] = json.loads(out)["today"]
    return found


def test_a_run_waits_for_the_day_and_the_command_that_goes_on_is_printed(
    said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AETHERMIND_DAY_BUDGET", "0.000001")
    code, out, err = said("run", "dear.yaml", "--sim", "-q")
    assert (code, out) == (5, "")
    run_id = json.loads(said("runs", "--json")[1])["items"][0]["id"]
    assert f"aethermind budget today USD --sim && aethermind resume {run_id}" in err
    assert said("resume", run_id, "-q")[0] == 5
    shown = json.loads(said("show", run_id, "--json")[1])
    assert shown["run"]["status"] == "waiting_budget"
    assert [len(step["attempts"]) for step in shown["steps"]] == [1], (
        "the second process tried nothing in vain"
    )
    assert "would exceed the budget of the day" in said("show", run_id)[1]

    assert said("budget", "today", "5")[0] == 0  # of real money: this run is simulated
    assert said("resume", run_id, "-q")[0] == 5
    code, out, err = said("budget", "today", "1", "--sim")
    assert code == 0
    assert f"aethermind resume {run_id}" in err
    code, out, _ = said("resume", run_id, "-q")
    assert code == 0
    assert out.strip()
    row = today(said, "--sim")
    assert row["day"] == datetime.now(UTC).date().isoformat()
    assert row["simulated"] is True
    assert row["cap_micro_usd"] == 1_000_000
    assert 0 < row["spent_micro_usd"] < 1_000_000
    assert row["left_micro_usd"] == 1_000_000 - row["spent_micro_usd"]
    assert (row["at_most_micro_usd"], row["reserved_micro_usd"]) == (0, 0)
    assert today(said)["spent_micro_usd"] == 0
    told = said("costs", "--sim")
    assert "spent of $1.0000" in told[2]


def test_without_a_budget_the_day_has_no_end(said: Said) -> None:
    code, out, err = said("budget", "today")
    assert code == 0
    assert "$0.0000 spent" in out
    assert "no end is set" in err
    assert today(said)["cap_micro_usd"] is None
    assert today(said, "2.50")["cap_micro_usd"] == 2_500_000
    assert today(said)["left_micro_usd"] == 2_500_000
    assert today(said, "--sim")["cap_micro_usd"] is None


def test_the_configured_budget_and_doctor(said: Said, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "config.toml").write_text("[budget]\nday = 5.00\n")
    monkeypatch.setenv("AETHERMIND_CONFIG", str(here / "config.toml"))
    assert today(said)["cap_micro_usd"] == 5_000_000
    facts = json.loads(said("doctor", "--json")[1])["budget"]
    assert facts["day"] == "$5.0000 of all runs, per UTC day"
    assert facts["today"].endswith("$5.0000 left")
    monkeypatch.setenv("AETHERMIND_DAY_BUDGET", "$2")
    assert today(said)["cap_micro_usd"] == 2_000_000


@pytest.mark.parametrize(
    "arguments", [("budget", "last"), ("budget", "last", "1", "--sim"), ("budget", "today", "much")]
)
def test_what_makes_no_sense_is_refused(said: Said, arguments: tuple[str, ...]) -> None:
    assert said(*arguments)[0] == 2


def test_the_guard_pauses_a_run_and_says_why(said: Said, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "circle.yaml").write_text(
        "name: circle\nsteps:\n"
        "  - id: again\n"
        "    repeat: {max: 5}\n"
        "    steps: [{id: word, prompt: Say it again., model: fast, settings: {max_tokens: 10}}]\n"
    )
    (here / "config.toml").write_text("[guard]\nrepeated_calls = 4\n")
    monkeypatch.setenv("AETHERMIND_CONFIG", str(here / "config.toml"))
    code, _, err = said("run", "circle.yaml", "--sim", "-q")
    assert code == 5
    run_id = json.loads(said("runs", "--json")[1])["items"][0]["id"]
    why = "again#4/word made the same model call 4 times"
    assert f"paused by the guard: {why}; to go on: aethermind resume {run_id}" in err
    assert why in said("show", run_id)[1]
    assert said("resume", run_id, "-q")[0] == 0
