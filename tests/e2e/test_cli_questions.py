"""Questions of a run that is followed on a terminal: asked right there, field by field."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from tests.cli.program import aethermind
from tests.e2e.terminal import terminal
from tests.e2e.waiting import PATIENCE, until

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


def statuses() -> dict[str, str]:
    """Of the steps that were begun."""
    steps = json.loads(aethermind("show", "last", "--json").stdout)["steps"]
    return {step["id"]: step["status"] for step in steps if step["status"] != "pending"}


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


GATED = """\
name: gated
steps:
  - id: slow
    run: [sh, -c, "until test -e go; do sleep 0.02; done; echo through"]
  - id: sure
    approval: {message: "Sure?"}
  - id: too
    approval: {message: "This too?"}
  - {id: after, depends_on: [sure], value: went on}
outputs: {both: "{{ after }} {{ slow }}"}
"""


@pytest.mark.parametrize("plain", [False, True])
def test_it_is_asked_as_soon_as_the_question_opens_while_the_rest_goes_on(
    tmp_path: Path, plain: bool
) -> None:
    (tmp_path / "gated.yaml").write_text(GATED)
    flags = ["--plain"] if plain else []
    with terminal("run", "gated.yaml", "--trust", *flags, cwd=tmp_path, columns=100, lines=30) as screen:
        screen.shows("Sure? [y/N]:")  # and nobody has opened the gate
        screen.type("y\r")
        screen.shows("This too? [y/N]:")  # one after the other
        screen.type("y\r")
        screen.shows("after")  # the tree, or the lines, go on
        assert screen.process.poll() is None
        (tmp_path / "go").touch()
        assert screen.end() == 0
        screen.shows("went on through")
        assert screen.is_restored()
        assert screen.raw.count(b"Sure? [y/N]") == 1


def test_the_rest_goes_on_when_nobody_wants_to_answer_now(tmp_path: Path) -> None:
    (tmp_path / "gated.yaml").write_text(GATED)
    with terminal("run", "gated.yaml", "--trust", cwd=tmp_path, columns=100, lines=30) as screen:
        screen.shows("Sure? [y/N]:")
        screen.type("\x03")
        screen.shows("not now; the rest of the run goes on")
        (tmp_path / "go").touch()
        assert screen.end() == 5
        screen.shows("sure asks: Sure?", "aethermind approve")
        assert b"This too? [y/N]" not in screen.raw  # who would not answer the first is not asked more
    assert summary()["status"] == "waiting_answer"


def test_a_termination_leaves_the_prompt_and_stops_what_is_under_way(tmp_path: Path) -> None:
    (tmp_path / "gated.yaml").write_text(GATED)
    with terminal("run", "gated.yaml", "--trust", cwd=tmp_path, columns=100, lines=30) as screen:
        screen.shows("Sure? [y/N]:")
        screen.signal(signal.SIGTERM)
        screen.shows("stopping: what is under way may end")
        (tmp_path / "go").touch()  # the slow step may end
        assert screen.end() == 130
        assert screen.is_restored()
    assert statuses() == {"slow": "succeeded", "sure": "waiting_answer", "too": "waiting_answer"}


def test_a_lost_terminal_at_the_prompt_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "gated.yaml").write_text(GATED)
    with terminal("run", "gated.yaml", "--trust", cwd=tmp_path, columns=100, lines=30) as screen:
        screen.shows("Sure? [y/N]:")
        screen.hang_up()
        (tmp_path / "go").touch()
        assert screen.process.wait(PATIENCE) == 0  # the shell is free; the run goes on without it
        until(lambda: statuses()["slow"] == "succeeded")


def test_what_is_typed_before_the_question_is_there_does_not_answer_it(tmp_path: Path) -> None:
    (tmp_path / "late.yaml").write_text(
        "name: late\n"
        "steps:\n"
        '  - {id: slow, run: [sh, -c, "touch begun; until test -e go; do sleep 0.02; done"]}\n'
        '  - {id: sure, depends_on: [slow], approval: {message: "Sure?"}}\n'
    )
    with terminal("run", "late.yaml", "--trust", cwd=tmp_path, columns=100, lines=30) as screen:
        screen.until((tmp_path / "begun").exists)
        screen.type("hurry\ry\r")
        screen.shows("hurry")  # the terminal has it
        (tmp_path / "go").touch()
        screen.shows("Sure? [y/N]:")
        screen.type("n\r")
        assert screen.end() == 1  # rejected: the y was typed too early to be meant
