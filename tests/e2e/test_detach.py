"""Runs outlive terminals: quitting, a closed window, ctrl+z, `--detach`. No call is ever repeated."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import aethermind
from tests.e2e.models import Answer, Gate, Models, models
from tests.e2e.running import running
from tests.e2e.shell import shell
from tests.e2e.terminal import Terminal, terminal
from tests.e2e.waiting import PATIENCE, gone, until
from tests.servers.wires import Counts

FLOW = """\
name: NAME
defaults: {model: "ollama:llama-local"}
steps:
  - {id: first, prompt: "<<NAME-first>>"}
  - {id: second, prompt: "<<NAME-second>> {{ first }}"}
outputs: {text: "{{ first }} {{ second }}"}
"""


class Slow:
    """Model answers that stop in their middle until the test lets them go."""

    def __init__(self, directory: Path, *names: str) -> None:
        self.half = {name: Gate() for name in names}
        self.answers: dict[str, Answer] = {}
        for name in names:
            (directory / f"{name}.yaml").write_text(FLOW.replace("NAME", name))
            self.answers[f"{name}-first"] = Answer(
                f"{name} one", Counts(input=11, output=7), gate=self.half[name]
            )
            self.answers[f"{name}-second"] = Answer(f"{name} two", Counts(input=5, output=3))
        self.served: Models | None = None

    @property
    def asked(self) -> list[str]:
        assert self.served is not None
        return self.served.asked


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[Slow]:
    made = Slow(tmp_path, "paid", "other")
    with models(made.answers) as (served, _):
        made.served = served
        yield made
    aethermind("stop")


def items() -> dict[str, dict[str, Any]]:
    """The runs, by their workflow."""
    found = json.loads(aethermind("runs", "--json").stdout)["items"]
    return {row["workflow"]: row for row in found}


def engine() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(aethermind("doctor", "--json").stdout).get("engine", {})
    return found


def ended(name: str) -> dict[str, Any]:
    """The run of this workflow, when it has ended."""

    def look() -> dict[str, Any] | None:
        row = items()[name]
        return row if row["finished_at"] is not None else None

    return until(look, every=0.1)


def keep(screen: Terminal) -> None:
    screen.press("q", lambda: "keep it running" in screen.text, what="the question")
    screen.press("k", lambda: screen.process.poll() is not None, what="the shell")


def close(screen: Terminal) -> None:
    screen.hang_up()
    screen.process.wait(PATIENCE)


@pytest.mark.parametrize("leave", [keep, close])
def test_a_screen_that_is_left_stops_no_run(leave: Any, slow: Slow, tmp_path: Path) -> None:
    with terminal("run", "paid.yaml", "--tui", "--yes", cwd=tmp_path) as screen:
        slow.half["paid"].wait()
        screen.shows("first")
        leave(screen)
        assert screen.process.returncode == 0
        if leave is keep:
            assert screen.is_restored()
            assert "goes on in the background" in screen.text
    assert engine()["live_runs"] == 1
    with terminal(cwd=tmp_path) as again:  # another terminal finds the engine
        again.shows("paid", "RUNNING")
        slow.half["paid"].open()
        again.shows("✓ succeeded")
        again.press("\x1b", lambda: "✓ succeeded" not in again.text, what="the run")
        assert again.leave() == 0
    assert slow.asked == ["paid-first", "paid-second"]
    assert items()["paid"]["usage"]["output_tokens"] == 10


def test_ctrl_z_gives_the_shell_back_and_the_run_goes_on(slow: Slow, tmp_path: Path) -> None:
    with shell(tmp_path) as bash:
        bash.run("a run paid.yaml --yes")
        slow.half["paid"].wait()
        bash.shows("● first")
        bash.type("\x1a")
        bash.shows("Stopped")
        slow.half["paid"].open()
        assert ended("paid")["status"] == "succeeded"  # without anybody
        assert "paid two" not in bash.text
        bash.run("fg; echo code=$?")
        bash.shows("paid one paid two")
        bash.shows("code=0")
    assert slow.asked == ["paid-first", "paid-second"]


def test_ctrl_z_puts_the_screen_aside_until_fg(slow: Slow, tmp_path: Path) -> None:
    with shell(tmp_path) as bash:
        bash.run("sh -c '$A run paid.yaml --yes --tui; true'")  # as under `make`
        bash.shows("first")
        slow.half["paid"].wait()
        bash.type("\x1a")
        bash.shows("fg brings the screen back")
        bash.run("echo $((40 + 2)) is said")
        bash.shows("42 is said")
        slow.half["paid"].open()
        assert ended("paid")["status"] == "succeeded"
        assert "42 is said" in bash.text  # nothing was drawn over it
        bash.run("fg; echo code=$?")
        bash.shows("✓ succeeded")
        bash.press("\x1b", lambda: "esc back to the run" not in bash.text, what="the run")
        bash.press("q", lambda: "code=0" in bash.text, what="the end")
    assert slow.asked == ["paid-first", "paid-second"]


def test_detached_the_engine_is_left_alone_with_the_run(slow: Slow, tmp_path: Path) -> None:
    done = aethermind("run", "paid.yaml", "--detach", "--json", "--yes", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    run_id = json.loads(done.stdout)["run"]["id"]
    slow.half["paid"].wait()
    told = engine()
    assert (told["live_runs"], told["started_for"], told["ends"]) == (1, "run", "after 10m00s idle")
    assert "ollama" not in told["keys"]
    # Another terminal's run is the same engine's, and is watched to its end like one's own.
    slow.half["other"].reached.clear()
    with running("run", "other.yaml", "--yes", cwd=tmp_path) as second:
        slow.half["other"].open()
        assert second.end() == 0
        assert second.out.text == "other one other two\n"
    assert engine()["pid"] == told["pid"]
    slow.half["paid"].open()
    assert ended("paid")["id"] == run_id
    assert sorted(slow.asked) == ["other-first", "other-second", "paid-first", "paid-second"]
    stopped = aethermind("stop")
    assert (stopped.returncode, stopped.stdout) == (0, f"the engine with pid {told['pid']} has ended\n")
    assert gone([told["pid"]], seconds=PATIENCE) == []
    stopped = aethermind("stop")
    assert stopped.returncode == 0
    assert stopped.stdout.startswith("no engine runs on ")


def test_what_others_need_is_not_stopped_with_a_foreground_run(slow: Slow, tmp_path: Path) -> None:
    """Ctrl-C is about one's own run; the shell gets its prompt, and the engine goes on for the others."""
    with terminal("run", "paid.yaml", "--yes", "--plain", cwd=tmp_path) as screen:
        slow.half["paid"].wait()
        assert aethermind("run", "other.yaml", "--detach", "--yes", cwd=tmp_path).returncode == 0
        slow.half["other"].wait()
        pid = engine()["pid"]
        screen.type("\x03")
        screen.shows("stopping")
        slow.half["paid"].open()
        assert screen.end() == 130
        assert "paused" in screen.text
        assert f"{items()['other']['id']} goes on in the background" in screen.text
    assert engine()["pid"] == pid
    slow.half["other"].open()
    assert ended("other")["status"] == "succeeded"
    assert items()["paid"]["status"] == "paused"
    assert slow.asked.count("paid-first") == slow.asked.count("other-first") == 1
    done = aethermind("resume", items()["paid"]["id"], cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "paid one paid two\n")
    assert engine()["pid"] == pid
    assert len(slow.asked) == 4


