from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from mcp.server.mcpserver import MCPServer

from aethermind.domain.errors import ToolError, ToolRefused
from aethermind.infra.sanitize import is_clean
from aethermind.infra.tools import mcp_session
from aethermind.infra.tools.mcp import label_of
from tests.infra.children.processes import wait_gone
from tests.infra.tools import mcp_server
from tests.infra.tools.boxes import SERVER, Kit, hostile, http_server, kit, serving

ROOT = Path(__file__).parents[3]


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Kit]:
    async with kit(tmp_path) as made:
        yield made


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    return tmp_path / "notes"


def noted(notes: Path, word: str) -> list[str]:
    return [line for line in notes.read_text().splitlines() if line.startswith(word)]


def pids(notes: Path) -> list[int]:
    return [int(line.split()[1]) for line in noted(notes, "start")]


async def failure(awaited: Any) -> ToolError:
    with pytest.raises(ToolError) as caught:
        await awaited
    return caught.value


# --- sessions ----------------------------------------------------------------------------------


async def test_a_session_is_warm_for_its_run_and_ends_with_it(made: Kit, notes: Path) -> None:
    config = hostile(notes)
    first = await made.open(config)
    again = await made.open(config)
    assert first.specs == again.specs
    await asyncio.gather(*(box.call("echo", {"text": "x"}) for box in (first, again) for _ in range(5)))
    await made.open(config, run_id="r_2")
    one, two = pids(notes)
    await made.tools.leave("r_1")
    assert wait_gone([one], 0) == []
    assert wait_gone([two], 0) == [two]
    assert (await failure(first.call("echo", {"text": "x"}))).info.kind == "cancelled"
    assert len(pids(notes)) == 2, "a run that was left starts nothing"
    await made.tools.close()
    assert wait_gone([two], 0) == []


async def test_opened_by_many_at_once_it_starts_once(made: Kit, notes: Path) -> None:
    await asyncio.gather(*(made.open(hostile(notes)) for _ in range(5)))
    assert len(pids(notes)) == 1


async def test_parallel_calls(made: Kit) -> None:
    box = await made.open({"mcp": {"command": SERVER, "env": {}, "approve": "ask", "timeout_ms": 20_000}})
    outputs = await asyncio.gather(*(box.call("add", {"a": n, "b": 1}) for n in range(20)))
    assert [output.data for output in outputs] == [{"result": n + 1} for n in range(20)]


async def test_what_it_says_beside_goes_to_the_log(made: Kit, notes: Path) -> None:
    await made.open(hostile(notes))
    line = await made.until_logged("pid")
    assert line == f"MCP server mcp_hostile: pid {pids(notes)[0]}"


async def test_a_server_may_take_its_time(made: Kit, notes: Path) -> None:
    os.mkfifo(f"{notes}.go")
    opening = asyncio.create_task(made.open(hostile(notes, "waiting")))
    await made.until_logged("pid")
    assert not opening.done()
    os.close(os.open(f"{notes}.go", os.O_WRONLY))
    assert (await (await opening).call("echo", {"text": "x"})).text == "x"


async def test_one_that_says_nothing_is_given_up(
    made: Kit, notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mcp_session, "START_SECONDS", 1.0)
    error = await failure(made.open(hostile(notes, "silent")))
    assert error.info.kind == "timeout"
    assert error.info.retryable
    assert error.message == "the MCP server mcp_hostile did not answer within 1 s"
    assert wait_gone(pids(notes), 0) == []


