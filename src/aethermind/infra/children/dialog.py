"""A process that is spoken with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aethermind.infra.children.child import Child

_CHUNK = 64 * 1024


class Dialog:
    """Standard input and output of a running child. Neither side runs ahead: a `send` waits until the child
    has taken most of what was sent, and what nobody receives stays in the pipe."""

    def __init__(
        self, child: Child, reader: asyncio.StreamReader, writer: asyncio.WriteTransport, flow: _Flow
    ) -> None:
        self.pid = child.pid
        self._child = child
        self._reader = reader
        self._writer = writer
        self._flow = flow

    @classmethod
    async def begin(cls, child: Child, on_error: Callable[[bytes], None]) -> Dialog:
        """`on_error` gets the bytes of standard error, none at its end."""
        flow = _Flow()
        dialog = cls(child, await child.reader(child.stdout), await child.writer(flow), flow)
        reading = asyncio.gather(*[child.read(child.stderr, on_error)])
        child.reading = reading
        # What goes wrong there ends nothing: it is said beside.
        reading.add_done_callback(lambda done: done.cancelled() or done.exception())
        return dialog

    async def receive(self) -> bytes:
        """Some bytes; none once the child writes no more."""
        return await self._reader.read(_CHUNK)

    async def send(self, data: bytes) -> None:
        """Raises `BrokenPipeError` if the child takes no more."""
        if self._flow.lost or self._writer.is_closing():
            raise BrokenPipeError
        self._writer.write(data)
        await self._flow.room.wait()
        if self._flow.lost:
            raise BrokenPipeError

    async def exit_code(self) -> int:
        """How the child ended; negative: killed by that signal. Others may still write on its behalf."""
        await asyncio.wait({self._child.exited})
        return self._child.exited.result()

    def close(self) -> None:
        """Nothing more is said; what was said is still handed over."""
        if not self._writer.is_closing():
            self._writer.write_eof()


class _Flow(asyncio.BaseProtocol):
    """Whether the pipe takes more."""

    def __init__(self) -> None:
        self.room = asyncio.Event()
        self.room.set()
        self.lost = False

    def pause_writing(self) -> None:
        self.room.clear()

    def resume_writing(self) -> None:
        self.room.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self.room.set()
