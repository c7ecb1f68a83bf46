"""An agent with every kind of tool mends a failing test; the program is killed between any two calls."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aethermind.failpoints import VARIABLE
from tests.cli.program import aethermind
from tests.e2e import mending
from tests.e2e.models import vendors
from tests.e2e.terminal import terminal

WAITING = 5
KILLED = -signal.SIGKILL


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    with mending.adviser(tmp_path) as url:
        mending.write(tmp_path, url)
        yield tmp_path


def shown(place: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(aethermind("show", "last", "--json", cwd=place).stdout)
    return found


def calls_of(place: Path) -> list[dict[str, Any]]:
    (step,) = shown(place)["steps"]
    return [call for attempt in step["attempts"] for call in attempt["model_calls"]]


def waits_for(place: Path) -> dict[str, Any]:
    (asked,) = shown(place)["run"]["waiting_for"]
    return dict(asked)


def test_a_failing_test_is_mended_after_a_yes_to_the_diff(place: Path) -> None:
    done = aethermind("run", "mend.yaml", "--sim", "--trust", "--plain", cwd=place)
    assert done.returncode == WAITING, done.stderr
    assert "approve" in done.stderr
    asked = waits_for(place)
    assert asked["about"] == "tool"
    assert "-    return sum(prices) - 1\n+    return sum(prices)" in asked["show"]
    assert (place / "prices.py").read_text() == mending.BROKEN
    told = aethermind("show", "last", "--step", "fix", cwd=place).stdout
    assert "asks: fixer wants to edit prices.py" in told
    assert "-    return sum(prices) - 1\n+    return sum(prices)" in told
    assert "✗ shell" in told
    done = aethermind("approve", "last", "fix", cwd=place)
    assert (done.returncode, done.stdout.strip()) == (0, mending.SAID)
    assert "allowed: fixer wants to edit prices.py" in done.stderr
    assert "+    return sum(prices)" in done.stderr
    assert (place / "prices.py").read_text() == mending.MENDED
    assert mending.ledger(place) == mending.DONE


NOTES = """name: notes
steps:
  - {id: keep, prompt: Keep a note., model: smart, tools: [files]}
"""
WRITES = [{"tools": [{"name": "write_file", "arguments": {"path": "n", "content": text}}]} for text in "ab"]


def test_on_a_terminal_it_is_asked_right_there_and_yes_to_the_price_is_no_yes_to_a_tool(
    tmp_path: Path,
) -> None:
    (tmp_path / "notes.yaml").write_text(NOTES)
    (tmp_path / "notes.sim.yaml").write_text(json.dumps({"steps": {"keep": [*WRITES, "It is kept."]}}))
    with terminal("run", "notes.yaml", "--sim", "--yes", cwd=tmp_path, columns=100, lines=30) as screen:
        screen.shows("+a")
        screen.shows("keep wants to write n [y/N]:")
        screen.type("n\r")
        screen.shows("what the model is told with a no")
        screen.type("b is better\r")
        screen.shows("+b")
        # What is typed before it is asked does not answer it.
        question = "keep wants to write n [y/N]:"
        screen.until(lambda: screen.text.count(question) == 2, what="the second question")
        screen.type("y\r")
        assert screen.end() == 0
        screen.shows("It is kept.")
    assert (tmp_path / "n").read_text() == "b"
    (step,) = shown(tmp_path)["steps"]
    tools = [
        tool for attempt in step["attempts"] for call in attempt["model_calls"] for tool in call["tools"]
    ]
    assert [tool["status"] for tool in tools] == ["failed", "succeeded"]
    assert "b is better" in tools[0]["error"]["message"]


@pytest.mark.timeout(240)  # many starts of the program, on a machine that may be busy
def test_killed_between_any_two_calls_it_repeats_none(place: Path) -> None:
    """Each life goes on from what is recorded and is killed at the next record, until there is none left."""
    deaths = ["CallFinished", "ToolFinished", "CallFinished", "CallStarted", "ToolFinished", "CallFinished"]
    command = ["run", "mend.yaml", "--sim", "--trust"]
    for record in deaths:
        ended = aethermind(*command, cwd=place, **{VARIABLE: record})
        assert ended.returncode == KILLED, (record, ended.stderr)
        command = ["resume", "last"]
    done = aethermind("resume", "last", cwd=place)
    assert done.returncode == WAITING, done.stderr
    assert "- 1" in waits_for(place)["show"]
    # Allowed and begun, and nobody saw how it ended: that is not done again unasked either.
    ended = aethermind("approve", "last", "fix", cwd=place, **{VARIABLE: "ToolStarted"})
    assert ended.returncode == KILLED, ended.stderr
    done = aethermind("resume", "last", cwd=place)
    assert done.returncode == WAITING, done.stderr
    asked = waits_for(place)
    assert (asked["about"], asked["fields"]["choice"]["enum"][:2]) == ("in_doubt", ["retry", "tell"])
    assert '"prices.py"' in asked["show"]
    ended = aethermind("answer", "last", "fix", "-i", "choice=retry", cwd=place, **{VARIABLE: "ToolFinished"})
    assert ended.returncode == KILLED, ended.stderr
    done = aethermind("resume", "last", cwd=place)
    assert (done.returncode, done.stdout.strip()) == (0, mending.SAID), done.stderr
    assert (place / "prices.py").read_text() == mending.MENDED
    assert mending.ledger(place) == mending.DONE
    calls = calls_of(place)
    assert [call["status"] for call in calls].count("succeeded") == 7
    assert [call["status"] for call in calls].count("lost") <= 1  # the one whose intent was all there was
    tools = [tool for call in calls for tool in call["tools"]]
    assert all(tool["status"] == "succeeded" for tool in tools)
    assert [tool["tool"] for tool in tools if tool["decided_by"]] == ["edit_file"]


@pytest.mark.timeout(240)  # many starts of the program, on a machine that may be busy
@pytest.mark.parametrize("model", ["anthropic:claude-local", "ollama:llama-local"])
def test_a_real_server_is_asked_once_for_each_turn(model: str, place: Path) -> None:
    """Its own count is what it would have billed."""
    mechanic = mending.Mechanic()
    with vendors(mechanic):
        command = ["run", "mend.yaml", "--model", model, "--trust", "--yes"]
        for record in ("CallFinished", "ToolFinished", "CallFinished"):
            ended = aethermind(*command, cwd=place, **{VARIABLE: record})
            assert ended.returncode == KILLED, (record, ended.stderr)
            command = ["resume", "last"]
        done = aethermind("resume", "last", cwd=place)
        assert done.returncode == WAITING, done.stderr
        assert "- 1" in waits_for(place)["show"]
        done = aethermind("approve", "last", "fix", cwd=place)
        assert (done.returncode, done.stdout.strip()) == (0, mending.SAID), done.stderr
    assert mechanic.asked == list(range(len(mending.TURNS) + 1))
    assert mending.ledger(place) == mending.DONE
    assert (place / "prices.py").read_text() == mending.MENDED
