"""The engine's side of the watchdog."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading

from aethermind.infra.children import watchdog


class Guard:
    """Starts the watchdog before the first child, tells it of each, and replaces it if it was killed.

    The methods block for milliseconds and may be called from any thread.
    """

    def __init__(self, mark: str, *, python: str = sys.executable) -> None:
        self._mark = mark
        self._python = python
        self._since = watchdog.start_of(os.getpid())
        self._lock = threading.Lock()
        self._watchdog: subprocess.Popen[bytes] | None = None
        self._registered: dict[int, int] = {}

    @property
    def since(self) -> int:
        """No child is older than this (clock ticks since boot)."""
        return self._since

    @property
    def pid(self) -> int | None:
        """The watchdog's, if there is one."""
        return self._watchdog.pid if self._watchdog else None

    def ensure(self) -> None:
        """Have a living watchdog. Raises `OSError` if it cannot be started: then no child may be."""
        with self._lock:
            if self._watchdog is None or self._watchdog.poll() is not None:
                self._start()

    def register(self, pid: int, start: int) -> None:
        with self._lock:
            self._registered[pid] = start
            self._tell(f"+{pid} {start}\n")

    def unregister(self, pid: int) -> None:
        with self._lock:
            if self._registered.pop(pid, None) is not None:
                self._tell(f"-{pid}\n")

    def close(self) -> None:
        """Have everything killed that still bears the engine's mark, and the watchdog end."""
        with self._lock:
            process, self._watchdog = self._watchdog, None
            self._registered.clear()
            if process is None:
                return
            assert process.stdin is not None
            with contextlib.suppress(OSError):
                os.write(process.stdin.fileno(), b"q\n")
            process.stdin.close()
            process.wait()

    def _tell(self, line: str) -> None:
        """A dead watchdog, or one that was stopped until its pipe was full, is replaced; the new one is
        told everything."""
        assert self._watchdog is not None
        assert self._watchdog.stdin is not None
        try:
            os.write(self._watchdog.stdin.fileno(), line.encode())
        except OSError:
            self._start()

    def _start(self) -> None:
        if self._watchdog is not None:
            assert self._watchdog.stdin is not None
            self._watchdog.kill()  # before its pipe closes, or it would take that for the engine's death
            self._watchdog.wait()
            self._watchdog.stdin.close()
            self._watchdog = None
        process = subprocess.Popen(
            [self._python, "-I", "-S", watchdog.__file__, self._mark, str(self._since)],
            bufsize=0,
            cwd="/",
            env={},  # without a mark: the engine of an engine must not take it for a child
            start_new_session=True,  # out of reach of the terminal's signals
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        assert process.stdin is not None
        known = "".join(f"+{pid} {start}\n" for pid, start in self._registered.items())
        process.stdin.write(known.encode())
        os.set_blocking(process.stdin.fileno(), False)
        self._watchdog = process
