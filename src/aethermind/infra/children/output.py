"""What a child writes: lines to show while it runs, and text to keep."""

from __future__ import annotations

import codecs
from collections import deque
from collections.abc import Iterator
from typing import Literal

from aethermind.infra.sanitize import clean

LINE_LIMIT = 64 * 1024
"""Bytes of UTF-8 in a line that is shown; a longer one is shown in pieces."""


class Kept:
    """The first or the last `limit` bytes of a stream."""

    def __init__(self, limit: int, keep: Literal["first", "last"]) -> None:
        self._limit = limit
        self._keep = keep
        self._parts: deque[bytes] = deque()
        self._size = 0
        self.truncated = False

    def add(self, data: bytes) -> None:
        if self._keep == "first":
            room = self._limit - self._size
            if len(data) > room:
                self.truncated = True
                data = data[:room]
        if data:
            self._parts.append(data)
            self._size += len(data)
        while self._size > self._limit:
            self.truncated = True
            over = self._size - self._limit
            oldest = self._parts.popleft()
            if len(oldest) > over:
                self._parts.appendleft(oldest[over:])
            self._size -= min(over, len(oldest))

    def bytes(self) -> bytes:
        return b"".join(self._parts)

    def text(self) -> str:
        """As UTF-8; what is not becomes U+FFFD, but a character that the limit cut in two is left out."""
        data = self.bytes()
        if self.truncated and self._keep == "last":
            data = data[_continuation(data) :]
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        return decoder.decode(data, final=not (self.truncated and self._keep == "first"))


class Lines:
    """Cuts a stream into clean lines. A carriage return ends a line as well: a progress display is then
    readable, and nothing is overwritten unseen."""

    def __init__(self, limit: int = LINE_LIMIT) -> None:
        self._limit = limit
        self._rest = b""
        self._after_return = False

    def add(self, data: bytes) -> Iterator[str]:
        if not data:
            return
        if self._after_return and data.startswith(b"\n"):
            self._after_return = False
            data = data[1:]
            if not data:
                return
        self._after_return = data.endswith(b"\r")
        lines = (self._rest + data).splitlines(keepends=True)
        self._rest = b"" if lines[-1].endswith((b"\n", b"\r")) else lines.pop()
        for line in lines:
            yield from self._pieces(line.rstrip(b"\r\n"))
        if len(self._rest) > self._limit:
            whole = len(self._rest) - len(self._rest) % self._limit
            cut = whole - _incomplete(self._rest[:whole])
            line, self._rest = self._rest[:cut], self._rest[cut:]
            yield from self._pieces(line)

    def end(self) -> Iterator[str]:
        """The last line, if nothing ended it."""
        line, self._rest = self._rest, b""
        if line:
            yield from self._pieces(line)

    def _pieces(self, line: bytes) -> Iterator[str]:
        text = clean(line.decode(errors="replace"))
        if len(text) * 4 <= self._limit or len(data := text.encode()) <= self._limit:
            yield text
            return
        while len(data) > self._limit:
            cut = self._limit - _incomplete(data[: self._limit])
            yield data[:cut].decode()
            data = data[cut:]
        yield data.decode()


def _continuation(data: bytes) -> int:
    """How many bytes at the start belong to a character that began before (at most 3)."""
    count = 0
    while count < 3 and count < len(data) and data[count] & 0xC0 == 0x80:
        count += 1
    return count


def _incomplete(data: bytes) -> int:
    """How many bytes at the end begin a character that does not end there (at most 3)."""
    for back in range(1, min(4, len(data) + 1)):
        byte = data[-back]
        if byte & 0xC0 != 0x80:
            needed = 4 if byte >= 0xF0 else 3 if byte >= 0xE0 else 2 if byte >= 0xC0 else 1
            return back if needed > back else 0
    return 0
