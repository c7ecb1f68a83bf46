"""Several byte streams over one pair of pipes. Sans-I/O: bytes in give events, what is to be sent comes out
as bytes.

    frame    kind (1 byte) · channel (4) · length (4), then so many bytes
    OPEN     a new channel; its number is the opener's to choose, and is never used again
    DATA     at most CHUNK bytes
    CREDIT   so many more bytes may be sent on this channel (a 4-byte number)
    END      nothing more comes on this channel; the other direction goes on
    RESET    the channel is over, at once; the bytes are the reason

Rules
- A side may send WINDOW bytes on a channel, and then as many as the other side's CREDIT allows. So a channel
  that nobody reads holds a bounded buffer and blocks no other.
- A channel is over when both sides have sent END, or one RESET. What comes for it afterwards is dropped: it
  was under way.
- What breaks these rules ends the connection (`MuxError`): there is no way back into step.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

WINDOW = 256 * 1024
CHUNK = 16 * 1024
LARGEST = 64 * 1024
MOST_CHANNELS = 64
"""At once; a client needs a handful."""
VERSION = 1
HELLO = b"aethermind-bridge "
"""Begins the line that the host's side says first, whatever its shell printed before; the version follows."""

OPEN, DATA, CREDIT, END, RESET = range(1, 6)
_HEADER = struct.Struct("!BII")
_NUMBER = struct.Struct("!I")


class MuxError(Exception):
    """What came is no frame, or breaks the rules."""


@dataclass(frozen=True)
class Opened:
    channel: int


@dataclass(frozen=True)
class Data:
    channel: int
    data: bytes


@dataclass(frozen=True)
class Credit:
    """More may be sent."""

    channel: int


@dataclass(frozen=True)
class Ended:
    channel: int


@dataclass(frozen=True)
class Reset:
    channel: int
    reason: str


Event = Opened | Data | Credit | Ended | Reset


class _Channel:
    def __init__(self) -> None:
        self.room = WINDOW
        """Bytes that may be sent."""
        self.owed = 0
        """Bytes that were read and not yet given credit for."""
        self.unread = 0
        """Bytes that came and have not been read."""
        self.ended_here = False
        self.ended_there = False


class Mux:
    """One side. `opens`: it opens channels; the other side waits for them."""

    def __init__(self, *, opens: bool) -> None:
        self._opens = opens
        self._channels: dict[int, _Channel] = {}
        self._next = 1
        self._last_opened = 0
        self._buffer = bytearray()

    # --- what this side does: each gives the bytes to send ---------------------------------------

    def open(self) -> tuple[int, bytes]:
        if not self._opens:
            raise MuxError("this side opens no channels")
        channel, self._next = self._next, self._next + 1
        self._channels[channel] = _Channel()
        return channel, _frame(OPEN, channel)

    def room(self, channel: int) -> int:
        """So many bytes may be sent now."""
        found = self._channels.get(channel)
        return 0 if found is None else found.room

    def is_open(self, channel: int) -> bool:
        return channel in self._channels

    def send(self, channel: int, data: bytes) -> bytes:
        """At most `room` bytes."""
        found = self._channels[channel]
        if len(data) > found.room or found.ended_here:
            raise MuxError("more was sent than there is room for")
        found.room -= len(data)
        return b"".join(_frame(DATA, channel, data[n : n + CHUNK]) for n in range(0, len(data), CHUNK))

    def read(self, channel: int, size: int) -> bytes:
        """So many of the bytes that came have been taken."""
        found = self._channels.get(channel)
        if found is None:
            return b""
        found.unread -= size
        found.owed += size
        if found.owed < WINDOW // 4 or found.ended_there:
            return b""
        owed, found.owed = found.owed, 0
        return _frame(CREDIT, channel, _NUMBER.pack(owed))

    def end(self, channel: int) -> bytes:
        """Nothing more is sent on it. Idempotent."""
        found = self._channels.get(channel)
        if found is None or found.ended_here:
            return b""
        found.ended_here = True
        if found.ended_there:
            del self._channels[channel]
        return _frame(END, channel)

    def reset(self, channel: int, reason: str = "") -> bytes:
        """It is over. Idempotent."""
        if self._channels.pop(channel, None) is None:
            return b""
        return _frame(RESET, channel, reason.encode()[:1_000])

    # --- what the other side did ---------------------------------------------------------------------

    def receive(self, data: bytes) -> list[Event]:
        """Take in bytes, cut anywhere. Raises `MuxError`."""
        buffer = self._buffer
        buffer += data
        found: list[Event] = []
        start = 0
        while len(buffer) - start >= _HEADER.size:
            kind, channel, length = _HEADER.unpack_from(buffer, start)
            if length > LARGEST or not OPEN <= kind <= RESET:
                raise MuxError("what came is no frame")
            end = start + _HEADER.size + length
            if len(buffer) < end:
                break
            event = self._frame(kind, channel, bytes(buffer[start + _HEADER.size : end]))
            if event is not None:
                found.append(event)
            start = end
        del buffer[:start]
        return found

    def _frame(self, kind: int, channel: int, data: bytes) -> Event | None:
        if kind == OPEN:
            if self._opens or channel <= self._last_opened or len(self._channels) >= MOST_CHANNELS:
                raise MuxError("a channel that may not be opened")
            self._last_opened = channel
            self._channels[channel] = _Channel()
            return Opened(channel)
        found = self._channels.get(channel)
        if found is None:
            if channel > max(self._last_opened, self._next - 1):
                raise MuxError("a channel that was never opened")
            return None  # under way when it ended
        match kind:
            case _ if kind == DATA:
                found.unread += len(data)
                if found.unread + found.owed > WINDOW or found.ended_there:
                    raise MuxError("more came than there was room for")
                return Data(channel, data)
            case _ if kind == CREDIT:
                if len(data) != _NUMBER.size:
                    raise MuxError("what came is no credit")
                found.room += _NUMBER.unpack(data)[0]
                if found.room > WINDOW:
                    raise MuxError("more credit than the window is wide")
                return Credit(channel)
            case _ if kind == END:
                found.ended_there = True
                if found.ended_here:
                    del self._channels[channel]
                return Ended(channel)
            case _:
                del self._channels[channel]
                return Reset(channel, data.decode("utf-8", "replace"))


def _frame(kind: int, channel: int, data: bytes = b"") -> bytes:
    return _HEADER.pack(kind, channel, len(data)) + data
