"""The terminal is lost, or somebody asks the screen to leave: no run is lost, and the terminal comes back.

Where the terminal is lost, the shell is not kept waiting: the engine goes on by itself to the end of the run.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import COMMAND, aethermind, effects, gate
from tests.e2e.conftest import engines
from tests.e2e.shell import shell
from tests.e2e.terminal import Terminal, terminal
from tests.e2e.waiting import PATIENCE, gone, until


def last_run() -> dict[str, Any]:
    row: dict[str, Any] = json.loads(aethermind("runs", "--json").stdout)["items"][0]
    return row


def succeeded() -> bool:
    """The run ends by itself, and its engine soon after it."""
    return bool(until(lambda: last_run()["status"] == "succeeded", every=0.1))


@pytest.mark.parametrize("options", [["--tui"], []])
def test_a_lost_line_stops_no_run(options: list[str], tmp_path: Path) -> None:
    pipe, target = gate(tmp_path)
    with terminal("run", str(target), "--trust", *options, cwd=tmp_path) as screen:
        screen.shows("middle")
        with pipe.open("w") as middle:  # opens when that step has opened its end
            screen.hang_up()
            middle.write("two\n")
        assert screen.process.wait(PATIENCE) == 0
    assert succeeded()
    assert effects(tmp_path) == ["first", "middle", "last"]


def test_sighup_leaves_the_screen_and_stops_no_run(tmp_path: Path) -> None:
    pipe, target = gate(tmp_path)
    with terminal("run", str(target), "--trust", "--tui", cwd=tmp_path) as screen:
        screen.shows("middle")
        with pipe.open("w") as middle:
            screen.signal(signal.SIGHUP)
            screen.until(screen.is_restored, what="the terminal as it was")
            screen.signal(signal.SIGHUP)  # a shell and the kernel both send it
            middle.write("two\n")
        assert screen.end() == 0
    assert succeeded()
    assert effects(tmp_path) == ["first", "middle", "last"]


def test_sigterm_leaves_the_screen_as_ctrl_c_does(tmp_path: Path) -> None:
    pipe, target = gate(tmp_path)
    with terminal("run", str(target), "--trust", "--tui", cwd=tmp_path) as screen:
        screen.shows("middle")
        with pipe.open("w") as middle:
            screen.signal(signal.SIGTERM)
            screen.shows("what is under way may end")
            assert screen.is_restored()
            middle.write("two\n")
        screen.shows("is interrupted; to go on: aethermind resume r_")
        screen.end()
        assert screen.is_restored()
    assert last_run()["status"] == "interrupted"
    done = aethermind("resume", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "one two three\n")
    assert effects(tmp_path) == ["first", "middle", "last"]


def kill_its_parent(screen: Terminal, pids: list[int]) -> None:
    parents = {int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]) for pid in pids}
    (parent,) = parents & set(pids)
    os.kill(parent, signal.SIGKILL)


def close_the_window(screen: Terminal, pids: list[int]) -> None:
    screen.hang_up()


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="there is no /proc to find processes by")
@pytest.mark.parametrize("lose", [close_the_window, kill_its_parent])
def test_a_screen_where_nothing_runs_ends_with_its_terminal(
    lose: Callable[[Terminal, list[int]], None], tmp_path: Path
) -> None:
    with shell(tmp_path) as bash:
        bash.run("a")
        bash.shows("look around")
        pids = engines(os.environ["AETHERMIND_HOME"])
        assert len(pids) == 2
        lose(bash, pids)
        assert gone(pids, PATIENCE) == []


def test_a_terminal_that_ends_without_a_word_ends_its_screen() -> None:
    """Who does not have it as the controlling terminal gets no signal when it is closed."""
    master, slave = os.openpty()
    environ = os.environ | {"TERM": "xterm-256color", "LANG": "C.UTF-8"}
    with subprocess.Popen(
        COMMAND, stdin=slave, stdout=slave, stderr=slave, env=environ, start_new_session=True
    ) as process:
        os.close(slave)
        seen = b""
        while b"\x1b[?1049h" not in seen:
            seen += os.read(master, 65_536)
        os.close(master)
        assert process.wait(PATIENCE) == 0
    until(lambda: not engines(os.environ["AETHERMIND_HOME"]))
