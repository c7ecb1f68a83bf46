"""The bench's side of the lives: orders to the host, what it says, and the kill."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

SILENCE_S = 60.0
"""A life that says nothing for so long hangs: that is a failure."""


@dataclass(frozen=True)
class Ack:
    seq: int
    type: str
    stream: str
    step: str


@dataclass
class Life:
    """What one life said. `code`: its exit code, negative for the signal that ended it."""

    failpoint: str
    began: float = field(default_factory=time.monotonic)
    pid: int = 0
    opened: int | None = None
    """The last seq there was when it opened the database."""
    first: float | None = None
    """Seconds from its birth to the first event that it committed."""
    acks: list[Ack] = field(default_factory=list)
    over: bool = False
    code: int | None = None


class Stuck(Exception):
    """A life that neither goes on nor ends."""


class Host:
    """`with Host(environment) as host:`; lives are had one after another."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment
        self._rest = b""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.crash.host"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            env=self._environment,
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()

    def live(
        self,
        directory: Path,
        *,
        failpoint: str = "",
        kill_after: float | None = None,
        leave_after: float | None = None,
        do: str = "live",
        home: str = "home",
    ) -> Life:
        """A life until it has ended, by the failpoint, by a kill so many seconds after its birth, or by
        itself (with `leave_after` that many seconds later, gracefully). Raises `Stuck`."""
        life = Life(failpoint)
        order = {
            "directory": str(directory),
            "home": home,
            "failpoint": failpoint,
            "do": do,
            "leave_after": leave_after,
        }
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        deadline = None if kill_after is None else life.began + kill_after
        heard = time.monotonic()
        while life.code is None:
            until = heard + SILENCE_S if deadline is None else deadline
            if self._read(life, max(0.0, until - time.monotonic())):
                heard = time.monotonic()
            elif deadline is None:
                _kill(life.pid)
                raise Stuck(f"life {life.pid} in {directory} (failpoint {failpoint!r})")
            if deadline is not None and time.monotonic() >= deadline and life.pid:
                deadline = None
                _kill(life.pid)
        return life

    def _read(self, life: Life, seconds: float) -> bool:
        """Take what it says within that time; False if it said nothing."""
        out = self._process.stdout
        assert out is not None
        if not select.select([out], [], [], seconds)[0]:
            return False
        chunk = os.read(out.fileno(), 65_536)
        if not chunk:
            raise Stuck("the host is gone")
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            _take(life, line.decode())
        return True


def _take(life: Life, line: str) -> None:
    word, *rest = line.split(" ")
    match word:
        case "life":
            life.pid = int(rest[0])
        case "open":
            life.opened = int(rest[0])
        case "ack":
            seq, type_, stream, step = rest
            life.acks.append(Ack(int(seq), type_, stream, step))
            if life.first is None:
                life.first = time.monotonic() - life.began
        case "over":
            life.over = True
        case "gone":
            life.code = int(rest[0])
        case _:
            raise ValueError(f"the host said {line!r}")


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
