"""Byte streams to an engine, whatever lies between.

Rules
- A `Line` is a place that can be dialled any number of times; a `Stream` is one connection.
- What goes wrong on the way is `BrokenLine`, whoever noticed it; whether to try again is for the caller.
"""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from typing import Protocol

from aethermind import peers

CHUNK = 65_536
DIAL_S = 10.0


class BrokenLine(Exception):
    """No connection, or one that ended before it should. `str()` is the reason, for a person."""


class Gone(BrokenLine):
    """Nobody listens there: the engine has ended or was never begun."""


class NoAnswer(BrokenLine):
    """Somebody is there and says nothing."""


class Stream(Protocol):
    """One connection."""

    async def read(self) -> bytes:
        """Some bytes; empty at the end. Raises `BrokenLine`."""
        ...

    async def write(self, data: bytes) -> None:
        """All of it is on its way. Raises `BrokenLine`."""
        ...

    def close(self) -> None:
        """At once; idempotent."""
        ...


class Line(Protocol):
    """A place to connect to."""

    name: str
    """What a person calls it: `this machine`, `box`."""
    compress: bool
    """Whether bytes are dearer there than the work of compressing them."""

    async def dial(self) -> Stream:
        """A new connection. Raises `BrokenLine`."""
        ...

    async def close(self) -> None: ...


class SocketStream:
    """A connection of asyncio's."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read(self) -> bytes:
        try:
            return await self._reader.read(CHUNK)
        except (OSError, EOFError) as error:
            raise BrokenLine(_words(error)) from error

    async def write(self, data: bytes) -> None:
        try:
            self._writer.write(data)
            await self._writer.drain()
        except (OSError, RuntimeError) as error:
            raise BrokenLine(_words(error)) from error

    def end(self) -> None:
        """Nothing more is written; what comes is still read."""
        with suppress(OSError, RuntimeError):
            self._writer.write_eof()

    def close(self) -> None:
        with suppress(RuntimeError):  # the loop is gone, and with it the connection
            self._writer.transport.abort()


class UnixLine:
    """The socket of an engine on this machine; only one of the same user, or of root, is spoken to: what is
    sent there are definitions, prompts and values of the environment."""

    compress = False

    def __init__(self, path: str, *, name: str = "this machine") -> None:
        self.path = path
        self.name = name

    async def dial(self) -> Stream:
        try:
            async with asyncio.timeout(DIAL_S):
                reader, writer = await asyncio.open_unix_connection(self.path)
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise Gone("no engine listens there") from error
        except OSError as error:
            raise BrokenLine(_words(error)) from error
        stream = SocketStream(reader, writer)
        if not peers.is_own(writer.get_extra_info("socket")):
            stream.close()
            raise BrokenLine("another user listens there")
        return stream

    async def close(self) -> None:
        return None


class TcpLine:
    """An engine's TCP port; with `tls` the certificate is checked as the context says."""

    compress = True

    def __init__(self, host: str, port: int, *, tls: ssl.SSLContext | None = None) -> None:
        self.host = host
        self.port = port
        self.name = host
        self._tls = tls

    async def dial(self) -> Stream:
        try:
            async with asyncio.timeout(DIAL_S):
                return SocketStream(*await asyncio.open_connection(self.host, self.port, ssl=self._tls))
        except ConnectionRefusedError as error:
            raise Gone("nobody listens on that port") from error
        except (OSError, ssl.SSLError) as error:
            raise BrokenLine(_words(error)) from error

    async def close(self) -> None:
        return None


def _words(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
