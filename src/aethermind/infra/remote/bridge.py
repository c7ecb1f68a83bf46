"""The host's side of an SSH line: what comes over stdin goes to the engine's socket, its answers to stdout.

`ssh host aethermind bridge` runs it. It says one line first, so that the other side can tell its frames from
what the host's shell may have printed before, and ends with its stdin.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from aethermind.infra.remote.channels import NOBODY, Channel, Channels
from aethermind.infra.remote.lines import BrokenLine, Gone, SocketStream, Stream, UnixLine
from aethermind.infra.remote.mux import HELLO, VERSION


async def relay(socket: Callable[[], Path | None], *, stdin: int, stdout: int) -> None:
    """Until stdin ends. `socket`: where the engine listens just now, None if nowhere. The two descriptors are
    this function's from now on."""
    reader, writer = await _pipes(stdin, stdout)
    writer.write(b"\n" + HELLO + str(VERSION).encode() + b"\n")
    tasks: set[asyncio.Task[None]] = set()

    def opened(channel: Channel) -> None:
        task = asyncio.create_task(_serve(channel, socket))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    try:
        await Channels(reader, writer, opens=False, opened=opened).run()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if not writer.transport.is_closing():
            writer.transport.abort()


async def _pipes(stdin: int, stdout: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await loop.connect_read_pipe(lambda: protocol, os.fdopen(stdin, "rb", buffering=0))
    transport, flow = await loop.connect_write_pipe(
        lambda: asyncio.StreamReaderProtocol(asyncio.StreamReader()), os.fdopen(stdout, "wb", buffering=0)
    )
    return reader, asyncio.StreamWriter(transport, flow, None, loop)


async def _serve(channel: Channel, socket: Callable[[], Path | None]) -> None:
    place = socket()
    try:
        if place is None:
            raise Gone(NOBODY)
        stream = await UnixLine(str(place)).dial()
    except Gone:
        channel.close(NOBODY)
        return
    except BrokenLine as error:
        channel.close(str(error))
        return
    assert isinstance(stream, SocketStream)
    try:
        async with asyncio.TaskGroup() as group:
            _ = group.create_task(_to_socket(channel, stream))
            _ = group.create_task(_to_channel(stream, channel))
    except* BrokenLine as broken:
        channel.close(str(broken.exceptions[0]))
    finally:
        stream.close()


async def _to_socket(channel: Channel, stream: SocketStream) -> None:
    while data := await channel.read():
        await stream.write(data)
    stream.end()


async def _to_channel(stream: Stream, channel: Channel) -> None:
    while data := await stream.read():
        await channel.write(data)
    channel.end()
