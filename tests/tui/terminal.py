"""A terminal for tests: a pty, an emulator that draws what is written to it, and a hand that types."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import signal
import socket
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyte

HOST = Path(__file__).with_name("host.py")
PATIENCE_S = 30.0


class Terminal:
    """Runs `host.py` on a pty. What it writes is read only by `read`, so a test can leave it unread."""

    def __init__(self, columns: int = 120, rows: int = 36) -> None:
        self.screen = pyte.Screen(columns, rows)
        self.stream = pyte.ByteStream(self.screen)
        self.raw = bytearray()
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        mine, theirs = socket.socketpair()
        environ = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", "TZ": "UTC"}
        self.process = subprocess.Popen(
            [sys.executable, str(HOST), str(theirs.fileno())],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            pass_fds=(theirs.fileno(),),
            env=environ,
            start_new_session=True,
        )
        os.close(slave)
        theirs.close()
        self.channel = mine.makefile("rw")
        self._mine = mine
        mine.settimeout(PATIENCE_S)

    def ask(self, words: str = "beat") -> dict[str, Any]:
        """Say something to the program beside its terminal; returns what it tells."""
        self.channel.write(words + "\n")
        self.channel.flush()
        answer: dict[str, Any] = json.loads(self.channel.readline())
        return answer

    def type(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def read(self, timeout: float = 0.1) -> bool:
        """Take what the program has written; False if there was nothing."""
        ready, _, _ = select.select([self.master], [], [], timeout)
        if not ready:
            return False
        try:
            data = os.read(self.master, 65_536)
        except OSError:
            return False
        self.raw += data
        self.stream.feed(data)
        return bool(data)

    def until(self, seen: Callable[[], bool]) -> None:
        """Read until that is so."""
        end = time.monotonic() + PATIENCE_S
        while not seen():
            self.read()
            if time.monotonic() > end:
                raise AssertionError("it never came:\n" + self.text())

    def settle(self, quiet_s: float = 0.3) -> None:
        """Read until nothing more comes."""
        while self.read(quiet_s):
            pass

    def text(self) -> str:
        return "\n".join(self.screen.display)

    def close(self) -> None:
        self.channel.close()
        self._mine.close()
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE_S)
        os.close(self.master)
