"""The program on a real terminal: a pty whose screen a terminal emulator keeps."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pyte
import pytest

from tests.cli.program import COMMAND, PATIENCE, gate, quick
from tests.hostile import HOSTILE

ROWS, COLUMNS = 24, 80
OURS = re.compile(r"\x1b\[[\d;]*[mABCDGHJK]|\x1b\[\?(?:25|2026)[hl]|[\r\n\t]")
"""What we send to a terminal of ourselves: colours, cursor, clearing."""
STRANGE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]")


OWN_TERMINAL = (
    "import fcntl, os, sys, termios\n"
    "fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"  # Ctrl-C comes from the terminal that controls the session
    "os.execv(sys.argv[1], sys.argv[1:])\n"
)


class Terminal:
    """A program on a pty. `screen` is what a person sees; `raw` every byte that was sent."""

    def __init__(self, *arguments: str, cwd: Path) -> None:
        self.screen = pyte.HistoryScreen(COLUMNS, ROWS, history=2_000)
        self._stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self.fd, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self._process = subprocess.Popen(
            [sys.executable, "-c", OWN_TERMINAL, *COMMAND, *arguments],
            cwd=cwd,
            env=os.environ | {"TERM": "xterm-256color", "LANG": "C.UTF-8"},
            stdin=inner,
            stdout=inner,
            stderr=inner,
            start_new_session=True,
        )
        os.close(inner)

    def read(self, *, until: str | None = None, gone: bool = False) -> None:
        """Feed the screen until it shows this text, or no longer does (None: until the program ends)."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if until is not None and (until in self.text()) is not gone:
                return
            ready, _, _ = select.select([self.fd], [], [], 1.0)
            if not ready:
                continue
            try:
                data = os.read(self.fd, 65_536)
            except OSError:  # the other end is closed
                data = b""
            if not data:
                assert until is None, f"{until!r} never came:\n{self.text()}"
                return
            self.raw += data
            self._stream.feed(data)
        raise AssertionError(f"nothing within {PATIENCE} s:\n{self.text()}")

    def type(self, text: str) -> None:
        os.write(self.fd, text.encode())

    def text(self) -> str:
        """What was shown, what has scrolled away included."""
        gone = ["".join(line[i].data for i in range(COLUMNS)) for line in self.screen.history.top]
        return "\n".join(line.rstrip() for line in [*gone, *self.screen.display])

    def end(self, code: int = 0) -> None:
        """Read to the end, which has to be this one."""
        self.read()
        found = self._process.wait(timeout=PATIENCE)
        os.close(self.fd)
        assert "Traceback" not in self.text()
        assert found == code, self.text()

    def strange(self) -> set[str]:
        """Characters that a terminal or an eye would take for something else, and not ours."""
        return set(STRANGE.findall(OURS.sub("", self.raw.decode())))


def test_the_tree_grows_in_place_and_the_end_tells_what_to_type_next(tmp_path: Path) -> None:
    sample = quick("research-brief", tmp_path, faster=10)
    terminal = Terminal("run", str(sample), "--sim", cwd=tmp_path)
    terminal.read(until="● findings")
    terminal.end()
    shown = terminal.text()
    for words in ("├ ✓ findings  4/4", "✓ write", "Reading a tide table", "✓ succeeded in", "sim: notional"):
        assert words in shown
    assert re.search(r"next: aethermind show r_\w+ · aethermind logs r_\w+", shown)
    assert shown.count("✓ analyze") == 1  # redrawn in place, not repeated
    assert not terminal.screen.cursor.hidden
    assert terminal.strange() == set()


def test_plain_lines_on_a_terminal(tmp_path: Path) -> None:
    (tmp_path / "two.yaml").write_text(
        "name: two\nsteps: [{id: a, value: 1}, {id: b, value: [x]}]\noutputs: {a: '{{ a }}', b: '{{ b }}'}\n"
    )
    terminal = Terminal("run", "two.yaml", "--plain", cwd=tmp_path)
    terminal.end()
    shown = terminal.text()
    assert "● a  started" in shown
    assert "a:\n1\n\nb:\n[" in shown  # several outputs: named blocks for a person


