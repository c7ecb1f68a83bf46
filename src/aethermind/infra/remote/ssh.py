"""A line through the system's `ssh`: one process, whatever is asked over it.

Rules
- `ssh` is OpenSSH's own, with the user's config, keys, agent and known hosts. Nothing listens anywhere and no
  key of ours exists.
- The first time it may ask the person on the terminal (a password, an unknown host); afterwards it never does
  (`BatchMode`): the screen is ours by then.
- A process that ends breaks all its streams; the next `dial` starts another one.
"""

from __future__ import annotations

import asyncio
import shlex
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress

from aethermind.domain.errors import BusyError
from aethermind.infra.remote.channels import Channels
from aethermind.infra.remote.lines import BrokenLine, Gone, Stream
from aethermind.infra.remote.mux import HELLO, VERSION
from aethermind.infra.remote.target import SshTarget

GREETING = 65_536
"""So many bytes may a host's shell print before our own program speaks."""
START_S = 60.0
"""For the login, the questions it may ask a person, and an engine that has to be started there."""
AGAIN_S = 20.0
ALIVE_S = 10
"""So often is the connection probed; three times without an answer, and it is dead."""
COMMAND = ("aethermind",)
_NOT_FOUND = 127
_OUT_OF_ORDER = 255
"""What `ssh` exits with when it, and not the command, failed."""


class SshLine:
    """See `Line`. All methods belong to one event loop."""

    compress = True

    def __init__(
        self,
        target: SshTarget,
        *,
        command: Sequence[str] = COMMAND,
        options: Sequence[str] = (),
        environ: Mapping[str, str] | None = None,
        may_ask: bool = False,
    ) -> None:
        """`command`: how `aethermind` is called on the host. `options`: more of `ssh`'s. `may_ask`: there is
        a person on this terminal, and the screen is not drawn yet."""
        self.target = target
        self.name = target.host
        self._command = tuple(command)
        self._options = tuple(options)
        self._environ = dict(environ) if environ is not None else None
        self._may_ask = may_ask
        self._begun = False
        """It has worked once."""
        self._link: _Link | None = None
        self._starting = asyncio.Lock()

    def argv(self, *, ask: bool) -> list[str]:
        """What is started. Nothing of the target can be read as an option, or by the host's shell."""
        target = self.target
        found = ["ssh", "-T", "-a", "-x"]
        found += ["-o", f"ServerAliveInterval={ALIVE_S}", "-o", "ClearAllForwardings=yes"]
        if not ask:
            found += ["-o", "BatchMode=yes"]
        found += self._options
        if target.user is not None:
            found += ["-l", target.user]
        if target.port is not None:
            found += ["-p", str(target.port)]
        return [*found, "--", target.host, _quoted([*self._command, "bridge"])]

    async def dial(self) -> Stream:
        async with self._starting:
            if self._link is None or not self._link.channels.alive:
                if self._link is not None:
                    await self._link.close()
                    self._link = None
                self._link = await self._connect()
        return self._link.channels.open()

    async def _connect(self) -> _Link:
        ask = self._may_ask and not self._begun
        try:
            link = await _Link.start(self, ask=ask)
        except FileNotFoundError as error:
            raise BusyError("there is no `ssh` here", hint="install OpenSSH's client") from error
        self._begun = True
        return link

    async def start(self, *, ask: bool) -> asyncio.subprocess.Process:
        argv = self.argv(ask=ask)
        if ask:
            # It keeps the terminal, to ask on it; Ctrl-C is meant for us, and it must outlive it.
            argv = ["/bin/sh", "-c", 'trap "" INT TSTP HUP; exec "$@"', "sh", *argv]
        return await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self._environ,
            start_new_session=not ask,
        )

    def failure(self, code: int, said: Sequence[str]) -> BrokenLine:
        """Why the process ended before the host's program spoke."""
        last = said[-1] if said else ""
        if code == _NOT_FOUND or "command not found" in last:
            return Gone(
                f"{self.name} finds no `{self._command[0]}`: name it in the config, "
                f'[hosts.{self.name}] command = "/path/to/aethermind"'
            )
        if code == _OUT_OF_ORDER:
            return BrokenLine(last.removeprefix("ssh: ") or "ssh failed")
        return BrokenLine(last.removeprefix("aethermind: ") or f"ssh ended with {code}")

    async def close(self) -> None:
        if self._link is not None:
            link, self._link = self._link, None
            await link.close()


def _quoted(command: Sequence[str]) -> str:
    """For the host's shell, which knows what `~/` is there."""
    first = command[0]
    home = "~/" if first.startswith("~/") else ""
    return home + shlex.join([first.removeprefix("~/") if home else first, *command[1:]])


class _Link:
    """One process of `ssh`, once the host's program has spoken."""

    def __init__(
        self, process: asyncio.subprocess.Process, channels: Channels, errors: asyncio.Task[None]
    ) -> None:
        self.channels = channels
        self._process = process
        self._errors = errors
        self._pump = asyncio.create_task(channels.run())

    @classmethod
    async def start(cls, line: SshLine, *, ask: bool) -> _Link:
        process = await line.start(ask=ask)
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        said: deque[str] = deque(maxlen=5)
        errors = asyncio.create_task(_listen(process.stderr, said))
        try:
            async with asyncio.timeout(START_S if ask else AGAIN_S):
                greeting = await _greeting(process.stdout)
                if greeting is None:
                    code = await process.wait()
                    await errors
                    raise line.failure(code, said)
        except BaseException as error:
            await _end(process, errors)
            if isinstance(error, TimeoutError):
                raise BrokenLine("no answer in time") from error
            raise
        if greeting != VERSION:
            await _end(process, errors)
            raise BusyError(
                f"the aethermind of {line.name} speaks another bridge: version {greeting}, not {VERSION}",
                hint="use the same version on both",
            )
        return cls(process, Channels(process.stdout, process.stdin, opens=True), errors)

    async def close(self) -> None:
        self.channels.break_off("closed")
        self._pump.cancel()
        await asyncio.gather(self._pump, return_exceptions=True)
        await _end(self._process, self._errors)


async def _greeting(stdout: asyncio.StreamReader) -> int | None:
    """The version that the host's program says; None if it never spoke."""
    seen = 0
    while seen < GREETING:
        try:
            line = await stdout.readline()
        except ValueError:  # a line as long as no program of ours would say
            return None
        if not line:
            return None
        seen += len(line)
        if line.startswith(HELLO) and (number := line[len(HELLO) :].strip()).isdigit():
            return int(number)
    return None


async def _listen(stderr: asyncio.StreamReader, said: deque[str]) -> None:
    while True:
        try:
            line = await stderr.readline()
        except ValueError:
            continue
        if not line:
            return
        if text := line.decode("utf-8", "replace").strip():
            said.append(text)


async def _end(process: asyncio.subprocess.Process, errors: asyncio.Task[None]) -> None:
    if process.stdin is not None and not process.stdin.transport.is_closing():
        process.stdin.transport.abort()
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(1):
            await _gone(process)
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await _gone(process)
    errors.cancel()
    await asyncio.gather(errors, return_exceptions=True)


async def _gone(process: asyncio.subprocess.Process) -> None:
    """Its end. `wait` alone waits for its pipes too: for ever, if one is full and nobody reads it."""
    while process.stdout is not None and await process.stdout.read(65_536):
        pass
    await process.wait()
