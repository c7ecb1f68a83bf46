"""The app on a real terminal: what it writes, what it does when nobody reads, how it leaves."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.hostile import UNSAFE
from tests.tui.terminal import PATIENCE_S, Terminal


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    made = Terminal()
    try:
        made.until(lambda: "gather" in made.text() and "help" in made.text())
        yield made
    finally:
        made.close()


def ask_until(terminal: Terminal, so: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Ask, without reading the terminal, until the answer is so."""
    end = time.monotonic() + PATIENCE_S
    while not so(answer := terminal.ask()):
        assert time.monotonic() < end, answer
    return answer


def stuck(terminal: Terminal) -> dict[str, Any]:
    """Until the terminal has long taken nothing of what waits for it."""
    while True:
        terminal.type("zz")  # there and back: much to paint
        before = terminal.ask()
        goal = before["beats"] + 50
        after = ask_until(terminal, lambda a, goal=goal: a["beats"] > goal)  # type: ignore[misc]  # mypy can't infer it
        if before["busy"] and after["bytes"] == before["bytes"]:
            return after


def test_the_screen_arrives_whole(terminal: Terminal) -> None:
    terminal.settle()
    lines = terminal.screen.display
    assert lines[0].startswith(" AETHERMIND  research.yaml  r_8f21  ● RUNNING 01:42")
    assert lines[1].startswith("╭─ 1 Agents 5")
    assert "gave up after 3 tries" in terminal.text()
    assert lines[-1].rstrip().endswith("? help  q quit")


def test_keys_show_what_they_do(terminal: Terminal) -> None:
    terminal.type("jj")
    terminal.until(lambda: "research ▸ gather" in terminal.text())
    terminal.type("z")
    terminal.until(lambda: "1 Agents" not in terminal.text())


def test_an_idle_screen_writes_nothing(terminal: Terminal) -> None:
    terminal.settle(0.5)
    before = terminal.ask()
    after = ask_until(terminal, lambda a: a["beats"] > before["beats"] + 60)
    assert after["bytes"] == before["bytes"]


def test_nobody_reads_and_nobody_waits(terminal: Terminal) -> None:
    """With a terminal that takes nothing, the loop of the screen goes round and the engine works on; when
    it is read again, keys answer.
    """
    terminal.settle()
    terminal.ask("flood 2000")
    first = stuck(terminal)
    later = ask_until(terminal, lambda a: a["beats"] > first["beats"] + 200)
    assert later["made"] > first["made"]
    assert later["received"] > first["received"]  # the bridge goes on folding
    assert later["bytes"] == first["bytes"]
    terminal.type("z")
    waiting = ask_until(terminal, lambda a: a["beats"] > later["beats"] + 20)
    assert waiting["busy"]
    terminal.ask("flood 0")
    terminal.until(lambda: "1 Agents" not in terminal.text())
    terminal.settle()
    assert re.search(r"wave \d\d\d", terminal.text()) is None  # zoomed: the logs are away
    terminal.type("4z")
    terminal.until(lambda: f"wave {terminal.ask()['made'] - 1}" in terminal.text())


def test_hostile_logs_change_nothing_but_their_own_rows(terminal: Terminal) -> None:
    terminal.settle()
    before = terminal.screen.display[:24]
    begin = len(terminal.raw)
    terminal.ask("hostile")
    terminal.until(lambda: "FOLLOW  84" in terminal.text())
    terminal.settle()
    assert terminal.screen.display[1:24] == before[1:]
    terminal.type("4zg")
    terminal.until(lambda: "who was here" in terminal.text())
    for _ in range(4):
        terminal.type("\x04")
        terminal.settle()
    written = terminal.raw[begin:].decode()
    ours = re.compile(r"\x1b\[[0-9;:]*[mHrK]|\x1b\[\?\d+[hl]|\x1b\[2J")
    rest = ours.sub("", written).replace("\r\n", "").replace("\n", "").replace("\r", "")
    assert not UNSAFE.findall(rest)


def test_leaving_gives_the_terminal_back(terminal: Terminal) -> None:
    terminal.type("q")
    terminal.until(lambda: "still at work" in terminal.text())
    begin = time.monotonic()
    while terminal.process.poll() is None:  # a key that comes too soon after a question is no answer to it
        terminal.type("s")
        terminal.read()
        assert time.monotonic() < begin + PATIENCE_S
    terminal.settle()
    assert terminal.process.returncode == 0
    written = bytes(terminal.raw)
    for gives_back in (b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?2004l", b"\x1b[?1000l"):
        assert gives_back in written


def test_leaving_does_not_wait_for_a_terminal_that_nobody_reads(terminal: Terminal) -> None:
    terminal.settle()
    terminal.ask("flood 2000")
    stuck(terminal)
    terminal.ask("leave")
    assert terminal.process.wait(PATIENCE_S) == 0
