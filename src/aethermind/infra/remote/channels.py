"""The channels of a `Mux` as streams, over the two pipes of a process."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from aethermind.infra.remote.lines import CHUNK, BrokenLine, Gone
from aethermind.infra.remote.mux import Credit, Data, Ended, Mux, MuxError, Opened, Reset

NOBODY = "nobody listens"
"""The reason of a channel that found no engine."""


class Channels:
    """One side of the pipes. `run` moves what comes until the pipe ends; then every channel is broken."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        opens: bool,
        opened: Callable[[Channel], None] | None = None,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._mux = Mux(opens=opens)
        self._opened = opened
        self._channels: dict[int, Channel] = {}
        self._broken: str | None = None

    @property
    def alive(self) -> bool:
        return self._broken is None

    async def run(self) -> None:
        """Until the other side closes its pipe or breaks the rules; never raises for that."""
        reason = "the connection ended"
        try:
            while data := await self._reader.read(CHUNK):
                for event in self._mux.receive(data):
                    self._take(event)
        except MuxError as error:
            reason = str(error)
        except OSError as error:
            reason = error.strerror or str(error)
        finally:
            self.break_off(reason)

    def _take(self, event: Opened | Data | Credit | Ended | Reset) -> None:
        if isinstance(event, Opened):
            channel = self._channels[event.channel] = Channel(self, event.channel)
            assert self._opened is not None
            self._opened(channel)
            return
        found = self._channels.get(event.channel)
        if found is not None:
            found.take(event)
            if isinstance(event, Ended | Reset):
                self._forget(event.channel)

    def break_off(self, reason: str) -> None:
        if self._broken is None:
            self._broken = reason
            for channel in list(self._channels.values()):
                channel.broke(reason)
            self._channels.clear()

    def open(self) -> Channel:
        """Raises `BrokenLine`."""
        if self._broken is not None:
            raise BrokenLine(self._broken)
        number, data = self._mux.open()
        channel = self._channels[number] = Channel(self, number)
        self._writer.write(data)
        return channel

    # --- for channels ----------------------------------------------------------------------------

    def room(self, number: int) -> int:
        return self._mux.room(number)

    async def send(self, number: int, data: bytes) -> None:
        self._put(self._mux.send(number, data))
        try:
            await self._writer.drain()
        except OSError as error:
            raise BrokenLine(error.strerror or str(error)) from error

    def read(self, number: int, size: int) -> None:
        self._put(self._mux.read(number, size))

    def end(self, number: int) -> None:
        self._put(self._mux.end(number))
        self._forget(number)

    def reset(self, number: int, reason: str) -> None:
        self._put(self._mux.reset(number, reason))
        self._forget(number)

    def _put(self, data: bytes) -> None:
        if data and self._broken is None:
            self._writer.write(data)

    def _forget(self, number: int) -> None:
        if not self._mux.is_open(number):
            self._channels.pop(number, None)


class Channel:
    """A `Stream`."""

    def __init__(self, channels: Channels, number: int) -> None:
        self._channels = channels
        self._number = number
        self._data: deque[bytes] = deque()
        self._ended = False
        self._reason: str | None = None
        self._news = asyncio.Event()

    async def read(self) -> bytes:
        while not self._data:
            if self._reason is not None:
                raise _broken(self._reason)
            if self._ended:
                return b""
            await self._wait()
        data = self._data.popleft()
        self._channels.read(self._number, len(data))
        return data

    async def write(self, data: bytes) -> None:
        while data:
            if self._reason is not None:
                raise _broken(self._reason)
            room = self._channels.room(self._number)
            if room:
                part, data = data[:room], data[room:]
                await self._channels.send(self._number, part)
            else:
                await self._wait()

    def end(self) -> None:
        """Nothing more is written."""
        self._channels.end(self._number)

    def close(self, reason: str = "") -> None:
        if self._reason is None:
            self._reason = reason or "closed"
            self._channels.reset(self._number, reason)
            self._news.set()

    async def _wait(self) -> None:
        self._news.clear()
        await self._news.wait()

    def take(self, event: Data | Credit | Ended | Reset) -> None:
        match event:
            case Data(data=data):
                self._data.append(data)
            case Ended():
                self._ended = True
            case Reset(reason=reason):
                self._reason = reason or "the connection was closed there"
            case Credit():
                pass
        self._news.set()

    def broke(self, reason: str) -> None:
        if self._reason is None:
            self._reason = reason
        self._news.set()


def _broken(reason: str) -> BrokenLine:
    return Gone("no engine runs there") if reason == NOBODY else BrokenLine(reason)
