from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from aethermind.domain.errors import ToolRefused
from aethermind.infra.sanitize import is_clean
from tests.infra.children.processes import alive, wait_gone
from tests.infra.tools.boxes import Kit, kit

PYTHON = [sys.executable, "-I", "-S", "-c"]


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Kit]:
    (tmp_path / "root" / "sub").mkdir(parents=True)
    (tmp_path / "root" / "out").symlink_to("..")
    async with kit(tmp_path / "root") as made:
        yield made


def shell(**more: Any) -> Any:
    return {"shell": {"approve": "ask", "timeout_ms": 20_000, "max_output": 64 * 1024, **more}}


async def test_arguments_are_no_line_for_a_shell(made: Kit) -> None:
    box = await made.open(shell())
    argv = [*PYTHON, "import sys; print(sys.argv[1:])", "$(touch owned)", "; touch owned", "*", "a b", "`x`"]
    output = await box.call("shell", {"argv": argv})
    assert output.text == "['$(touch owned)', '; touch owned', '*', 'a b', '`x`']"
    assert output.data == {"exit_code": 0}
    assert not output.is_error
    assert not (made.cwd / "owned").exists()


async def test_the_preview_is_exact(made: Kit) -> None:
    box = await made.open(shell())
    preview = await box.preview(
        "shell", {"argv": ["git", "commit", "-m", "a b\x1b[2J\n\u202ec"], "cwd": "sub", "stdin": "one\ntwo"}
    )
    assert preview.title.startswith("run git commit -m 'a b")
    assert preview.text.split("\n") == [
        '"git"', '"commit"', '"-m"', '"a b\\u001b[2J\\n⟨U+202E⟩c"', f"in {made.cwd}/sub",
        "with this input:", "one", "two",
    ]  # fmt: skip


async def test_where_it_starts(made: Kit) -> None:
    box = await made.open(shell())
    assert (await box.call("shell", {"argv": ["pwd"], "cwd": "./sub/../sub"})).text == f"{made.cwd}/sub"
    for cwd in ["..", "out", "/etc", "sub/../../..", "nothing", "a\0b"]:
        for ask in (box.call, box.preview):
            with pytest.raises(ToolRefused):
                await ask("shell", {"argv": ["pwd"], "cwd": cwd})


async def test_only_what_is_allowed(made: Kit) -> None:
    box = await made.open(shell(allowed=[["echo", "hi"], ["pwd"]]))
    assert "- echo hi …" in box.specs[0].description
    assert (await box.call("shell", {"argv": ["echo", "hi", "you"]})).text == "hi you"
    for argv in [["echo"], ["echo", "hi you"], ["/bin/pwd"], ["sh", "-c", "pwd"], ["./pwd"], [" ", "pwd"]]:
        with pytest.raises(ToolRefused, match=r"not allowed|no program"):
            await box.call("shell", {"argv": argv})


async def test_what_cannot_be_started_is_said(made: Kit) -> None:
    box = await made.open(shell())
    for argv, words in [(["no-such-program"], "no such program"), (["echo", "a\0"], "NUL")]:
        with pytest.raises(ToolRefused, match=words):
            await box.call("shell", {"argv": argv})


async def test_how_it_ended_comes_last(made: Kit) -> None:
    box = await made.open(shell())
    script = "echo out; echo err >&2; exit 7"
    failed = await box.call("shell", {"argv": ["sh", "-c", script]})
    assert failed.text == "out\n[stderr]\nerr\n[exit code 7]"
    assert failed.is_error
    assert failed.data == {"exit_code": 7}
    killed = await box.call("shell", {"argv": ["sh", "-c", "kill -KILL $$"]})
    assert killed.text == "[killed by SIGKILL]"
    assert (await box.call("shell", {"argv": ["true"]})).text == "[no output]"
    assert (await box.call("shell", {"argv": ["cat"], "stdin": "given"})).text == "given"


async def test_what_it_writes_is_harmless_and_cut_in_the_middle(made: Kit) -> None:
    box = await made.open(shell(max_output=2000))
    script = (
        "import sys; print('first\\x1b]0;x\\x07' + 'x' * 10**6 + 'last'); print('broken', file=sys.stderr)"
    )
    output = await box.call("shell", {"argv": [*PYTHON, script]})
    assert output.truncated
    assert is_clean(output.text)
    assert output.text.startswith("first␛]0;x␇xxx")
    assert output.text.endswith("xlast\n[stderr]\nbroken")
    assert output.text.count("bytes left out") == 1
    assert len(output.text.encode()) < 2300


async def test_lines_come_while_it_runs(made: Kit) -> None:
    box = await made.open(shell())
    heard: list[str] = []
    os.mkfifo(made.cwd / "go")

    def hear(line: str) -> None:
        heard.append(line)
        if line.startswith("first"):
            os.close(os.open(made.cwd / "go", os.O_WRONLY))

    await box.call(
        "shell", {"argv": ["sh", "-c", "printf 'first\\033[1m\\n'; read x <go; echo second"]}, on_output=hear
    )  # fmt: skip
    assert heard == ["first␛[1m", "second"]


async def test_its_time_is_limited(made: Kit) -> None:
    box = await made.open(shell(timeout_ms=1000))
    (schema,) = [spec.input_schema for spec in box.specs]
    assert schema["properties"]["timeout_s"]["maximum"] == 1
    pids: list[int] = []
    output = await box.call(
        "shell",
        {"argv": ["sh", "-c", "echo $$; trap '' TERM; while :; do read x; done </dev/zero"]},
        on_output=lambda line: pids.append(int(line)),
    )
    assert output.is_error
    assert output.text == f"[stopped after 1 s; the end of what it wrote by then:]\n{pids[0]}"
    assert not alive(pids[0])
    with pytest.raises(ToolRefused, match="maximum"):
        await box.call("shell", {"argv": ["true"], "timeout_s": 2})


async def test_cancelling_stops_it_first(made: Kit) -> None:
    box = await made.open(shell())
    started = asyncio.Event()
    pids: list[int] = []

    def hear(line: str) -> None:
        pids.append(int(line))
        started.set()

    script = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
    task = asyncio.create_task(box.call("shell", {"argv": [*PYTHON, script]}, on_output=hear))
    await asyncio.wait_for(started.wait(), 20)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert wait_gone(pids, 0) == []


async def test_it_gets_no_secrets(made: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789abcdef0123")
    box = await made.open(shell(), GITHUB_TOKEN="ghp_0123456789abcdef0123")
    names = (await box.call("shell", {"argv": ["env"]})).text
    assert "PATH=" in names
    assert "OPENAI" not in names
    assert "GITHUB" not in names
    said = await box.call("shell", {"argv": ["echo", "key sk-0123456789abcdef0123"]})
    assert said.text == "key [redacted]"
