"""A budget bounds what may have been spent: by calls side by side, by answers without a limit, by a crash."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import aethermind
from tests.e2e.models import Answer, Gate, models
from tests.e2e.running import running
from tests.servers.wires import Counts

OUTPUT = 8
"""Micro-dollars of an output token, as below."""
CONFIG = '[prices."ollama:llama-local"]\ninput = 2\noutput = 8\n'


@pytest.fixture(autouse=True)
def prices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.toml").write_text(CONFIG)
    monkeypatch.setenv("AETHERMIND_CONFIG", str(tmp_path / "config.toml"))


def last_run() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(aethermind("show", "last", "--json").stdout)["run"]
    return found


def test_what_a_lost_call_may_have_cost_counts_as_spent(tmp_path: Path) -> None:
    (tmp_path / "dear.yaml").write_text(
        "name: dear\nsteps:\n"
        '  - {id: a, model: "ollama:llama-local", prompt: "<<a>>", settings: {max_tokens: 1000}}\n'
        'outputs: {a: "{{ a }}"}\n'
    )
    gate = Gate()
    with models({"a": Answer("hello there", Counts(input=10, output=900), gate=gate)}) as (served, _):
        with running("run", "dear.yaml", "--budget", "0.012", cwd=tmp_path) as started:
            gate.wait()
            started.kill()
        gate.open()
        done = aethermind("resume", "last", cwd=tmp_path)
        assert (done.returncode, done.stdout) == (5, "")
        assert served.asked == ["a"]
        run = last_run()
        assert run["status"] == "waiting_budget"
        assert 1000 * OUTPUT <= run["at_most_micro_usd"] <= run["budget_micro_usd"] < 2 * 1000 * OUTPUT

        (line,) = [line for line in done.stderr.splitlines() if "aethermind budget" in line]
        typed = shlex.split(line[line.index("aethermind budget") :])[1:-1]
        done = aethermind(*typed, "0.02", cwd=tmp_path)
        assert (done.returncode, done.stdout) == (0, "hello there\n")
        assert served.asked == ["a", "a"]
    run = last_run()
    assert run["cost_micro_usd"] == 10 * 2 + 900 * OUTPUT
    assert run["cost_micro_usd"] + run["at_most_micro_usd"] <= run["budget_micro_usd"]


def test_calls_side_by_side_cannot_overshoot_it_together(tmp_path: Path) -> None:
    (tmp_path / "wide.yaml").write_text(
        "name: wide\nsteps:\n"
        '  - {id: each, for_each: [x, y, z], model: "ollama:llama-local", prompt: "<<{{ item }}>>"}\n'
    )
    long = Answer("and so on", Counts(input=10, output=4_096))
    with models({"x": long, "y": long, "z": long}) as (served, server):
        done = aethermind("run", "wide.yaml", "--budget", "0.05", cwd=tmp_path)
        # Nobody said how long an answer may be: it is bounded all the same, by what was reserved for it.
        (request,) = server.requests
        assert request.json["options"]["num_predict"] == 4_096
    assert done.returncode == 5
    assert len(served.asked) == 1
    run = last_run()
    assert run["status"] == "waiting_budget"
    assert run["cost_micro_usd"] == 10 * 2 + 4_096 * OUTPUT <= run["budget_micro_usd"]


def test_other_branches_go_on_while_one_waits_for_the_budget(tmp_path: Path) -> None:
    (tmp_path / "branches.yaml").write_text(
        "name: branches\n"
        'defaults: {model: "ollama:llama-local"}\n'
        "steps:\n"
        '  - {id: dear, prompt: "<<dear>>", settings: {max_tokens: 100000}}\n'
        '  - {id: after, value: "{{ dear }}!"}\n'
        '  - {id: cheap, prompt: "<<cheap>>", settings: {max_tokens: 10}}\n'
        '  - {id: local, run: [sh, -c, "echo local >> effects.txt; echo l"], depends_on: [cheap]}\n'
        '  - {id: last, depends_on: [local], value: "{{ cheap }} {{ local }}"}\n'
        'outputs: {all: "{{ after }} {{ last }}"}\n'
    )
    answers = {
        "dear": Answer("worth it", Counts(input=10, output=900)),
        "cheap": Answer("nearly free", Counts(input=10, output=5)),
    }
    with models(answers) as (served, _):
        done = aethermind("run", "branches.yaml", "--trust", "--budget", "0.01", cwd=tmp_path)
        assert (done.returncode, done.stdout) == (5, "")
        shown = json.loads(aethermind("show", "last", "--json").stdout)
        assert shown["run"]["status"] == "waiting_budget"
        assert {step["id"]: step["status"] for step in shown["steps"]} == {
            "dear": "waiting_budget",
            "after": "pending",
            "cheap": "succeeded",
            "local": "succeeded",
            "last": "succeeded",
        }
        done = aethermind("budget", shown["run"]["id"], "1.00", cwd=tmp_path)
        assert (done.returncode, done.stdout) == (0, "worth it! nearly free l\n")
        assert served.asked == ["cheap", "dear"]
    run = last_run()
    assert run["budget_micro_usd"] == 1_000_000
    assert run["cost_micro_usd"] == (10 * 2 + 5 * OUTPUT) + (10 * 2 + 900 * OUTPUT)
    assert run["at_most_micro_usd"] == 0
