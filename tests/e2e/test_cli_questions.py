"""Questions of a run that is followed on a terminal: asked right there, field by field."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.program import aethermind
from tests.e2e.terminal import terminal

FLOW = """\
name: talk
steps:
  - id: mood
    ask:
      message: How are you?
      fields:
        mood: good|bad
        weight: {type: integer, minimum: 1, maximum: 5, default: 3}
        note: string?
  - {id: middle, value: "{{ mood.mood }} {{ mood.weight }}"}
  - id: sure
    approval: {message: "Sure?", show: "You said {{ middle }}."}
outputs: {said: "{{ middle }}"}
"""
SCRIPT = "steps: {mood: {reply: {mood: bad, note: rain}}, sure: {reply: {approved: true}}}\n"


def summary() -> dict[str, object]:
    found: dict[str, object] = json.loads(aethermind("show", "last", "--json").stdout)["run"]
    return found


def test_the_questions_are_asked_one_after_the_other(tmp_path: Path) -> None:
    (tmp_path / "talk.yaml").write_text(FLOW)
    with terminal("run", "talk.yaml", cwd=tmp_path, columns=100, lines=30) as screen:
        screen.shows("How are you?")
        screen.shows("mood (one of: good, bad):")
        screen.type("so so\r")
        screen.shows("Error:", "good")
        screen.type("good\r")
        screen.shows("weight (a whole number from 1 to 5) [3]:")
        screen.type("9\r")
        screen.shows("Error:", "maximum")
        screen.type("\r")
        screen.shows("note:")
        screen.type("\r")
        screen.shows("You said good 3.")
        screen.shows("Sure? [y/N]:")
        screen.type("y\r")
        assert screen.end() == 0
        screen.shows("good 3")
    assert summary()["status"] == "succeeded"


def test_whoever_does_not_want_to_answer_now_may_do_it_later(tmp_path: Path) -> None:
    (tmp_path / "talk.yaml").write_text(FLOW)
    with terminal("run", "talk.yaml", cwd=tmp_path, columns=100, lines=30) as screen:
        screen.shows("mood (one of: good, bad):")
        screen.type("\x03")
        assert screen.end() == 5
        screen.shows("mood asks: How are you?", "aethermind answer")
    assert summary()["status"] == "waiting_answer"


def test_a_simulated_run_takes_the_answers_of_its_script_where_nobody_can_be_asked(tmp_path: Path) -> None:
    (tmp_path / "talk.yaml").write_text(FLOW)
    (tmp_path / "talk.sim.yaml").write_text(SCRIPT)
    done = aethermind("run", "talk.yaml", "--sim", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "bad 3\n")
    assert "mood  answered by script" in done.stderr
    waiting = aethermind("run", "talk.yaml", cwd=tmp_path)  # not simulated: somebody has to answer
    assert waiting.returncode == 5
    assert "aethermind answer" in waiting.stderr


def test_an_answer_of_the_script_that_does_not_fit_is_said(tmp_path: Path) -> None:
    (tmp_path / "talk.yaml").write_text(FLOW)
    (tmp_path / "talk.sim.yaml").write_text("steps: {mood: {reply: {mood: so so}}}\n")
    done = aethermind("run", "talk.yaml", "--sim", cwd=tmp_path)
    assert done.returncode == 2
    assert "the script's answer to mood: mood can't be 'so so'" in done.stderr
