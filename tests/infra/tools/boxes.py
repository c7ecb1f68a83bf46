"""What the tests of tools share: a place, the tools of this machine, configs as definitions hold them."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from mcp.server.mcpserver import MCPServer

from aethermind.definitions.loader import Defaults, load_text
from aethermind.definitions.schemas import JsonSchemas
from aethermind.domain.errors import ToolError
from aethermind.engine.toolbox import Toolbox, ToolPlace
from aethermind.infra.children.local import LocalChildren
from aethermind.infra.secrets import redact
from aethermind.infra.tools.functions import Functions
from aethermind.infra.tools.toolbox import LocalTools

SERVER = [sys.executable, str(Path(__file__).with_name("mcp_server.py"))]
HOSTILE = str(Path(__file__).with_name("mcp_hostile.py"))

MYTOOLS = '''
import json, os, sys
from typing import Annotated, Literal, TypedDict

class Point(TypedDict):
    x: int
    y: int

def search(
    query: Annotated[str, "what to look for"], limit: int = 3, sort: Literal["up", "down"] | None = None,
):
    """Search the shelf.

    Returns titles.
    """
    print("searching", query)
    return {"query": query, "limit": limit, "sort": sort}

async def fetch(url: str) -> str:
    return "page " + url

def boom(text: str):
    raise RuntimeError("boom " + text)

def environment() -> list:
    return sorted(os.environ)

def where(points: list[Point]) -> int:
    return sum(p["x"] + p["y"] for p in points)

def positional(a, /): ...

def hang(path: str):
    print(os.getpid(), flush=True)
    open(path).read()
'''


def tool(line: str) -> Any:
    """The JSON of one tool of an agent, read as a file is: `shell: ask`."""
    loaded = load_text(
        f"name: x\nsteps:\n  - id: a\n    prompt: hi\n    tools:\n      - {line}\n", defaults=Defaults()
    )
    (found,) = loaded.definition.steps[0].action.tools  # type: ignore[union-attr]  # a prompt
    return found


def hostile(notes: Path, *words: str, **more: Any) -> Any:
    """The JSON of the misbehaving server."""
    argv = [sys.executable, "-I", "-S", HOSTILE, str(notes), *words]
    return {"mcp": {"command": argv, "env": {}, "approve": "ask", "timeout_ms": 20_000, **more}}


async def failure(awaited: Any) -> ToolError:
    with pytest.raises(ToolError) as caught:
        await awaited
    return caught.value


class Kit:
    """The tools of an engine in a directory."""

    def __init__(
        self, cwd: Path, *, functions: Functions | None = None, guarded: tuple[str, ...] = ()
    ) -> None:
        self.cwd = cwd
        self.logged: list[str] = []
        self._more = asyncio.Event()
        self.children = LocalChildren(grace=0.2)
        self.tools = LocalTools(
            children=self.children,
            schemas=JsonSchemas(),
            scrub=redact,
            guarded=guarded,
            functions=functions,
            version="0",
        )

    def place(self, run_id: str = "r_1", **env: str) -> ToolPlace:
        return ToolPlace(
            run_id=run_id, cwd=str(self.cwd), interpreter=sys.executable, env=env, log=self._log
        )  # fmt: skip

    async def open(self, *configs: Any, run_id: str = "r_1", **env: str) -> Toolbox:
        return await self.tools.open(configs, self.place(run_id, **env))

    def _log(self, line: str) -> None:
        self.logged.append(line)
        self._more.set()

    async def until_logged(self, word: str) -> str:
        async with asyncio.timeout(20):
            while not (found := [line for line in self.logged if word in line]):
                self._more.clear()
                await self._more.wait()
        return found[0]

    async def close(self) -> None:
        await self.tools.close()
        await self.children.close()


@asynccontextmanager
async def kit(cwd: Path, **options: Any) -> AsyncIterator[Kit]:
    made = Kit(cwd, **options)
    try:
        yield made
    finally:
        await made.close()


class _Server(uvicorn.Server):
    def install_signal_handlers(self) -> None:
        """They are the test runner's."""


@asynccontextmanager
async def serving(app: Any, port: int = 0) -> AsyncIterator[str]:
    """An ASGI application on loopback; gives its address."""
    with socket.create_server(("127.0.0.1", port)) as listening:
        port = listening.getsockname()[1]
        server = _Server(
            uvicorn.Config(app, log_config=None, lifespan="on", ws="none", timeout_graceful_shutdown=1)
        )
        task = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True
            await asyncio.wait({task})
            task.result()


@asynccontextmanager
async def http_server(server: MCPServer, port: int = 0) -> AsyncIterator[str]:
    """An MCP server over streamable HTTP; gives the address of its endpoint."""
    async with serving(server.streamable_http_app(), port) as address:
        yield address + "/mcp"
