"""The tiny parent: it is made where it is wanted, and ends as its child ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from aethermind.cli import parent
from tests.e2e.waiting import PATIENCE, gone


@pytest.mark.parametrize(
    "typed, verb",
    [
        ([], None),
        (["--theme", "run"], None),
        (["run", "x"], "run"),
        (["--home", "serve", "--ascii", "resume"], "resume"),
        (["--env-file=run", "attach"], "attach"),
    ],
)
def test_the_verb_is_the_first_word_that_belongs_to_no_option(typed: list[str], verb: str | None) -> None:
    assert parent.verb(typed) == verb


@pytest.mark.parametrize(
    "typed, terminal, wanted",
    [
        ([], True, True),
        ([], False, False),
        (["run", "x"], True, True),
        (["run", "x"], False, False),
        (["run", "x", "--detach"], False, True),
        (["runs"], True, False),
        (["doctor", "--check"], True, False),
        (["run", "--help"], True, False),
    ],
)
def test_only_what_may_own_an_engine_has_a_parent(
    typed: list[str], terminal: bool, wanted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "isatty", lambda descriptor: terminal)
    assert parent.wanted(typed) is wanted


@pytest.mark.parametrize(
    "typed, screen", [([], True), (["attach", "x"], True), (["run", "--tui"], True), (["run"], False)]
)
def test_a_screen_begins_in_the_foreground(typed: list[str], screen: bool) -> None:
    assert parent.is_screen(typed) is screen


_BEGIN = """
import os, signal, sys
from aethermind.cli import parent
code = parent.split(screen=False)
if code is not None:
    sys.exit(code)
link = parent.link()
print(os.getpid(), flush=True)
"""


def split(child: str) -> subprocess.Popen[str]:
    """A process that splits; its child says its pid, then does this."""
    return subprocess.Popen(
        [sys.executable, "-c", _BEGIN + child],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.parametrize(
    "child, code",
    [
        ("sys.exit(5)", 5),
        ("os._exit(130)", 130),
        ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
        ("signal.signal(15, signal.SIG_DFL); os.kill(os.getpid(), 15)", -signal.SIGTERM),
    ],
)
def test_it_ends_as_its_child_ended(child: str, code: int) -> None:
    with split(child) as process:
        assert process.wait(PATIENCE) == code


def test_it_lets_the_shell_go_on_while_the_child_lives_on() -> None:
    with split("link.leave(3); link.leave(4); sys.stdin.read()") as process:
        pid = int(said(process))
        assert process.wait(PATIENCE) == 3
        os.kill(pid, 0)
        assert process.stdin is not None
        process.stdin.close()
        assert gone([pid], PATIENCE) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_what_is_sent_to_it_alone_it_passes_on(number: signal.Signals) -> None:
    child = f"""
signal.signal({int(number)}, lambda number, frame: sys.exit(40))
print("ready", flush=True)
while True:
    signal.pause()
"""
    with split(child) as process:
        said(process)
        assert said(process) == "ready"
        process.send_signal(number)
        assert process.wait(PATIENCE) == 40


def test_the_child_hears_of_its_death() -> None:
    with split("link.watch(lambda: os._exit(0))\nprint('ready', flush=True)\nsys.stdin.read()") as process:
        pid = int(said(process))
        assert said(process) == "ready"
        process.kill()
        process.wait(PATIENCE)
        assert gone([pid], PATIENCE) == []


def test_where_no_shell_could_wake_it_ctrl_z_stops_nobody() -> None:
    child = "link.watch(lambda: None)\nprint(link.stop(), link.in_foreground, flush=True)\nsys.exit(0)"
    with split(child) as process:
        said(process)
        assert said(process) == "True True"
        assert process.wait(PATIENCE) == 0
