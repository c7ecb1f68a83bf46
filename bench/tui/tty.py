"""A terminal for the bench: a pty, a thread that reads it and notes when what came, and a hand that types.

It answers what terminals are asked (where the cursor is), when it has got that far: so a slow line is slow in
both what it shows and what it says.
"""

from __future__ import annotations

import bisect
import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Self

import pyte

from bench.engine.contender import ROOT, environment

COLUMNS, ROWS = 120, 40
PATIENCE_S = 60.0
_WHERE = b"\x1b[6n"
_SLICE_S = 0.01
"""How finely a slow line is dealt out."""


class Chunk(NamedTuple):
    at: float
    """`time.perf_counter` when it was read."""
    data: bytes


class Tty:
    """Runs a program on a pty of its own. Leave the block to end it and everything it has started."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        columns: int = COLUMNS,
        rows: int = ROWS,
        bytes_per_s: int = 0,
        pass_fds: Sequence[int] = (),
        cwd: Path = ROOT,
        **environ: str,
    ) -> None:
        self.columns, self.rows = columns, rows
        self.bytes_per_s = bytes_per_s
        """How fast it takes what is written; 0: as fast as it comes."""
        self.chunks: list[Chunk] = []
        self.answers = True
        self._reading = threading.Event()
        self._reading.set()
        self._over = False
        self._came = threading.Condition()
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        told = environment(TERM="xterm-256color", COLORTERM="truecolor", TZ="UTC", **environ)
        self.began = time.perf_counter()
        self.process = subprocess.Popen(
            argv,
            cwd=cwd,
            env={key: value for key, value in told.items() if value},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            pass_fds=pass_fds,
            start_new_session=True,
        )
        os.close(slave)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    # --- reading -------------------------------------------------------------------------------

    def _read(self) -> None:
        credit, last = 0.0, time.perf_counter()
        tail = b""  # a question may come in two pieces
        while not self._over:
            self._reading.wait()
            if not select.select([self._master], [], [], 0.1)[0]:
                last = time.perf_counter()
                continue
            size = 65_536
            if self.bytes_per_s:
                now = time.perf_counter()
                credit = min(credit + (now - last) * self.bytes_per_s, self.bytes_per_s * 2 * _SLICE_S)
                last = now
                if credit < 1:
                    time.sleep(_SLICE_S)
                    continue
                size = int(credit)
            try:
                data = os.read(self._master, size)
            except OSError:
                data = b""
            if not data:
                break
            credit -= len(data)
            with self._came:
                self.chunks.append(Chunk(time.perf_counter(), data))
                self._came.notify_all()
            if self.answers:
                for _ in range((tail + data).count(_WHERE)):
                    self.type("\x1b[1;1R")
                tail = (tail + data)[-len(_WHERE) + 1 :]

    def stop_reading(self) -> None:
        """As a connection that is dead: from now on nothing is taken."""
        self._reading.clear()

    def go_on_reading(self) -> None:
        self._reading.set()

    @property
    def mark(self) -> int:
        """So many chunks have come."""
        return len(self.chunks)

    def taken(self, since: float) -> int:
        """Bytes that came after this moment."""
        first = bisect.bisect_left(self.chunks, since, key=lambda chunk: chunk.at)
        return sum(len(chunk.data) for chunk in self.chunks[first:])

    def raw(self, since: int = 0) -> bytes:
        return b"".join(chunk.data for chunk in self.chunks[since:])

    def until(self, so: Callable[[bytes], bool], *, since: int = 0, patience_s: float = PATIENCE_S) -> float:
        """When (on `perf_counter`) what came since that mark first was so. Raises `RuntimeError`."""
        end = time.perf_counter() + patience_s
        seen, at = bytearray(), since
        while True:
            with self._came:
                while at >= len(self.chunks):
                    left = end - time.perf_counter()
                    if left <= 0 or self.process.poll() is not None:
                        told = Picture(self.columns, self.rows)
                        told.take(self.chunks)
                        raise RuntimeError(f"it never came; on the screen is\n{told.text()}")
                    self._came.wait(min(left, 0.5))
                fresh = self.chunks[at:]
            for chunk in fresh:
                at += 1
                seen += chunk.data
                if so(bytes(seen)):
                    return chunk.at

    def settle(self, quiet_s: float = 0.4, *, patience_s: float = PATIENCE_S) -> float:
        """Wait until nothing has come for so long; returns when the last of it came."""
        end = time.perf_counter() + patience_s
        began = time.perf_counter()
        with self._came:
            while (now := time.perf_counter()) < end:
                last = max(self.chunks[-1].at if self.chunks else 0.0, began)
                if now - last >= quiet_s:
                    break
                self._came.wait(last + quiet_s - now)
        return self.chunks[-1].at if self.chunks else began

    # --- typing --------------------------------------------------------------------------------

    def type(self, keys: str) -> float:
        """Returns when."""
        now = time.perf_counter()
        with contextlib.suppress(OSError):
            os.write(self._master, keys.encode())
        return now

    # --- the process ---------------------------------------------------------------------------

    def cpu_s(self) -> float:
        """CPU seconds of the program and all that it has started, so far."""
        return sum(_cpu_s(pid) for pid in _family(self.process.pid))

    def close(self) -> None:
        self._over = True
        self._reading.set()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        os.close(self._master)


class Picture:
    """What is on the screen after these chunks."""

    def __init__(self, columns: int = COLUMNS, rows: int = ROWS) -> None:
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)

    def take(self, chunks: Sequence[Chunk]) -> None:
        for chunk in chunks:
            self._stream.feed(chunk.data)

    def first(self, chunks: Sequence[Chunk], so: Callable[[str], bool]) -> float | None:
        """When the screen first was so; None if it never was. All chunks are taken."""
        found = None
        for chunk in chunks:
            self._stream.feed(chunk.data)
            if found is None and so(self.text()):
                found = chunk.at
        return found

    def text(self) -> str:
        return "\n".join(self._screen.display)


def _family(pid: int) -> list[int]:
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in task.read_text().split():
                found += _family(int(child))
    return found


def _cpu_s(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def python(module: str, *arguments: object) -> list[str]:
    """`argv` of a program of the bench."""
    return [sys.executable, "-m", module, *map(str, arguments)]
