"""One process drives a run; others look on, are told who drives, or wait for its end. And stopping it."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import aethermind, effects, gate
from tests.e2e.models import Answer, Gate, models
from tests.e2e.running import running
from tests.servers.wires import Counts

PAID = """\
name: paid
defaults: {model: "ollama:llama-local"}
steps:
  - {id: first, prompt: "<<first>>"}
  - {id: second, prompt: "<<second>> {{ first }}"}
outputs: {text: "{{ first }} {{ second }}"}
"""


def items(*arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(aethermind(*arguments, "--json").stdout)["items"]
    return found


def test_others_look_on_and_are_told_who_drives(tmp_path: Path) -> None:
    pipe, target = gate(tmp_path)
    with running("run", str(target), "--trust", "--json", cwd=tmp_path) as started:
        started.out.event("AttemptStarted", step="middle")
        # Looking works.
        (row,) = items("runs")
        assert row["status"] == "running"
        shown = json.loads(aethermind("show", "last", "--json").stdout)
        assert shown["run"]["status"] == "running"
        assert {step["id"]: step["status"] for step in shown["steps"]} == {
            "first": "succeeded",
            "middle": "running",
            "last": "pending",
        }
        assert "one" in [log["message"] for log in items("logs", "last")]
        # Acting does not, and says why in one line.
        for arguments in (["run", str(target), "--trust"], ["cancel", "last"], ["resume", "last"]):
            done = aethermind(*arguments, cwd=tmp_path)
            assert (done.returncode, done.stdout) == (75, ""), arguments
            assert str(started.pid) in done.stderr
            assert done.stderr.count("\n") == 1
        assert effects(tmp_path) == ["first", "middle"]
        pipe.write_text("two\n")
        assert started.end() == 0
    assert json.loads(started.out.lines[-1])["summary"]["run"]["outputs"] == {"all": "one two three"}
    (row,) = items("runs")
    assert (row["id"], row["status"]) == (shown["run"]["id"], "succeeded")
    assert effects(tmp_path) == ["first", "middle", "last"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_paid_answer_is_kept_when_it_is_stopped(number: signal.Signals, tmp_path: Path) -> None:
    """The first signal lets the call in flight end; what it brought is not asked for, or paid for, again."""
    (tmp_path / "paid.yaml").write_text(PAID)
    half = Gate()
    answers = {
        "first": Answer("one and only", Counts(input=11, output=7), gate=half),
        "second": Answer("and another", Counts(input=5, output=3)),
    }
    with models(answers) as (served, _):
        with running("run", "paid.yaml", cwd=tmp_path) as started:
            half.wait()
            started.signal(number)
            started.err.until("stopping")
            half.open()
            assert started.end() == 130
        assert started.out.text == ""
        (row,) = items("runs")
        assert row["status"] == "interrupted"
        assert f"to go on: aethermind resume {row['id']}" in started.err.text
        assert served.asked == ["first"]

        done = aethermind("resume", cwd=tmp_path)
        assert (done.returncode, done.stdout) == (0, "one and only and another\n")
        assert served.asked == ["first", "second"]
    (row,) = items("runs")
    assert row["status"] == "succeeded"
    assert (row["usage"]["input_tokens"], row["usage"]["output_tokens"]) == (16, 10)
