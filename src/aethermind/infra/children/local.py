"""The adapter of the port `Children` for processes on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from typing import IO, Any, Literal

from aethermind import failpoints
from aethermind.domain.errors import CommandError, ErrorInfo
from aethermind.engine.ports import ChildOutput, CommandResult, Output
from aethermind.engine.surroundings import surroundings
from aethermind.infra.children import python, watchdog
from aethermind.infra.children.census import Census
from aethermind.infra.children.child import Child, spawn
from aethermind.infra.children.dialog import Dialog
from aethermind.infra.children.failures import could_not_start
from aethermind.infra.children.guard import Guard
from aethermind.infra.children.output import Kept, Lines
from aethermind.wire import encode_json

_POLL = 0.02
_POLL_MOST = 0.25
_UNKILLABLE = 5.0
"""Seconds after SIGKILL before a process in the kernel's hands is given up."""


@dataclass(frozen=True, slots=True)
class _Ended:
    """A child's end: all it wrote, and its exit code."""

    stdout: Kept
    stderr: Kept
    answer: Kept
    exit_code: int


class LocalChildren:
    """Children of one engine, for one event loop (in any thread).

    `grace`: seconds between SIGTERM and SIGKILL. `linger`: seconds in which what a program leaves in the
    background may go on writing after the program's own end; then it is stopped. `output_limit`: bytes
    that are kept of standard output (its first), standard error (its last) and a Python value.
    `owner`: a word that all engines on the same data share and no other engine has (letters and digits);
    with it `settle` finds what an earlier engine left. `environment`: the engine's (default: `os.environ`).
    """

    def __init__(
        self,
        *,
        grace: float = 5.0,
        linger: float = 1.0,
        output_limit: int = 10 * 1024 * 1024,
        owner: str = "",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._grace = grace
        self._linger = linger
        self._output_limit = output_limit
        self._environment = os.environ if environment is None else environment
        self._owner = owner
        self.mark = f"{owner}.{secrets.token_hex(16)}."
        """What the marks of this engine's children begin with (see `survivors`)."""
        self._numbers = count(1)
        self._guard = Guard(self.mark)
        self._census = Census(self._guard.since)
        self._spawner = ThreadPoolExecutor(max_workers=2, thread_name_prefix="spawn")
        self._live: set[Child] = set()
        self._working: set[asyncio.Future[None]] = set()
        self._closing = False

    async def run(
        self,
        argv: Sequence[str],
        *,
        cwd: str,
        env: Mapping[str, str],
        stdin: str | None,
        on_output: Output | None = None,
    ) -> CommandResult:
        data = None if stdin is None else stdin.encode()
        ended = await self._execute(argv, cwd, env, data, on_output, answer=False)
        return CommandResult(
            stdout=ended.stdout.text(),
            stderr=ended.stderr.text(),
            exit_code=ended.exit_code,
            truncated=ended.stdout.truncated or ended.stderr.truncated,
        )

    async def call_python(
        self,
        target: str,
        arguments: Mapping[str, Any],
        *,
        interpreter: str,
        cwd: str,
        env: Mapping[str, str],
        on_output: Output | None = None,
        mode: python.Mode = "call",
    ) -> Any:
        argv = [interpreter, python.RUNNER, mode, target]
        ended = await self._execute(argv, cwd, env, encode_json(arguments), on_output, answer=True)
        return python.value_of(
            target,
            ended.answer.bytes(),
            truncated=ended.answer.truncated,
            exit_code=ended.exit_code,
            stderr=ended.stderr.text(),
        )

    @contextlib.asynccontextmanager
    async def talk(
        self,
        argv: Sequence[str],
        *,
        cwd: str,
        env: Mapping[str, str],
        on_error: Output | None = None,
        polite: bool = True,
    ) -> AsyncIterator[Dialog]:
        """A program to speak with through its standard input and output; `on_error` hears the lines of its
        standard error. On leaving its input is closed, and if it does not end within `grace` (not `polite`:
        at once), it is stopped. Raises `CommandError` as `run`."""
        if self._closing:
            raise _closed()
        async with self._child(argv, cwd, env, stdin=True, answer=False) as (child, _):
            dialog = await Dialog.begin(child, _Listener(Kept(0, "last"), "stderr", on_error))
            try:
                yield dialog
            finally:
                dialog.close()
                if cancelled := await _until_done(asyncio.ensure_future(self._leave(child, polite=polite))):
                    raise cancelled

    async def _leave(self, child: Child, *, polite: bool) -> None:
        await asyncio.wait({child.exited}, timeout=self._grace if polite and not self._closing else 0)
        await self._stop(child)

    async def settle(self, patience: float = 2.0) -> int:
        """Make sure that no child of an earlier engine of this owner is alive: its watchdog has `patience`
        seconds, then they are killed. Returns how many had to be. To be called, by who owns the data,
        before anything is tried again."""
        if not self._owner:
            return 0
        loop = asyncio.get_running_loop()
        deadline = loop.time() + patience
        killed: set[tuple[int, int]] = set()
        while left := await asyncio.to_thread(survivors, f"{self._owner}.", but=self.mark):
            if loop.time() > deadline + _UNKILLABLE:
                break
            if loop.time() > deadline:
                for process in left:
                    watchdog.send(process, signal.SIGKILL)
                killed |= {(process.pid, process.start) for process in left}
            await asyncio.sleep(_POLL)
        return len(killed)

    async def close(self) -> None:
        """Stop all children, and what earlier ones left behind; `run` and `call_python` in flight raise
        `CommandError` (kind `cancelled`)."""
        self._closing = True
        await asyncio.gather(*(self._stop(child) for child in self._live))
        if self._working:
            await asyncio.wait(self._working)
        await asyncio.to_thread(self._guard.close)
        self._spawner.shutdown(wait=False)

    async def _execute(
        self,
        argv: Sequence[str],
        cwd: str,
        env: Mapping[str, str],
        stdin: bytes | None,
        on_output: Output | None,
        *,
        answer: bool,
    ) -> _Ended:
        if self._closing:
            raise _closed()
        work = asyncio.get_running_loop().create_future()
        self._working.add(work)
        try:
            async with self._child(argv, cwd, env, stdin=stdin is not None, answer=answer) as (
                child,
                answers,
            ):
                ended = await self._follow(child, stdin, on_output, answers)
            if self._closing:
                raise _closed()
            return ended
        finally:
            self._working.discard(work)
            work.set_result(None)

    @contextlib.asynccontextmanager
    async def _child(
        self, argv: Sequence[str], cwd: str, env: Mapping[str, str], *, stdin: bool, answer: bool
    ) -> AsyncIterator[tuple[Child, IO[bytes] | None]]:
        """A child from its birth on; whatever is raised inside goes on when the child has been stopped."""
        mark = f"{self.mark}{next(self._numbers):08x}"
        # On a thread: it takes milliseconds, and much longer on a slow disk.
        birth = asyncio.get_running_loop().run_in_executor(
            self._spawner, self._spawn, argv, cwd, self._environ(env, mark), stdin, answer
        )
        cancelled = await _until_done(birth)
        process, answers = birth.result()
        child = Child(process, mark)
        self._live.add(child)
        try:
            if cancelled:
                raise cancelled
            yield child, answers
        except BaseException as error:
            stop = asyncio.create_task(self._stop(child))
            if cancelled := await _until_done(stop):
                raise cancelled from error
            stop.result()
            raise
        finally:
            self._live.discard(child)
            child.release()
            if answers is not None:
                answers.close()
            self._guard.unregister(child.pid)
            if failpoints.armed:
                failpoints.reached("child.ended")

    def _spawn(
        self, argv: Sequence[str], cwd: str, env: Mapping[str, str], stdin: bool, answer: bool
    ) -> tuple[subprocess.Popen[bytes], IO[bytes] | None]:
        """Start a child that the watchdog knows. Raises `CommandError`."""
        try:
            self._guard.ensure()
        except OSError as error:
            message = f"no child can be started: its watchdog cannot ({error.strerror})"
            raise CommandError(ErrorInfo(kind="internal", message=message)) from error
        try:
            process, answers = spawn(argv, cwd=cwd, env=env, stdin=stdin, answer=answer)
        except (OSError, ValueError, IndexError) as error:
            raise could_not_start(error, argv, cwd) from error
        if failpoints.armed:
            failpoints.reached("child.spawned")
        self._guard.register(process.pid, watchdog.start_of(process.pid))
        return process, answers

    def _environ(self, env: Mapping[str, str], mark: str) -> dict[str, str]:
        inherited = surroundings(self._environment)
        outer = self._environment.get(watchdog.MARK)
        marks = f"{mark},{outer}" if outer else mark
        return {"PATH": os.defpath, **inherited, **env, watchdog.MARK: marks}

    async def _follow(
        self, child: Child, stdin: bytes | None, on_output: Output | None, answers: IO[bytes] | None
    ) -> _Ended:
        """Feed and read a child until it and all that it left in its group have ended."""
        loop = asyncio.get_running_loop()
        stdout, stderr = Kept(self._output_limit, "first"), Kept(self._output_limit, "last")
        answer = Kept(self._output_limit, "first")
        readers = [
            child.read(child.stdout, _Listener(stdout, "stdout", on_output)),
            child.read(child.stderr, _Listener(stderr, "stderr", on_output)),
        ]
        if answers is not None:
            readers.append(child.read(answers, _Listener(answer, "stdout", None)))
        reading = asyncio.gather(*readers)
        child.reading = reading
        # Its error has been raised by then, or gave way to another one.
        reading.add_done_callback(lambda done: done.cancelled() or done.exception())
        if stdin is not None:
            await child.write(stdin)
        either: set[asyncio.Future[Any]] = {child.exited, reading}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if reading.done():
            reading.result()  # what a callback raised ends the child
        await asyncio.wait({child.exited})
        deadline = loop.time() + self._linger
        pause = _POLL
        await asyncio.wait({reading}, timeout=self._linger)
        while (lingering := await self._lingers(child)) and loop.time() < deadline:
            await asyncio.sleep(pause)
            pause = min(pause * 2, _POLL_MOST)
        if lingering or not reading.done():
            await self._stop(child)
            # Those who held the pipes are dead now.
            await asyncio.wait({reading}, timeout=_POLL_MOST)
        if reading.done():
            reading.result()
        return _Ended(stdout=stdout, stderr=stderr, answer=answer, exit_code=child.exited.result())

    async def _lingers(self, child: Child) -> bool:
        """Whether a child that has ended left somebody in its session. Who began a session of his own may
        stay until the engine goes."""
        return not child.group_is_empty() and any(
            child.pid in {process.group, process.session} for process in await self._family(child)
        )

    async def _stop(self, child: Child) -> None:
        """SIGTERM, `grace`, SIGKILL, for the child and everything that descends from it; returns when all
        of it is gone."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._grace
        pause = _POLL
        try:
            family = await self._family(child)  # before its head dies and leaves orphans
            asked = {process.pid for process in family}
            for process in family:
                if process.group != child.pid or child.exited.done():
                    watchdog.send(process, signal.SIGTERM)
            child.signal_group(signal.SIGTERM)
            child.signal_group(signal.SIGCONT)  # a stopped process does not hear SIGTERM
            await asyncio.wait({child.exited}, timeout=self._grace)
            while loop.time() < deadline and (family := await self._family(child)):
                for process in family:  # once each: a second SIGTERM often means "at once"
                    if process.pid not in asked:
                        asked.add(process.pid)
                        watchdog.send(process, signal.SIGTERM)
                await asyncio.sleep(min(pause, max(0.0, deadline - loop.time())))
                pause = min(pause * 2, _POLL_MOST)
        finally:
            child.signal_group(signal.SIGKILL)
        deadline = loop.time() + _UNKILLABLE
        while (left := await self._family(child)) and loop.time() < deadline:
            for process in left:
                watchdog.send(process, signal.SIGKILL)
            await asyncio.sleep(_POLL)
        await asyncio.wait({child.exited}, timeout=max(0.0, deadline - loop.time()))

    async def _family(self, child: Child) -> list[watchdog.Process]:
        family = watchdog.family(await self._census.take(), child.mark, child.family)
        child.family |= {process.pid: process.start for process in family}
        return family


class _Listener:
    """Keeps what a stream brings and hands its lines on."""

    def __init__(self, kept: Kept, stream: Literal["stdout", "stderr"], on_output: Output | None) -> None:
        self._kept = kept
        self._stream: Literal["stdout", "stderr"] = stream
        self._on_output = on_output
        self._lines = Lines()

    def __call__(self, data: bytes) -> None:
        """Take the next bytes; none means the end."""
        self._kept.add(data)
        if self._on_output is not None:
            for text in self._lines.add(data) if data else self._lines.end():
                self._on_output(ChildOutput(stream=self._stream, text=text))


def survivors(mark: str, *, but: str = "") -> list[watchdog.Process]:
    """Living processes that bear a mark beginning with `mark`, and none beginning with `but`."""
    return [
        process
        for process in watchdog.processes()
        if process.pid != os.getpid() and process.bears(mark) and not (but and process.bears(but))
    ]


async def _until_done(future: asyncio.Future[Any]) -> asyncio.CancelledError | None:
    """Wait for what must not be left half done; returns the cancellation that came meanwhile."""
    cancelled = None
    while not future.done():
        try:
            await asyncio.wait({future})
        except asyncio.CancelledError as error:
            cancelled = error
    return cancelled


def _closed() -> CommandError:
    return CommandError(ErrorInfo(kind="cancelled", message="stopped, because the engine is closing"))
