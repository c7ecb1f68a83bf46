"""The program while it runs: its streams are read by threads, so that nothing it prints can block it, and a
test can wait for any line with a deadline.
"""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from tests.cli.program import COMMAND
from tests.e2e.waiting import PATIENCE, until

TRACEBACK = "Traceback (most recent call last)"


class Stream:
    """The lines of one stream so far."""

    def __init__(self, file: IO[str]) -> None:
        self.lines: list[str] = []
        self._file = file
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self) -> None:
        with self._file:
            for line in self._file:
                self.lines.append(line)

    @property
    def text(self) -> str:
        return "".join(self.lines)

    def until(self, *words: str, seconds: float = PATIENCE) -> str:
        """The first line that has all these words."""
        return self.find(lambda line: all(word in line for word in words), words, seconds)

    def event(self, event: str, seconds: float = PATIENCE, **data: Any) -> dict[str, Any]:
        """The first event of `--json` of this type with these values in its data."""

        def fits(line: str) -> bool:
            found = json.loads(line)
            return bool(found.get("type") == event and data.items() <= found["data"].items())

        found: dict[str, Any] = json.loads(self.find(fits, (event, data), seconds))
        return found

    def find(self, fits: Callable[[str], bool], what: object, seconds: float) -> str:
        seen = 0

        def look() -> str | None:
            nonlocal seen
            while seen < len(self.lines):
                seen += 1
                if fits(self.lines[seen - 1]):
                    return self.lines[seen - 1]
            return None

        return until(look, seconds=seconds, what=lambda: f"{what} in {self.text[-3_000:]!r}")


class Running:
    """`with running("run", …) as started:`; killed at the end if it still runs."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        assert process.stderr is not None
        self.process = process
        self.pid = process.pid
        self.out = Stream(process.stdout)
        self.err = Stream(process.stderr)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        """kill -9, and wait for its end."""
        self.process.kill()
        self.process.wait(PATIENCE)

    def end(self, seconds: float = PATIENCE) -> int:
        """Wait for its end; the exit code. All it printed is then in `out` and `err`."""
        code = self.process.wait(seconds)
        for stream in (self.out, self.err):
            stream.thread.join(PATIENCE)
            assert TRACEBACK not in stream.text, stream.text
        return code


@contextlib.contextmanager
def running(*arguments: str, cwd: Path | None = None) -> Iterator[Running]:
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    started = Running(process)
    try:
        yield started
    finally:
        if process.poll() is None:
            started.kill()
        for stream in (started.out, started.err):
            stream.thread.join(PATIENCE)
