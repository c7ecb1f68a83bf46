"""Terminals in pages: each is the program itself, attached to the engine, drawn by textual-serve's driver."""

from __future__ import annotations

import asyncio
import json
import os
import platform
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from contextlib import suppress
from typing import Any

from textual_serve.app_service import AppService
from textual_serve.download_manager import DownloadManager

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

MOST = 16
END_S = 5.0
KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "VIRTUAL_ENV")
"""What a terminal's program gets of our environment, besides AETHERMIND_* and XDG_*; no provider's key."""


class Program(AppService):
    """The program of one page, started without a shell."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], send: Send) -> None:
        async def text(data: str) -> None:
            await send({"type": "websocket.send", "text": data})

        async def binary(data: bytes) -> None:
            await send({"type": "websocket.send", "bytes": data})

        async def close() -> None:
            await send({"type": "websocket.close", "code": 1000})

        super().__init__(
            "", write_bytes=binary, write_str=text, close=close, download_manager=DownloadManager()
        )
        self._argv = list(argv)
        self._env = dict(env)

    async def _open_app_process(self, width: int = 80, height: int = 24) -> asyncio.subprocess.Process:
        self._process = await asyncio.create_subprocess_exec(
            *self._argv,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**self._env, "COLUMNS": str(width), "ROWS": str(height)},
            start_new_session=True,
        )
        assert self._process.stdin is not None
        self._stdin = self._process.stdin
        return self._process

    async def end(self) -> None:
        """Ask it to quit; after a while, make it."""
        process = self._process
        if process is None:
            return
        try:
            with suppress(Exception):
                await asyncio.wait_for(self.stop(), END_S)
            with suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), END_S)
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()


class Terminals:
    """`argv`: the program, attached to the engine."""

    def __init__(self, argv: Sequence[str]) -> None:
        self._argv = list(argv)
        self._open: set[Program] = set()

    async def serve(self, receive: Receive, send: Send, *, size: tuple[int, int], by: str) -> None:
        """Until the page is closed or the program ends. `by`: who it is, for the record."""
        if len(self._open) >= MOST:
            await send({"type": "websocket.close", "code": 1013, "reason": f"{MOST} terminals are open"})
            return
        program = Program(self._argv, environment(os.environ, by), send)
        self._open.add(program)
        try:
            await program.start(*size)
            while (message := await receive())["type"] == "websocket.receive":
                await _take(program, message, send)
        finally:
            self._open.discard(program)
            await program.end()

    async def close(self) -> None:
        await asyncio.gather(*(program.end() for program in list(self._open)), return_exceptions=True)


def environment(environ: Mapping[str, str], by: str) -> dict[str, str]:
    """What the program of a page is given; acts are recorded as of `by`."""
    kept = {
        name: value
        for name, value in environ.items()
        if name in KEPT or name.startswith(("AETHERMIND_", "XDG_", "PYTHON"))
    }
    kept.pop("AETHERMIND_TOKEN", None)
    return kept | {
        "LOGNAME": by,
        "TERM": "xterm-256color",
        "TEXTUAL_DRIVER": "textual.drivers.web_driver:WebDriver",
        "TEXTUAL_COLOR_SYSTEM": "truecolor",
        "TERM_PROGRAM": "textual",
        "HOSTNAME": platform.node(),
    }


async def _take(program: Program, message: Message, send: Send) -> None:
    """What the page says: keys, its size, whether it is looked at. Anything else is passed over."""
    try:
        kind, *rest = json.loads(message.get("text") or "[]")
    except (ValueError, TypeError):
        return
    data = rest[0] if rest else None
    if kind == "stdin" and isinstance(data, str):
        await program.send_bytes(data.encode("utf-8", "replace"))
    elif kind == "resize" and isinstance(data, dict):
        width, height = data.get("width"), data.get("height")
        if isinstance(width, int) and isinstance(height, int) and 0 < width < 1_000 and 0 < height < 1_000:
            await program.set_terminal_size(width, height)
    elif kind == "ping":
        await send({"type": "websocket.send", "text": json.dumps(["pong", data])})
    elif kind == "blur":
        await program.blur()
    elif kind == "focus":
        await program.focus()
