"""The program on a real pseudo-terminal with an emulated screen.

Nothing is read but by `until` and `read`: a test that calls neither is a terminal that nobody reads.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pyte

from tests.cli.program import COMMAND
from tests.e2e.waiting import PATIENCE

T = TypeVar("T")

# The terminal becomes the controlling one of a session of its own, as under a shell: ^C is then a signal.
_LOGIN = (
    "import fcntl, os, sys, termios\n"
    "os.setsid()\n"
    "fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
    "os.execv(sys.argv[1], sys.argv[1:])\n"
)
# Private forms of CSI that pyte takes for text.
_UNKNOWN_TO_PYTE = re.compile(rb"\x1b\[[<>=][0-9;:]*[a-zA-Z]|\x1b\[\?[0-9;]*\$p")

_CUT = re.compile(rb"\x1b(\[[<>=?]?[0-9;:$]*)?\Z")


class Terminal:
    def __init__(self, process: subprocess.Popen[bytes], master: int, columns: int, lines: int) -> None:
        self.process = process
        self.raw = bytearray()
        """All bytes that the program has written to the terminal and that were read."""
        self._master = master
        self.modes_before = termios.tcgetattr(master)
        self._screen = pyte.Screen(columns, lines)
        self._feed = pyte.ByteStream(self._screen).feed
        self._cut = b""

    @property
    def rows(self) -> list[str]:
        return [row.rstrip() for row in self._screen.display]

    @property
    def before_cursor(self) -> str:
        """What stands in its row before the cursor."""
        cursor = self._screen.cursor
        return self._screen.display[cursor.y][: cursor.x]

    @property
    def text(self) -> str:
        return "\n".join(self.rows)

    def looks(self, row: int, column: int) -> Any:
        """The cell there: `.data`, `.fg`, `.bg`, `.reverse`, …"""
        return self._screen.buffer[row][column]

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def read(self, seconds: float) -> bool:
        """Take what the program writes now, if it writes something within that time."""
        if not select.select([self._master], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self._master, 65_536)
        except OSError:  # nobody has the other end any more
            return False
        self.raw += data
        self._show(data)
        return bool(data)

    def _show(self, data: bytes) -> None:
        data = _UNKNOWN_TO_PYTE.sub(b"", self._cut + data)
        cut = _CUT.search(data)  # a sequence that goes on in the next read
        self._cut = cut[0] if cut is not None else b""
        self._feed(data.removesuffix(self._cut))

    def until(self, look: Callable[[], T | None], *, seconds: float = PATIENCE, what: str = "") -> T:
        """Read until there is something; gives it."""
        deadline = time.monotonic() + seconds
        while not (found := look()):
            over = not self.read(0.02) and self.process.poll() is not None and not look()
            if over or time.monotonic() > deadline:
                raise AssertionError(f"{what or 'it'} did not come within {seconds:g} s:\n{self.text}")
        return found

    def shows(self, *words: str, seconds: float = PATIENCE) -> str:
        """Read until one row has all these words; the row."""

        def look() -> str | None:
            return next((row for row in self.rows if all(word in row for word in words)), None)

        return self.until(look, seconds=seconds, what=" ".join(words))

    def is_restored(self) -> bool:
        """Whether the program has left the terminal as it was: echo, lines, screen, cursor, mouse, paste."""
        switched = dict(re.findall(rb"\x1b\[\?(1049|25|7|1000|1003|1006|1004|2004)([hl])", bytes(self.raw)))
        usual = {b"25": b"h", b"7": b"h"}
        return self.modes_before == termios.tcgetattr(self._master) and all(
            state == usual.get(mode, b"l") for mode, state in switched.items()
        )

    def press(self, keys: str, look: Callable[[], T | None], *, what: str = "") -> T:
        """Type this, again after a second if there is nothing yet: what comes up by itself, a card at a run's
        end, does not hear keys that were typed for what was there before.
        """
        typed = -1.0

        def again() -> T | None:
            nonlocal typed
            found = look()
            if not found and time.monotonic() - typed > 1 and self.process.poll() is None:
                typed = time.monotonic()
                self.type(keys)
            return found

        return self.until(again, what=what)

    def leave(self) -> int:
        """Press q; the exit code."""
        self.press("q", lambda: self.process.poll() is not None, what="the end")
        return self.end()

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def hang_up(self) -> None:
        """The window is closed, the line is lost."""
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, self._master)
        os.close(nothing)

    def end(self, seconds: float = PATIENCE) -> int:
        """Read to the program's end; its exit code."""
        self.until(lambda: self.process.poll() is not None, seconds=seconds, what="the end")
        while self.read(0):
            pass
        return self.process.returncode


@contextlib.contextmanager
def terminal(
    *arguments: str,
    cwd: Path | None = None,
    columns: int = 120,
    lines: int = 36,
    command: Sequence[str] = COMMAND,
    made: type[Terminal] = Terminal,
) -> Iterator[Terminal]:
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _LOGIN, *command, *arguments],
        cwd=cwd,
        env=os.environ | {"TERM": "xterm-256color", "LANG": "C.UTF-8"},
        stdin=slave,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    try:
        yield made(process, master, columns, lines)
    finally:
        if process.poll() is None:
            for pid in _children(process.pid):  # an engine outlives its parent
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.kill()
        process.wait(PATIENCE)
        os.close(master)


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