def test_serve_goes_on_with_what_was_interrupted_and_ends_when_idle(slow: Slow, tmp_path: Path) -> None:
    with running("run", "paid.yaml", "--yes", "--json", cwd=tmp_path) as first:
        slow.half["paid"].wait()
        first.kill()
    slow.half["paid"].reached.clear()
    with running("serve", "--idle", "100ms", cwd=tmp_path) as served:
        served.err.until("serving", f"pid {served.pid}")
        served.err.until("goes on (paid)")
        slow.half["paid"].wait()
        refused = aethermind("serve", cwd=tmp_path)
        assert (refused.returncode, refused.stderr.count("\n")) == (75, 1)
        assert str(served.pid) in refused.stderr
        slow.half["paid"].open()
        assert served.end() == 0
    assert items()["paid"]["status"] == "succeeded"


def test_serve_asks_for_what_only_the_own_terminal_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "gate")
    (tmp_path / "env.yaml").write_text(
        "name: env\n"
        "steps:\n"
        "  - {id: a, run: [cat, gate]}\n"
        "  - {id: b, run: [sh, -c, 'echo $TOLD'], env: {TOLD: $TOLD}, depends_on: [a], on_in_doubt: retry}\n"
        "outputs: {b: '{{ b }}'}\n"
    )
    monkeypatch.setenv("TOLD", "a value")
    with running("run", "env.yaml", "--trust", "--json", cwd=tmp_path) as first:
        first.out.event("AttemptStarted", step="a")
        first.signal(signal.SIGTERM)
        (tmp_path / "gate").write_text("go\n")
        assert first.end() == 130
    monkeypatch.delenv("TOLD")
    with running("serve", "--idle", "60s", cwd=tmp_path) as served:
        served.err.until("goes on (env)")
        line = served.err.until("needs $TOLD")
        assert "aethermind resume r_" in line
        until(lambda: items()["env"]["status"] == "paused", every=0.1)
        monkeypatch.setenv("TOLD", "a value")
        done = aethermind("resume", cwd=tmp_path)
        assert (done.returncode, done.stdout) == (0, "a value\n"), done.stderr
        served.signal(signal.SIGTERM)
        assert served.end() == 0


def test_ctrl_z_at_a_question_asks_it_again(tmp_path: Path) -> None:
    (tmp_path / "who.yaml").write_text(
        "name: who\ninputs: {who: string}\nsteps: [{id: a, value: 'hi {{ inputs.who }}'}]\n"
        "outputs: {a: '{{ a }}'}\n"
    )
    with shell(tmp_path) as bash:
        bash.run("a run who.yaml")
        bash.shows("who:")
        bash.type("nobo\x1a")
        bash.shows("Stopped")
        bash.run("fg")
        bash.until(lambda: bash.before_cursor.strip() == "who:", what="the question again")
        bash.type("Ada\r")
        bash.shows("hi Ada")


def test_without_a_terminal_a_run_ends_with_those_of_others_in_its_engine(slow: Slow, tmp_path: Path) -> None:
    """Whoever waits for it in a script has its outputs, and nobody loses a run."""
    with running("run", "paid.yaml", "--yes", cwd=tmp_path) as first:
        slow.half["paid"].wait()
        assert aethermind("run", "other.yaml", "--detach", "--yes", cwd=tmp_path).returncode == 0
        slow.half["other"].wait()
        slow.half["paid"].open()
        first.err.until("goes on in this engine, which ends with it")
        first.out.until("paid one paid two")
        slow.half["other"].open()
        assert first.end() == 0
    assert items()["other"]["status"] == "succeeded"
    assert engine() == {}
