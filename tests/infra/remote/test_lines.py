"""Dialling: whom a line connects to."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from aethermind import peers
from aethermind.infra.remote.lines import BrokenLine, UnixLine


async def test_a_socket_of_another_user_is_told_nothing(
    short_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(short_tmp / "x"))
        listener.listen()
        line = UnixLine(str(short_tmp / "x"))
        (await line.dial()).close()
        found, _ = listener.accept()
        found.close()
        monkeypatch.setattr(peers, "peer_uid", lambda _: 65_534)
        with pytest.raises(BrokenLine, match="another user listens there"):
            await line.dial()
        found, _ = listener.accept()
        with found:
            found.setblocking(False)
            async with asyncio.timeout(20):
                assert await asyncio.get_running_loop().sock_recv(found, 1) == b""  # closed, without a byte
