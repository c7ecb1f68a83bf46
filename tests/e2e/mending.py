"""A scratch repository with a failing test, all kinds of tools to mend it, and ledgers of what each did."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mcp.server.mcpserver import MCPServer

from tests.e2e.waiting import PATIENCE
from tests.infra.tools.boxes import http_server
from tests.servers.http import Reply, Request
from tests.servers.wires import WIRES, Asked

BROKEN = "def total(prices):\n    return sum(prices) - 1\n"
MENDED = "def total(prices):\n    return sum(prices)\n"
TEST = """import sys
from pathlib import Path

from prices import total

with Path("ledger").open("a") as ledger:
    ledger.write("shell\\n")
found = total([1, 2])
if found != 3:
    sys.exit(f"total([1, 2]) should be 3, not {found}")
print("ok")
"""
MYTOOLS = '''from pathlib import Path


def lines(path: str) -> int:
    """How many lines a file has."""
    with Path("ledger").open("a") as ledger:
        ledger.write("python\\n")
    return len(Path(path).read_text().splitlines())
'''
SERVER = '''from pathlib import Path

from mcp.server.mcpserver import MCPServer

server = MCPServer("rules", log_level="CRITICAL")


@server.tool()
def rule(topic: str) -> str:
    """The house's rule on a topic."""
    with Path("ledger").open("a") as ledger:
        ledger.write("stdio\\n")
    return f"on {topic}: change as little as possible"


server.run("stdio")
'''
FLOW = """name: mend
agents:
  fixer:
    model: smart
    instructions: Mend the code, not the tests.
    tools:
      - files: {write: ask}
      - shell: {approve: always, allowed: [[PYTHON, test_prices.py]]}
      - python: {call: "mytools:lines", approve: always}
      - mcp: {command: [PYTHON, server.py], approve: always}
      - mcp: {url: "URL", approve: always}
steps:
  - {id: fix, agent: fixer, prompt: "The test fails. Mend it."}
outputs: {said: "{{ fix }}"}
"""
TURNS: list[list[tuple[str, dict[str, Any]]]] = [
    [("shell", {"argv": [sys.executable, "test_prices.py"]})],
    [("lines", {"path": "prices.py"}), ("rule", {"topic": "sums"})],
    [("read_file", {"path": "prices.py"})],
    [("advice", {"about": "sum(prices) - 1"})],
    [("edit_file", {"path": "prices.py", "old": " - 1", "new": ""})],
    [("shell", {"argv": [sys.executable, "test_prices.py"]})],
]
"""What the model does; then it says what it did."""
SAID = "It is mended."
DONE = ["shell", "python", "stdio", "http", "shell"]
"""What the ledger holds after a run that nothing disturbed."""


def script() -> str:
    """The same for simulated models."""
    turns = [{"tools": [{"name": name, "arguments": given} for name, given in turn]} for turn in TURNS]
    return json.dumps({"steps": {"fix": [*turns, SAID]}})


class Mechanic:
    """The model behind every API: it sees by the conversation what comes next. `asked`: which turn, each
    time it was asked."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    async def __call__(self, request: Request, reply: Reply) -> None:
        wire = next(wire for wire in WIRES if wire.path == request.path)
        turn = sum(message["role"] == "assistant" for message in request.json["messages"])
        self.asked.append(turn)
        wanted = TURNS[turn] if turn < len(TURNS) else []
        calls = [
            Asked(name, json.dumps(given), f"id{turn}{number}") for number, (name, given) in enumerate(wanted)
        ]
        await reply.start(200, wire.content_type)
        await reply.send(*wire.chunks("" if calls else SAID, calls=calls))
        await reply.end()


def write(directory: Path, url: str) -> Path:
    """The repository, the workflow and its script; the workflow's file."""
    for name, text in (
        ("prices.py", BROKEN),
        ("test_prices.py", TEST),
        ("mytools.py", MYTOOLS),
        ("server.py", SERVER),
        ("mend.yaml", FLOW),
        ("mend.sim.yaml", script()),
    ):
        (directory / name).write_text(text.replace("PYTHON", sys.executable).replace("URL", url))
    return directory / "mend.yaml"


def ledger(directory: Path) -> list[str]:
    file = directory / "ledger"
    return file.read_text().split() if file.exists() else []


@contextlib.contextmanager
def adviser(directory: Path) -> Iterator[str]:
    """A real MCP server over HTTP in a thread of its own; gives its address."""
    server = MCPServer("adviser", log_level="CRITICAL")

    @server.tool()
    def advice(about: str) -> str:
        """What an old hand would say."""
        with (directory / "ledger").open("a") as file:
            file.write("http\n")
        return f"take the correction out of {about}"

    started = threading.Event()
    found: list[tuple[str, asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def serve() -> None:
        async with http_server(server) as url:
            over = asyncio.Event()
            found.append((url, asyncio.get_running_loop(), over))
            started.set()
            await over.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert started.wait(PATIENCE)
    url, loop, over = found[0]
    try:
        yield url
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(PATIENCE)