async def test_an_old_one_that_ignores_what_it_does_not_know(
    made: Kit, notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp.client.session.DISCOVER_TIMEOUT_SECONDS", 0.3)
    box = await made.open(hostile(notes, "old", "garbage"))
    assert (await box.call("echo", {"text": "x"})).text == "x"


async def test_giving_up_to_wait_for_it_ends_it(made: Kit, notes: Path) -> None:
    os.mkfifo(f"{notes}.go")
    opening = asyncio.create_task(made.open(hostile(notes, "waiting", "stubborn")))
    await made.until_logged("pid")
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert wait_gone(pids(notes), 0) == []


async def test_a_stubborn_one_is_killed(made: Kit, notes: Path) -> None:
    await made.open(hostile(notes, "stubborn"))
    await made.tools.leave("r_1")
    assert wait_gone(pids(notes), 0) == []


@pytest.mark.parametrize("words", [[], ["stubborn"]])
def test_none_survives_an_engine_that_was_killed(tmp_path: Path, notes: Path, words: list[str]) -> None:
    host = subprocess.Popen(
        [sys.executable, "-m", "tests.infra.tools.host", str(notes), *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert host.stdout is not None
        for line in host.stdout:
            if "hanging" in line:
                break
        (server,) = pids(notes)
        assert wait_gone([server], 0) == [server]
        host.send_signal(signal.SIGKILL)
        assert wait_gone([server], 2) == []
    finally:
        host.kill()
        host.communicate()


# --- calls -------------------------------------------------------------------------------------


async def test_one_that_dies_is_started_again_for_the_next_call(made: Kit, notes: Path) -> None:
    box = await made.open(hostile(notes))
    error = await failure(box.call("die", {"text": "x"}))
    assert error.info.kind == "connection"
    assert not error.info.retryable
    assert "what it did is not known" in error.message
    assert noted(notes, "call") == ["call die"], "never a second time by itself"
    assert (await box.call("echo", {"text": "x"})).text == "x"
    os.kill(pids(notes)[-1], signal.SIGKILL)
    wait_gone(pids(notes), 5)
    assert (await box.call("echo", {"text": "y"})).text == "y", "it had died between two calls"
    assert len(pids(notes)) == 3


async def test_one_that_cannot_be_started(made: Kit) -> None:
    for command, kind, words in [
        (["no-such-server"], "not_found", "no such program"),
        ([sys.executable, "-c", "raise SystemExit(3)"], "connection", "ended"),
        (["echo", "hello"], "connection", "ended"),
    ]:
        config = {"mcp": {"command": command, "env": {}, "approve": "ask", "timeout_ms": 1000}}
        error = await failure(made.open(config))
        assert error.info.kind == kind
        assert words in error.message


async def test_a_call_that_hangs_is_told_to_stop(made: Kit, notes: Path) -> None:
    box = await made.open(hostile(notes, timeout_ms=300))
    output = await box.call("hang", {"text": "x"})
    assert output.is_error
    assert output.text == "no answer within 0.3 s; whether it did its work is not known"


async def test_a_cancelled_call(made: Kit, notes: Path) -> None:
    os.mkfifo(f"{notes}.go")
    box = await made.open(hostile(notes))
    task = asyncio.create_task(box.call("hang", {"text": "x"}))
    await made.until_logged("hanging")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_large_answers_are_cut_and_larger_ones_refused(made: Kit, notes: Path) -> None:
    box = await made.open(hostile(notes))
    output = await box.call("big", {"text": "x"})
    assert output.truncated
    assert 60_000 < len(output.text) < 66_000
    error = await failure(box.call("huge", {"text": "x"}))
    assert error.info.kind == "connection"
    assert (await box.call("echo", {"text": "x"})).text == "x"


async def test_answers_of_other_kinds(made: Kit, notes: Path) -> None:
    box = await made.open(hostile(notes))
    output = await box.call("pictures", {"text": "x"})
    assert output.text.split("\n") == [
        "[image image/png, 6 bytes: not shown]",
        "[resource file:///x]",
        "of y",
    ]
    assert output.data == {"deep": ["x"]}
    odd = await box.call("odd", {"text": "x"})
    assert odd.is_error
    assert odd.text == "the server's answer cannot be read"
    assert (await box.call("echo", {"text": "a\x1b[2J\u202e"})).text == "a␛[2J⟨U+202E⟩"


# --- what it offers ----------------------------------------------------------------------------


async def test_a_tool_that_changes_is_not_called(made: Kit, notes: Path) -> None:
    box = await made.open(hostile(notes, "changing"))
    assert (await box.call("echo", {"text": "x"})).text == "x"
    error = await failure(box.call("echo", {"text": "y"}))
    assert error.info.kind == "bad_request"
    assert "changed its tool echo" in error.message
    assert noted(notes, "call") == ["call echo"], "nothing was done"
    assert (await box.call("big", {"text": "x"})).truncated, "the others are as they were"
    again = await made.open(hostile(notes, "changing"))
    pins = [{spec.name: spec.pin for spec in one.specs} for one in (box, again)]
    assert [name for name in pins[0] if pins[0][name] != pins[1][name]] == ["echo"]


async def test_only_what_is_allowed(made: Kit, notes: Path) -> None:
    box = await made.open(hostile(notes, allowed=["echo"]))
    assert [spec.name for spec in box.specs] == ["echo"]
    with pytest.raises(ToolRefused):
        await box.call("big", {"text": "x"})
    error = await failure(made.open(hostile(notes, allowed=["ecko"])))
    assert error.info.kind == "not_found"
    assert "did you mean `echo`?" in error.line()


async def test_a_name_that_is_taken(made: Kit, notes: Path) -> None:
    shell = {"shell": {"approve": "ask", "timeout_ms": 1000, "max_output": 1000}}
    box = await made.open(shell, hostile(notes, allowed=["shell"]))
    assert [spec.name for spec in box.specs] == ["shell", "mcp_hostile_shell"]
    assert (await box.call("mcp_hostile_shell", {"text": "mine"})).text == "mine"


async def test_crooked_tools(made: Kit, notes: Path) -> None:
    box = await made.open(hostile(notes, "crooked"))
    specs = {spec.name: spec for spec in box.specs}
    assert "esc__2J_ape" in specs
    assert specs["esc__2J_ape"].description == "a⟨U+202E⟩b␛[31m"
    assert all(is_clean(spec.description) for spec in box.specs)
    assert not {"broken", "bloated"} & set(specs)
    assert [line for line in made.logged if "left out: broken" in line]
    assert (await failure(made.open(hostile(notes, "crooked", allowed=["broken"])))).info.kind == "malformed"
    assert specs["regex"].input_schema["properties"]["text"]["pattern"] == "(a+)+$"
    evil = "a" * 60 + "!"
    assert (await asyncio.wait_for(box.call("regex", {"text": evil}), 10)).text == evil


# --- environment, headers, addresses -----------------------------------------------------------


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
    server = MCPServer("x", log_level="CRITICAL")
    server.tool()(mcp_server.add)
    app = Guarded(server.streamable_http_app())
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


async def test_a_server_over_http_that_goes_and_comes_back(made: Kit) -> None:
    server = MCPServer("x", log_level="CRITICAL")
    server.tool()(mcp_server.add)
    async with http_server(server) as url:
        box = await made.open(over_http(url))
        assert (await box.call("add", {"a": 1, "b": 2})).text == "3"
    error = await failure(box.call("add", {"a": 1, "b": 2}))
    assert error.info.kind == "connection"
    assert error.info.retryable, "nothing was done"
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
