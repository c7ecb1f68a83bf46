"""The two ends of an SSH line, with pipes in place of ssh."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from aethermind.infra.remote.bridge import _pipes, relay
from aethermind.infra.remote.channels import Channels
from aethermind.infra.remote.lines import BrokenLine, Gone
from aethermind.infra.remote.mux import HELLO, VERSION, WINDOW

PATIENCE = 20


@asynccontextmanager
async def bridged(socket: Path | None) -> AsyncIterator[Channels]:
    to_host, from_host = os.pipe(), os.pipe()
    relaying = asyncio.create_task(relay(lambda: socket, stdin=to_host[0], stdout=from_host[1]))
    reader, writer = await _pipes(from_host[0], to_host[1])
    assert await reader.readline() == b"\n"
    assert await reader.readline() == HELLO + str(VERSION).encode() + b"\n"
    channels = Channels(reader, writer, opens=True)
    pump = asyncio.create_task(channels.run())
    try:
        yield channels
    finally:
        writer.transport.abort()
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(relaying, pump)


@asynccontextmanager
async def echo(path: Path) -> AsyncIterator[None]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
            writer.write(b"the end")
            writer.write_eof()
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_unix_server(serve, path)
    try:
        yield
    finally:
        server.close()
        await server.wait_closed()


async def test_each_channel_is_a_connection_of_its_own(short_tmp: Path) -> None:
    path = short_tmp / "s"
    async with asyncio.timeout(PATIENCE), echo(path), bridged(path) as channels:

        async def talk(n: int) -> bytes:
            channel = channels.open()
            sent = bytes([n]) * (WINDOW * 2 + n)

            async def write() -> None:
                await channel.write(sent)
                channel.end()

            writing = asyncio.create_task(write())
            came = bytearray()
            while data := await channel.read():
                came += data
            await writing
            assert came == sent + b"the end"
            return bytes(came[:1])

        assert await asyncio.gather(*(talk(n) for n in range(8))) == [bytes([n]) for n in range(8)]


async def test_a_stalled_channel_blocks_no_other(short_tmp: Path) -> None:
    path = short_tmp / "s"
    async with asyncio.timeout(PATIENCE), echo(path), bridged(path) as channels:
        stalled = channels.open()
        filling = asyncio.create_task(stalled.write(b"x" * WINDOW * 40))  # never read: both ways fill up
        other = channels.open()
        for n in range(50):
            await other.write(b"%d" % n)
            assert await other.read() == b"%d" % n
        assert not filling.done()
        stalled.close()
        with pytest.raises(BrokenLine):
            await filling


async def test_a_host_without_an_engine_says_so(short_tmp: Path) -> None:
    for place in (None, short_tmp / "nobody"):
        async with asyncio.timeout(PATIENCE), bridged(place) as channels:
            with pytest.raises(Gone, match="no engine runs there"):
                await channels.open().read()


async def test_when_the_pipe_ends_every_channel_is_broken(short_tmp: Path) -> None:
    path = short_tmp / "s"
    async with asyncio.timeout(PATIENCE), echo(path):
        async with bridged(path) as channels:
            channel = channels.open()
            await channel.write(b"hello")
            assert await channel.read() == b"hello"
            reading = asyncio.create_task(channel.read())
        with pytest.raises(BrokenLine):
            await reading
        assert not channels.alive
        with pytest.raises(BrokenLine):
            channels.open()
