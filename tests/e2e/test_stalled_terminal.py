"""A terminal, or a pipe, that nobody reads: the engine does not notice, and the screen catches up."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.program import COMMAND, aethermind
from tests.e2e.flood import Flood, Progress
from tests.e2e.terminal import Terminal, terminal
from tests.e2e.waiting import PATIENCE, until

only_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells and sets a pipe's size")
SLOWER = 3.0
"""Times that the engine may be slower in one stretch than in the other, on a machine that is busy with other
things. It would stand still, or crawl, if it waited for the terminal."""
ANSWER_S = 3.0
"""Seconds in which a key has to show: generous, against the 50 ms that the bench holds."""


@pytest.fixture
def flood(tmp_path: Path) -> Flood:
    return Flood(tmp_path)


def watched(screen: Terminal, flood: Flood, seconds: float) -> Progress:
    """Read the terminal for that long."""
    end = time.monotonic() + seconds
    screen.until(lambda: time.monotonic() >= end)
    return flood.progress()


def at_full_speed(stalled: tuple[float, float], undisturbed: tuple[float, float]) -> bool:
    return all(one * SLOWER >= other for one, other in zip(stalled, undisturbed, strict=True))


def test_a_screen_that_nobody_reads(flood: Flood) -> None:
    with terminal(
        "run", "flood.yaml", "--trust", "--tui", cwd=flood.directory, columns=100, lines=30
    ) as screen:
        screen.shows("of the noise that")
        screen.until(flood.flows)
        first = flood.progress()
        second = watched(screen, flood, 1.5)

        third = flood.goes_on(6)  # nothing is read meanwhile
        assert at_full_speed(third.since(second), second.since(first))

        # Keys that were typed unseen have worked, and new ones do.
        screen.type("?")
        screen.shows("Help", seconds=ANSWER_S)
        screen.type("\x1b")
        screen.until(lambda: "Help" not in screen.text, seconds=ANSWER_S, what="the end of the help")
        # What is shown is what happens now, not what happened during the stall.
        newest = third.noise

        def is_new() -> bool:
            shown = [int(row.split("line ")[1].split()[0]) for row in screen.rows if "of the noise" in row]
            return bool(shown) and min(shown) >= newest

        screen.until(is_new, what="the newest lines")
        flood.stop()
        screen.shows("SUCCEEDED")
        assert screen.leave() == 0
    (row,) = json.loads(aethermind("runs", "--json").stdout)["items"]
    assert row["status"] == "succeeded"


@contextlib.contextmanager
def unread(*arguments: str, cwd: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The program, with a small pipe for stderr that nobody reads, and the pipe's other end."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4_096)
    process = subprocess.Popen(
        [*COMMAND, *arguments], cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=writer
    )
    os.close(writer)
    try:
        yield process, reader
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(PATIENCE)
        assert process.stdout is not None
        process.stdout.close()
        os.close(reader)


def waiting_in(pipe: int) -> int:
    """Bytes that nobody has read."""
    found: int = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4))[0]
    return found


def is_full(pipe: int) -> bool:
    return waiting_in(pipe) >= 4_096 - 256


@only_linux
def test_a_pipe_that_nobody_reads(flood: Flood) -> None:
    with unread("run", "flood.yaml", "--trust", cwd=flood.directory) as (process, pipe):
        until(lambda: process.poll() is not None or (flood.flows() and is_full(pipe)))
        first = flood.progress()
        second = flood.goes_on(3)
        assert is_full(pipe)

        told = bytearray()

        def read() -> None:
            while data := os.read(pipe, 65_536):
                told.extend(data)

        reading = threading.Thread(target=read)
        reading.start()
        third = flood.goes_on(1.5)
        assert at_full_speed(second.since(first), third.since(second))
        flood.stop()
        assert process.stdout is not None
        assert process.stdout.read() == b"over\n"
        assert process.wait(PATIENCE) == 0
        reading.join(PATIENCE)
    lines = told.decode().splitlines()
    assert "succeeded in" in lines[-1]
    assert sum("more log lines: aethermind logs" in line for line in lines) >= 1  # a flood is summed up
    assert sum("of the noise" in line for line in lines) < third.noise / 2


@only_linux
def test_ctrl_c_works_while_nobody_reads(flood: Flood) -> None:
    with unread("run", "flood.yaml", "--trust", cwd=flood.directory) as (process, pipe):
        until(lambda: process.poll() is not None or (flood.flows() and is_full(pipe)))
        before = time.monotonic()

        def left() -> bool:
            process.send_signal(signal.SIGINT)
            return process.poll() is not None

        until(left, every=0.02)  # somebody hammers it
        assert process.returncode == 130
        assert time.monotonic() - before < 10
        assert b"defect" not in os.read(pipe, 65_536)
    assert not Path(os.environ["AETHERMIND_HOME"], "debug.log").exists()
    (row,) = json.loads(aethermind("runs", "--json").stdout)["items"]
    assert row["status"] == "interrupted"


@only_linux
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_is_enough_while_nobody_reads(number: signal.Signals, flood: Flood) -> None:
    with unread("run", "flood.yaml", "--trust", cwd=flood.directory) as (process, pipe):
        until(lambda: process.poll() is not None or (flood.flows() and is_full(pipe)))
        process.send_signal(number)
        flood.stop()
        assert process.wait(PATIENCE) == 130
        assert is_full(pipe)
    assert not Path(os.environ["AETHERMIND_HOME"], "debug.log").exists()
    (row,) = json.loads(aethermind("runs", "--json").stdout)["items"]
    assert row["status"] in {"interrupted", "succeeded"}
