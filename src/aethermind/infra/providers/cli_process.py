"""One conversation with a program: it is told the prompt, and what it writes is read line by line.

Rules
- Deadlines are those of all model calls: `first_token` until it says anything at all, `idle` between two
  lines (not while one of its tools is at work: a test suite is silent for minutes), `total` over all.
- Once the end of the answer was seen, the answer stands: what goes wrong afterwards costs nothing. A program
  that does not leave by then is stopped.
- It is never waited for on behalf of what it left in the background: that is stopped with it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from aethermind.domain.errors import CommandError, ProviderError
from aethermind.engine.own_tools import ToolBegan, ToolEnded
from aethermind.engine.ports import ChatEvent, ChildOutput, Output, TextDelta
from aethermind.infra.children.dialog import Dialog
from aethermind.infra.providers import cli_failures as failures
from aethermind.infra.providers.cli_programs import Program
from aethermind.infra.providers.cli_reading import CliReader
from aethermind.infra.providers.deadlines import Deadlines
from aethermind.infra.providers.failures import Deadline, Peer, failure, malformed, missed_deadline

MAX_LINE = 16 << 20
MAX_OUTPUT = 512 << 20
MAX_TEXT = 4 << 20
"""Bytes of a line, of all that is written, and characters of an answer. What says more is stopped."""
LINGER_S = 1.0
"""After its end, for the rest of what it wrote."""
_TAIL_LINES, _TAIL_CHARS = 60, 8_000


class TalkingChildren(Protocol):
    """What `LocalChildren` can do."""

    def talk(
        self,
        argv: Sequence[str],
        *,
        cwd: str,
        env: Mapping[str, str],
        on_error: Output | None = None,
        polite: bool = True,
    ) -> AbstractAsyncContextManager[Dialog]: ...


class CliSession:
    """One start of a program."""

    def __init__(self, program: Program, peer: Peer, reader: CliReader, deadlines: Deadlines) -> None:
        self.reader = reader
        self.acted = False
        """It used tools, or may have."""
        self.open: dict[str, ToolBegan] = {}
        """Tools at work."""
        self._program = program
        self._peer = peer
        self._deadlines = deadlines
        self._stderr: deque[str] = deque(maxlen=_TAIL_LINES)
        self._noise: deque[str] = deque(maxlen=_TAIL_LINES)
        self._rest = bytearray()
        self._lines = 0
        self._text = 0
        self._bytes = 0

    @property
    def stderr(self) -> str:
        """The end of what it wrote on standard error, and on standard output besides its format."""
        return "\n".join([*self._noise, *self._stderr])[-_TAIL_CHARS:]

    async def run(
        self, children: TalkingChildren, argv: Sequence[str], cwd: str, env: Mapping[str, str], prompt: str
    ) -> AsyncGenerator[ChatEvent]:
        """Yields all but the end, which the reader has then. Raises `ProviderError`."""
        start = asyncio.get_running_loop().time()
        try:
            async with children.talk(argv, cwd=cwd, env=env, on_error=self._hear, polite=False) as dialog:
                telling = asyncio.create_task(_tell(dialog, prompt))
                ended = asyncio.create_task(dialog.exit_code())
                try:
                    async with contextlib.aclosing(self._listen(dialog, ended, start)) as events:
                        async for event in events:
                            yield event
                finally:
                    await _dropped(telling)
                    await _dropped(ended)
        except CommandError as error:
            raise failures.not_started(self._program, self._peer, error, cwd) from error

    async def _listen(
        self, dialog: Dialog, ended: asyncio.Task[int], start: float
    ) -> AsyncGenerator[ChatEvent]:
        loop = asyncio.get_running_loop()
        reading = asyncio.create_task(dialog.receive())
        last = start
        gone: float | None = None
        try:
            while True:
                limit, which = self._limit(start, last)
                if gone is not None:
                    limit = min(limit, gone + LINGER_S)
                both: set[asyncio.Task[bytes] | asyncio.Task[int]] = {reading}
                if gone is None:
                    both.add(ended)
                done, _ = await asyncio.wait(
                    both, timeout=max(0.0, limit - loop.time()), return_when=asyncio.FIRST_COMPLETED
                )
                if reading in done:
                    if not (data := reading.result()):
                        break
                    reading = asyncio.create_task(dialog.receive())
                    last = loop.time()
                    for event in self._take(data):
                        yield event
                elif ended in done:
                    gone = loop.time()
                elif self.reader.ended or gone is not None:
                    break
                else:
                    raise missed_deadline(self._peer, which, getattr(self._deadlines, f"{which}_ms"))
        finally:
            await _dropped(reading)
        if self._rest:
            for event in self._take(b"\n"):
                yield event
        self._conclude(await self._code(ended))

    async def _code(self, ended: asyncio.Task[int]) -> int:
        """Its exit code; 0 if it stays although it has said all."""
        patience = self._deadlines.tail_ms / 1_000
        done, _ = await asyncio.wait({ended}, timeout=patience)
        return ended.result() if done else 0

    def _limit(self, start: float, last: float) -> tuple[float, Deadline]:
        deadlines = self._deadlines
        if self.reader.ended:
            return last + deadlines.tail_ms / 1_000, "total"
        total = start + deadlines.total_ms / 1_000
        if not self._bytes:
            limit, which = start + deadlines.first_token_ms / 1_000, "first_token"
        elif self.open:
            return total, "total"
        else:
            limit, which = last + deadlines.idle_ms / 1_000, "idle"
        return (
            (limit, "first_token" if which == "first_token" else "idle")
            if limit < total
            else (total, "total")
        )

    def _take(self, data: bytes) -> Iterator[ChatEvent]:
        self._bytes += len(data)
        if self._bytes > MAX_OUTPUT:
            raise self._flood(f"more than {MAX_OUTPUT >> 20} MiB")
        self._rest += data
        if len(self._rest) > MAX_LINE and b"\n" not in data:
            raise self._flood(f"a line of more than {MAX_LINE >> 20} MiB")
        if b"\n" not in data:
            return
        whole, _, rest = bytes(self._rest).rpartition(b"\n")
        self._rest = bytearray(rest)
        for line in whole.split(b"\n"):
            yield from self._line(line)

    def _line(self, line: bytes) -> Iterator[ChatEvent]:
        if self._program.format != "text":
            line = line.strip()
            if not line:
                return
            if not line.startswith(b"{"):  # a notice of its runtime or of an update
                self._noise.append(line[:1_000].decode(errors="replace"))
                return
        self._lines += 1
        try:
            events = list(self.reader.feed(line))
        except Exception as error:
            if self.reader.ended:
                return
            what = "broken JSON" if isinstance(error, ValueError) else "a line of an unknown shape"
            raise malformed(self._peer, what, detail=line[:2_000].decode(errors="replace")) from error
        for event in events:
            match event:
                case ToolBegan(id=id_):
                    self.acted = True
                    self.open[id_] = event
                case ToolEnded(id=id_):
                    self.open.pop(id_, None)
                case TextDelta(text=text):
                    self._text += len(text)
                    self.acted = self.acted or self._program.opaque
                    if self._text > MAX_TEXT:
                        raise self._flood(f"an answer of more than {MAX_TEXT >> 20} Mi characters")
                case _:
                    pass
            yield event

    def _conclude(self, code: int) -> None:
        reader = self.reader
        if not reader.ended and code == 0 and not reader.complaint:
            reader.left()
        if not reader.ended:
            raise failures.ended(self._program, self._peer, code, reader.complaint, self.stderr, self._lines)
        if reader.complaint:
            raise failures.told(self._program, self._peer, reader.complaint, reader.code)

    def _flood(self, what: str) -> ProviderError:
        text = f"{self._program.label} wrote {what} and was stopped"
        return failure(self._peer, "malformed", text)

    def _hear(self, line: ChildOutput) -> None:
        if line.text.strip():
            self._stderr.append(line.text[:1_000])


async def _tell(dialog: Dialog, prompt: str) -> None:
    """A program that does not read is no error of ours: it says itself what it wants."""
    with contextlib.suppress(BrokenPipeError):
        if prompt:
            await dialog.send(prompt.encode("utf-8", "replace"))
    dialog.close()


async def _dropped(task: asyncio.Task[None] | asyncio.Task[int] | asyncio.Task[bytes]) -> None:
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.exception()  # it was asked for elsewhere, or does not matter any more
