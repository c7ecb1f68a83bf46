from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from aethermind.domain.errors import ToolRefused
from aethermind.infra.sanitize import is_clean
from aethermind.infra.tools import mcp_session
from tests.infra.children.processes import wait_gone
from tests.infra.tools.boxes import SERVER, Kit, failure, hostile, kit

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


async def test_one_that_does_one_thing_at_a_time(
    made: Kit, notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second call waits for the first; that the server is silent meanwhile is no sign of its death."""
    os.mkfifo(f"{notes}.go")
    box = await made.open(hostile(notes))
    monkeypatch.setattr(mcp_session, "_LIST_SECONDS", 0.2)
    slow = asyncio.create_task(box.call("slow", {"text": "first"}))
    go = await asyncio.to_thread(os.open, f"{notes}.go", os.O_WRONLY)  # when it has begun
    second = asyncio.create_task(box.call("echo", {"text": "second"}))
    done, _ = await asyncio.wait({second}, timeout=0.5)
    assert not done
    os.close(go)
    assert [(await call).text for call in (slow, second)] == ["first", "second"]
    assert len(pids(notes)) == 1


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
