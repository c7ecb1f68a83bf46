"""The whole story by keyboard: start a run, open a step, watch it stream, fail, retry from there, answer a
question, look at the cost, replay, edit the file and resume.
"""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path

import pytest

from tests.cli.program import aethermind
from tests.e2e.terminal import Terminal, terminal

FLOW = """\
name: story
inputs: {topic: string}
steps:
  - {id: draft, prompt: "Draft a note about {{ inputs.topic }}."}
  - {id: check, depends_on: [draft], run: [cat, sources.txt]}
  - id: publish
    depends_on: [check]
    ask: {message: "Publish the note?", show: "{{ draft }}", fields: {choice: no|yes}}
  - {id: note, when: "{{ publish.choice == 'yes' }}", value: "as drafted: {{ draft }}"}
outputs: {note: "{{ note }}"}
"""
SIM = """\
steps:
  draft: {reply: "The moon pulls the sea, and the sea comes after it, twice a day.", tokens_per_second: 8}
"""
EDITOR = """\
#!{python}
import pathlib, sys
file = pathlib.Path(sys.argv[-1])
file.write_text(file.read_text().replace("as drafted", "as edited"))
"""


@pytest.fixture(autouse=True)
def _editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "editor"
    program.write_text(EDITOR.format(python=sys.executable))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("VISUAL", str(program))


def focused(screen: Terminal, word: str) -> bool:
    """Whether a word is drawn as what has the focus is."""
    for number, row in enumerate(screen.rows):
        if word in row and screen.looks(number, row.index(word)).reverse:
            return True
    return False


def away(screen: Terminal) -> None:
    """The card at a run's end comes by itself; escape leaves it."""
    screen.shows("make your own workflow")
    screen.press("\x1b", lambda: "make your own" not in screen.text, what="the trace, without the card")


def test_from_the_first_key_to_the_last(tmp_path: Path) -> None:
    file = tmp_path / "story.yaml"
    file.write_text(FLOW)
    (tmp_path / "story.sim.yaml").write_text(SIM)
    with terminal(cwd=tmp_path, columns=100, lines=32) as screen:
        # Start a run: the picker, then the form.
        screen.shows("help", "quit")
        screen.press("\x1b", lambda: "Welcome" not in screen.text, what="the main screen")
        screen.type("r")
        screen.shows("Run a workflow")
        screen.type("story")
        screen.shows("│ story ")
        screen.shows("story.yaml")
        screen.type("\r")
        screen.shows("simulate", "‹ no ›")
        screen.type("the tides")
        screen.shows("topic", "the tides")
        screen.type("\t")
        screen.until(lambda: focused(screen, "‹ no ›"), what="the next field")
        screen.type("y")
        screen.shows("simulate", "‹ yes ›")
        screen.type("\x13")
        screen.shows("starts programs")
        screen.press("t", lambda: "r_" in screen.rows[0], what="the run")

        # Open the step and watch it stream.
        screen.shows("draft", "★")
        screen.type("j")
        screen.shows("Trace", "story ▸ draft")
        screen.type("\r")
        screen.shows("1 Answer")
        screen.until(lambda: "The moon" in screen.text and "a day" not in screen.text, what="half an answer")
        screen.shows("streaming")
        screen.shows("twice a day.")
        screen.shows("story failed")  # the step after it
        screen.press("\x1b", lambda: "1 Answer" not in screen.text, what="the trace")

        # It fails; from the step that failed it goes on.
        screen.shows("✗ FAILED")
        screen.shows("cat: sources.txt")
        screen.type("E")
        screen.shows("Trace", "story ▸ check")
        (tmp_path / "sources.txt").write_text("the moon")
        screen.type("R")

        # Answer what it asks.
        screen.shows("publish asks: Publish the note?")
        screen.type("a")
        screen.until(lambda: focused(screen, "‹ no ›"), what="the question")
        screen.type("y")
        screen.shows("choice", "‹ yes ›")
        screen.type("\x13")
        screen.shows("✓ SUCCEEDED")
        away(screen)

        # Look at the cost, and play it again.
        screen.type("5")
        screen.shows("sim", "nothing was spent")
        screen.shows("settled", "1 call")
        screen.type("v")
        screen.shows("REPLAY")
        screen.type("]")
        screen.shows("RUNNING", "REPLAY")
        screen.type("G")
        screen.shows("SUCCEEDED", "REPLAY")
        screen.press("\x1b", lambda: "REPLAY" not in screen.text, what="the main screen")

        # Edit the file, and go on with it.
        screen.type("M")
        screen.shows("keeps", "draft, check, publish")
        screen.shows("runs", "note")
        screen.press("\r", lambda: "starts programs" in screen.text, what="the question of trust")
        screen.press("t", lambda: "as edited: The moon" in screen.text, what="the end of it, on the card")
        assert screen.leave() == 0
    run = json.loads(aethermind("show", "last", "--json").stdout)
    assert run["run"]["outputs"] == {
        "note": "as edited: The moon pulls the sea, and the sea comes after it, twice a day."
    }
    tries = {step["id"]: [attempt["status"] for attempt in step["attempts"]] for step in run["steps"]}
    assert tries == {
        "draft": ["succeeded"],
        "check": ["failed", "succeeded"],
        "publish": ["succeeded"],
        "note": ["succeeded", "succeeded"],
    }