def test_missing_inputs_and_trust_are_asked_for(tmp_path: Path) -> None:
    (tmp_path / "ask.yaml").write_text(
        "name: ask\ninputs: {who: string}\nsteps: [{id: a, run: [echo, '{{ inputs.who }}']}]\n"
        "outputs: {a: '{{ a }}'}\n"
    )
    terminal = Terminal("run", "ask.yaml", cwd=tmp_path)
    terminal.read(until="who:")
    terminal.type("Ada\n")
    terminal.read(until="[y/N]")
    terminal.type("y\n")
    terminal.end()
    assert terminal.text().count("Ada") >= 2


def test_a_broken_file_is_shown_with_its_line_and_a_caret(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("name: bad\nsteps:\n  - {id: a, vlaue: 1}\n")
    terminal = Terminal("run", "bad.yaml", cwd=tmp_path)
    terminal.end(2)
    lines = [line for line in terminal.text().splitlines() if line]
    assert lines[0].startswith("bad.yaml:3:13: unknown key `vlaue`")
    assert lines[-2] == "    - {id: a, vlaue: 1}"
    assert lines[-1].index("^") == lines[-2].index("vlaue")


def test_ctrl_c_leaves_the_terminal_as_it_was(tmp_path: Path) -> None:
    _, target = gate(tmp_path)
    terminal = Terminal("run", str(target), "--trust", cwd=tmp_path)
    terminal.read(until="● middle")
    terminal.type("\x03")
    terminal.read(until="stopping: ")
    terminal.type("\x03")
    terminal.end(130)
    assert "stopped at once" in terminal.text()
    assert not terminal.screen.cursor.hidden


@pytest.mark.parametrize("options", [[], ["--plain"]], ids=["tree", "plain"])
def test_nothing_that_a_run_says_acts_on_the_terminal(options: list[str], tmp_path: Path) -> None:
    (tmp_path / "said.py").write_text(
        "from tests.hostile import HOSTILE\n"
        "def speak():\n"
        "    for text in HOSTILE:\n"
        "        print(text.encode('utf-8', 'replace').decode(), flush=True)\n"
        "    return {'all': [t.encode('utf-8', 'replace').decode() for t in HOSTILE]}\n"
        "def fail():\n"
        "    raise ValueError('\\x1b]52;c;cm0gLXJmIH4K\\x07\\u202e ' + HOSTILE[0])\n"
    )
    (tmp_path / "said.yaml").write_text(
        "name: said\nsteps:\n"
        "  - {id: speak, python: 'said:speak', env: {PYTHONPATH: " + str(Path.cwd()) + "}}\n"
        "  - {id: oops, python: 'said:fail', env: {PYTHONPATH: " + str(Path.cwd()) + "}, on_error: continue, "
        "depends_on: [speak]}\n"
        "outputs: {all: '{{ speak }}', more: '{{ oops }}'}\n"
    )
    terminal = Terminal("run", "said.yaml", "--trust", *options, cwd=tmp_path)
    terminal.end()
    assert len(HOSTILE) > 50
    assert terminal.strange() == set()
    for command in ("show", "logs"):
        looking = Terminal(command, "last", cwd=tmp_path)
        looking.end()
        assert looking.strange() == set()


def test_without_arguments_the_screen_opens_and_q_leaves_it(tmp_path: Path) -> None:
    terminal = Terminal(cwd=tmp_path)
    terminal.read(until="Welcome to Aethermind")
    terminal.type("\x1b")
    terminal.read(until="Welcome to Aethermind", gone=True)
    terminal.type("q")
    terminal.end()


def test_a_run_can_be_watched_in_the_screen(tmp_path: Path) -> None:
    sample = quick("research-brief", tmp_path)
    terminal = Terminal("run", str(sample), "--sim", "--tui", cwd=tmp_path)
    terminal.read(until="esc back to the run")
    shown = Terminal("show", "last", cwd=tmp_path)  # another terminal looks on
    shown.end()
    assert "✓ succeeded" in shown.text()
    terminal.type("\x1b")
    terminal.read(until="esc back to the run", gone=True)
    terminal.type("q")
    terminal.end()
