"""MCP servers elsewhere: addresses and headers; and what a server that is started here is given."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from mcp.server.mcpserver import MCPServer

from aethermind.infra.tools import mcp_session
from aethermind.infra.tools.mcp import label_of
from tests.infra.tools import mcp_server
from tests.infra.tools.boxes import Kit, failure, hostile, http_server, kit, serving


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Kit]:
    async with kit(tmp_path) as made:
        yield made


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    return tmp_path / "notes"


async def test_its_environment(made: Kit, notes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    env = {"GITHUB_TOKEN": "$GH", "MODE": "fast"}
    box = await made.open(hostile(notes, env=env), GH="a-token-of-mine", OTHER="o")
    seen = json.loads((await box.call("env", {"text": ""})).text)
    assert seen["GITHUB_TOKEN"] == "a-token-of-mine"
    assert seen["MODE"] == "fast"
    assert not {"OPENAI_API_KEY", "OTHER", "GH"} & set(seen)
    error = await failure(made.open(hostile(notes, env=env), run_id="r_2"))
    assert error.info.kind == "missing_key"
    assert error.line() == "the MCP server mcp_hostile needs GH, which is not set (export GH=…)"


async def test_where_it_starts(made: Kit, notes: Path) -> None:
    (made.cwd / "sub").mkdir()
    box = await made.open(hostile(notes, cwd="sub"))
    assert (await box.call("echo", {"text": "x"})).text == "x"
    error = await failure(made.open(hostile(notes, cwd="nothing")))
    assert "does not exist" in error.message


def adding() -> MCPServer:
    server = MCPServer("x", log_level="CRITICAL")
    server.tool()(mcp_server.add)
    return server


class Guarded:
    """An application behind a header."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.seen: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            given = dict(scope["headers"]).get(b"authorization", b"").decode()
            self.seen.append(given)
            if given != "Bearer right":
                await send({"type": "http.response.start", "status": 401, "headers": []})
                await send({"type": "http.response.body", "body": b"no"})
                return
        await self.app(scope, receive, send)


def over_http(url: str, **more: Any) -> Any:
    return {"mcp": {"url": url, "headers": {}, "approve": "ask", "timeout_ms": 5000, **more}}


async def test_headers(made: Kit) -> None:
    app = Guarded(adding().streamable_http_app())
    async with serving(app) as address:
        config = over_http(address + "/mcp", headers={"Authorization": "$AUTH", "X-Team": "a"})
        box = await made.open(config, AUTH="Bearer right")
        assert (await box.call("add", {"a": 1, "b": 2})).text == "3"
        assert set(app.seen) == {"Bearer right"}
        error = await failure(made.open(config, run_id="r_2", AUTH="Bearer wrong"))
        assert error.info.kind == "auth"
        assert error.line() == (
            "the MCP server 127.0.0.1 refused: 401 (is the variable of its `headers` set, and still right?)"
        )
        assert "Bearer" not in error.line()
        assert (await failure(made.open(config, run_id="r_3"))).info.kind == "missing_key"
        await made.tools.close()


async def test_a_secret_that_no_header_can_hold_is_not_shown(made: Kit) -> None:
    config = over_http("http://127.0.0.1:1/mcp", headers={"Authorization": "$AUTH"})
    error = await failure(made.open(config, AUTH="Bearer right\n"))
    assert error.info.kind == "bad_request"
    assert "AUTH holds a line break" in error.line()
    assert "right" not in error.line()


class Undying:
    """An application of the old kind, with sessions, that never lets one end."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.asked = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        headers = dict(scope.get("headers", ()))
        if headers.get(b"mcp-method") == b"server/discover":
            await send({"type": "http.response.start", "status": 404, "headers": []})
            await send({"type": "http.response.body", "body": b""})
        elif scope.get("method") == "DELETE":
            self.asked.set()
            await receive()
            while (await receive())["type"] != "http.disconnect":
                pass
        else:
            await self.app(scope, receive, send)


async def test_a_server_that_does_not_let_go_is_left(made: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mcp_session, "_LEAVE_SECONDS", 0.3)
    app = Undying(adding().streamable_http_app())
    async with serving(app) as address:
        box = await made.open(over_http(address + "/mcp"))
        assert (await box.call("add", {"a": 1, "b": 2})).text == "3"
        await asyncio.wait_for(made.tools.leave("r_1"), 10)
        assert app.asked.is_set()


async def test_a_server_over_http_that_goes_and_comes_back(made: Kit) -> None:
    async with http_server(adding()) as url:
        box = await made.open(over_http(url))
        assert (await box.call("add", {"a": 1, "b": 2})).text == "3"
    error = await failure(box.call("add", {"a": 1, "b": 2}))
    assert error.info.kind == "connection"
    assert error.info.retryable, "nothing was done"
    async with http_server(adding(), port=int(url.split(":")[2].split("/")[0])):
        assert (await box.call("add", {"a": 3, "b": 4})).text == "7"
        await made.tools.leave("r_1")
    error = await failure(made.open(over_http(url), run_id="r_2"))
    assert error.info.kind == "connection"
    assert "127.0.0.1 cannot be reached" in error.message


@pytest.mark.parametrize(
    "status,kind,retryable", [(500, "server", True), (404, "server", False), (403, "auth", False)]
)
async def test_what_is_no_mcp_server(made: Kit, status: int, kind: str, retryable: bool) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b"<html>"})

    async with serving(app) as address:
        error = await failure(made.open(over_http(address + "/mcp")))
        assert (error.info.kind, error.info.retryable) == (kind, retryable)
        assert str(status) in error.message


async def test_a_web_page_is_no_mcp_server(made: Kit) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        headers = [(b"content-type", b"text/html")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"<html>"})

    async with serving(app) as address:
        error = await failure(made.open(over_http(address + "/mcp")))
        assert error.info.kind == "server"
        assert "text/html" in error.message


@pytest.mark.parametrize(
    "config,label",
    [
        ({"url": "https://user@host.example:80/mcp"}, "host.example"),
        ({"command": ["uvx", "some-server"]}, "some-server"),
        ({"command": ["npx", "-y", "@scope/server-git@1.2"]}, "server-git"),
        ({"command": ["/usr/bin/python3", "-u", "tools/my_server.py", "x"]}, "my_server"),
        ({"command": ["./bin/serve", "--port", "1"]}, "serve"),
        ({"command": ["uvx", "bad\x1b[31m"]}, "bad␛[31m"),
    ],
)
def test_how_a_server_is_called(config: Any, label: str) -> None:
    assert label_of(config) == label
