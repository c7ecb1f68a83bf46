"""One process owns the engine; others look on, and act through it. And stopping it."""

from __future__ import annotations

import json
import os
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


ECHO = """\
name: echo
steps:
  - {id: where, run: [greet], env: {GREETING: $GREETING}}
"""
FLOW = """\
from aethermind import Workflow

flow = Workflow("own")


@flow.step
async def one(ctx):
    return 1
"""


def test_another_terminal_works_on_the_same_engine(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    pipe, target = gate(one)
    their_pipe, theirs = gate(two)
    (two / "echo.yaml").write_text(ECHO)
    (two / "bin").mkdir()
    greet = two / "bin" / "greet"
    greet.write_text('#!/bin/sh\necho "$(basename "$PWD") $GREETING"\n')
    greet.chmod(0o755)
    (two / "ours.py").write_text(FLOW)
    with running("run", str(target), "--trust", "--json", cwd=one) as started:
        first = started.out.event("AttemptStarted", step="middle")["stream"].removeprefix("run/")
        # Looking: at the database, or through the engine.
        for more in ([], ["--connect", f"unix:{os.environ['AETHERMIND_HOME']}/engine.sock"]):
            (row,) = items("runs", *more)
            assert (row["id"], row["status"]) == (first, "running")
        shown = json.loads(aethermind("show", "last", "--json").stdout)
        assert [step["status"] for step in shown["steps"]] == ["succeeded", "running", "pending"]
        assert "one" in [log["message"] for log in items("logs", "last", *more)]
        # Running: over there, in this terminal's directory, with its programs and its environment.
        ours = {"GREETING": "good morning", "PATH": f"{two / 'bin'}:{os.environ['PATH']}"}
        done = aethermind("run", "echo.yaml", "--trust", "-q", cwd=two, **ours)
        assert (done.returncode, done.stdout, done.stderr) == (0, "two good morning\n", "")
        # What can only run in a process of its own says so.
        done = aethermind("run", "ours:flow", cwd=two, PYTHONPATH=str(two))
        assert (done.returncode, done.stderr.count("\n")) == (75, 1)
        assert str(started.pid) in done.stderr
        # Ctrl-C is about one's own run, which goes on when it is resumed, also from a third terminal.
        with running("run", str(theirs), "--trust", cwd=two) as other:
            other.err.until("middle")
            other.signal(signal.SIGINT)
            other.err.until("paus")
            their_pipe.write_text("two\n")  # what is under way may end
            assert other.end() == 130
            assert "paused" in other.err.text
        paused, _, gated = items("runs")
        assert (paused["status"], gated["status"]) == ("paused", "running")
        assert aethermind("cancel", paused["id"]).returncode == 0
        pipe.write_text("two\n")
        assert started.end() == 0
    assert json.loads(started.out.lines[-1])["summary"]["run"]["outputs"] == {"all": "one two three"}
    assert [row["status"] for row in items("runs")] == ["cancelled", "succeeded", "succeeded"]
    assert effects(one) == ["first", "middle", "last"]


def test_an_owner_that_is_silent_or_dead(tmp_path: Path) -> None:
    pipe, target = gate(tmp_path)
    with running("run", str(target), "--trust", "--json", cwd=tmp_path) as started:
        started.out.event("AttemptStarted", step="middle")
        started.signal(signal.SIGSTOP)
        done = aethermind("cancel", "last")
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (75, "", 1)
        assert f"pid {started.pid}" in done.stderr
        assert "does not answer" in done.stderr
        started.kill()
    # Its socket is still there, and no obstacle.
    done = aethermind("cancel", "last", "--json")
    assert json.loads(done.stdout)["run"]["status"] == "cancelled"
    assert effects(tmp_path) == ["first", "middle"]
    pipe.unlink()


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
