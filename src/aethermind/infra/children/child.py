"""One spawned process: its birth, its pipes, its exit."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import IO

from aethermind.infra.children.watchdog import start_of

_CHUNK = 16 * 1024
"""Bytes that are worked on before other work of the loop gets its turn."""


def spawn(
    argv: Sequence[str], *, cwd: str, env: Mapping[str, str], stdin: bool, answer: bool
) -> tuple[subprocess.Popen[bytes], IO[bytes] | None]:
    """Start a program in a session of its own; blocks until it runs or is known not to.

    `answer`: open one more pipe to write on, and append its number to the arguments; the reading end is
    returned. Raises `OSError` or `ValueError`.
    """
    read_end, write_end = os.pipe() if answer else (None, None)
    try:
        process = subprocess.Popen(
            [*argv, str(write_end)] if answer else list(argv),
            bufsize=0,
            cwd=cwd,
            env=dict(env),
            pass_fds=() if write_end is None else (write_end,),
            start_new_session=True,
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    except BaseException:
        if read_end is not None:
            os.close(read_end)
        raise
    finally:
        if write_end is not None:
            os.close(write_end)
    return process, None if read_end is None else os.fdopen(read_end, "rb", buffering=0)


class Child:
    """A running process, seen from the engine's event loop (which need not be the main thread's).

    Its end is noticed through a pidfd or, where there is none, by a waiting thread: asyncio's own watchers
    want the main thread or a particular loop.
    """

    def __init__(self, process: subprocess.Popen[bytes], mark: str) -> None:
        self.pid = process.pid
        self.mark = mark
        self.family = {process.pid: start_of(process.pid)}
        """It and those of its descendants that have been seen: pid → start time."""
        self.exited: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        """The exit code; negative: killed by that signal. Wait for it with `asyncio.wait`, which does not
        cancel it."""
        self.reading: asyncio.Future[list[None]] | None = None
        """All the reading of its pipes."""
        self._process = process
        self._transports: list[asyncio.BaseTransport] = []
        self._unwatch: Callable[[], None] = lambda: None
        self._watch()

    def signal_group(self, number: int) -> None:
        """Signal the process group. Only while the process has not been waited for is its number surely
        still its own; afterwards this does nothing."""
        if self._process.returncode is None:
            with contextlib.suppress(OSError):
                os.killpg(self.pid, number)

    def group_is_empty(self) -> bool:
        """Whether nobody is left in the group of a process that has ended, not even a zombie."""
        try:
            os.killpg(self.pid, 0)
        except ProcessLookupError:
            return True
        except OSError:
            return False
        return False

    async def write(self, data: bytes) -> None:
        """Feed standard input and end it, in the background. A child that does not read is no error."""
        transport = await self.writer(asyncio.BaseProtocol())
        transport.write(data)
        transport.write_eof()

    async def writer(self, protocol: asyncio.BaseProtocol) -> asyncio.WriteTransport:
        """Standard input, to be written to as `protocol` says."""
        assert self._process.stdin is not None
        loop = asyncio.get_running_loop()
        transport, _ = await loop.connect_write_pipe(lambda: protocol, self._process.stdin)
        self._transports.append(transport)
        return transport

    async def read(self, pipe: IO[bytes], take: Callable[[bytes], None]) -> None:
        """Hand a pipe's bytes to `take` until its end, which is handed on as no bytes."""
        reader = await self.reader(pipe)
        while data := await reader.read(_CHUNK):
            take(data)
            await asyncio.sleep(0)
        take(b"")

    async def reader(self, pipe: IO[bytes]) -> asyncio.StreamReader:
        """A pipe, to be read in one's own time."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=_CHUNK)
        transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
        self._transports.append(transport)
        return reader

    @property
    def stdout(self) -> IO[bytes]:
        assert self._process.stdout is not None
        return self._process.stdout

    @property
    def stderr(self) -> IO[bytes]:
        assert self._process.stderr is not None
        return self._process.stderr

    def release(self) -> None:
        """End the reading and close the pipes."""
        if self.reading is not None:
            self.reading.cancel()
        for transport in self._transports:
            if transport.is_closing():
                continue
            if isinstance(transport, asyncio.WriteTransport):
                transport.abort()  # a close would wait until everything is written
            else:
                transport.close()
        for pipe in (self._process.stdin, self.stdout, self.stderr):
            if pipe is not None:
                pipe.close()
        self._unwatch()

    def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            fd = os.pidfd_open(self.pid)
        except (AttributeError, OSError):  # macOS; an old kernel, a sandbox
            threading.Thread(target=self._wait, args=(loop,), name=f"wait-{self.pid}", daemon=True).start()
            return

        def unwatch() -> None:
            self._unwatch = lambda: None
            loop.remove_reader(fd)
            os.close(fd)

        def ended() -> None:
            unwatch()
            self._ended(self._process.wait())

        self._unwatch = unwatch
        loop.add_reader(fd, ended)

    def _wait(self, loop: asyncio.AbstractEventLoop) -> None:
        code = self._process.wait()
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(self._ended, code)

    def _ended(self, code: int) -> None:
        if not self.exited.done():
            self.exited.set_result(code)


def signal_name(number: int) -> str:
    """`SIGKILL`, or `signal 64`."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
