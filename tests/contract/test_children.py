"""What every adapter of the port `Children` keeps. Processes are real."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path

import pytest

from aethermind.domain.errors import CommandError
from aethermind.engine.ports import ChildOutput, Children
from aethermind.infra.children.local import LocalChildren


@pytest.fixture(params=[LocalChildren])
async def children(request: pytest.FixtureRequest) -> AsyncIterator[Children]:
    adapter: Children = request.param()
    yield adapter
    await adapter.close()


async def failure(call: Awaitable[object]) -> CommandError:
    with pytest.raises(CommandError) as caught:
        await call
    return caught.value


async def test_output_and_exit_code(children: Children, tmp_path: Path) -> None:
    script = "echo out; echo err >&2; exit 3"
    result = await children.run(["sh", "-c", script], cwd=str(tmp_path), env={}, stdin=None)
    assert (result.stdout, result.stderr, result.exit_code, result.truncated) == ("out\n", "err\n", 3, False)


async def test_a_signal_is_a_negative_exit_code(children: Children, tmp_path: Path) -> None:
    result = await children.run(["sh", "-c", "kill -SEGV $$"], cwd=str(tmp_path), env={}, stdin=None)
    assert result.exit_code == -signal.SIGSEGV


async def test_argv_is_never_a_shell_string(children: Children, tmp_path: Path) -> None:
    hostile = ["$(touch owned)", "; touch owned", "`touch owned`", "*", "", "a b", "\n", "ü", "--"]
    script = "import sys, json; print(json.dumps(sys.argv[1:]))"
    result = await children.run(
        [sys.executable, "-I", "-c", script, *hostile], cwd=str(tmp_path), env={}, stdin=None
    )
    assert json.loads(result.stdout) == hostile
    assert list(tmp_path.iterdir()) == []
    error = await failure(children.run(["echo hi"], cwd=str(tmp_path), env={}, stdin=None))
    assert error.info.kind == "not_found"


async def test_large_input_goes_through_while_output_is_read(children: Children, tmp_path: Path) -> None:
    text = "0123456789abcde\n" * (5 * 1024 * 1024 // 16)
    result = await children.run(["cat"], cwd=str(tmp_path), env={}, stdin=text)
    assert result.stdout == text
    assert not result.truncated


async def test_a_child_that_does_not_read_its_input(children: Children, tmp_path: Path) -> None:
    result = await children.run(["true"], cwd=str(tmp_path), env={}, stdin="x" * 5_000_000)
    assert result.exit_code == 0


async def test_no_input_is_an_empty_input(children: Children, tmp_path: Path) -> None:
    for stdin in (None, ""):
        result = await children.run(["cat"], cwd=str(tmp_path), env={}, stdin=stdin)
        assert (result.stdout, result.exit_code) == ("", 0)


async def test_lines_come_while_it_runs(children: Children, tmp_path: Path) -> None:
    """The child goes on only after its first line has been seen."""
    heard: list[ChildOutput] = []
    os.mkfifo(tmp_path / "go")

    def on_output(line: ChildOutput) -> None:
        heard.append(line)
        if line.text == "first":
            os.close(os.open(tmp_path / "go", os.O_WRONLY))

    result = await children.run(
        ["sh", "-c", "echo first; read x <go; echo second >&2"],
        cwd=str(tmp_path),
        env={},
        stdin=None,
        on_output=on_output,
    )
    assert [(line.stream, line.text) for line in heard] == [("stdout", "first"), ("stderr", "second")]
    assert (result.stdout, result.stderr) == ("first\n", "second\n")


async def test_lines_are_clean_and_the_result_is_as_written(children: Children, tmp_path: Path) -> None:
    heard: list[ChildOutput] = []
    script = r"import os; os.write(1, b'\x1b[2Jred\ttab\xff\r\n10%\r20%\r\nlast')"
    result = await children.run(
        [sys.executable, "-I", "-c", script], cwd=str(tmp_path), env={}, stdin=None, on_output=heard.append
    )
    assert [line.text for line in heard] == ["␛[2Jred\ttab\ufffd", "10%", "20%", "last"]
    assert result.stdout == "\x1b[2Jred\ttab\ufffd\r\n10%\r20%\r\nlast"


async def test_the_environment_is_an_allow_list(
    children: Children, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-for-children")
    monkeypatch.setenv("AETHERMIND_TOKEN", "nor-this")
    monkeypatch.setenv("LC_TIME", "C")
    result = await children.run(["env"], cwd=str(tmp_path), env={"GIVEN": "1", "TERM": "x"}, stdin=None)
    seen = dict(line.partition("=")[::2] for line in result.stdout.splitlines())
    allowed = {"PATH", "HOME", "LANG", "TERM", "TMPDIR", "GIVEN", "AETHERMIND_CHILD"}
    assert {name for name in seen if not name.startswith("LC_")} <= allowed
    assert "not-for-children" not in result.stdout
    assert (seen["GIVEN"], seen["TERM"], seen["LC_TIME"]) == ("1", "x", "C")
    assert seen["PATH"] == os.environ["PATH"]


async def test_the_working_directory(children: Children, tmp_path: Path) -> None:
    result = await children.run(["pwd", "-P"], cwd=str(tmp_path), env={}, stdin=None)
    assert result.stdout == f"{tmp_path.resolve()}\n"


@pytest.mark.parametrize(
    "argv, words",
    [
        (["no-such-program-here"], "no such program (is it installed, and on PATH?)"),
        (["./nothing"], "no such program"),
        (["./text"], "not executable (chmod +x ./text)"),
        (["./empty"], "is not a program"),
        (["./lost"], "the interpreter that its first line names does not exist"),
        (["./dir"], "is a directory"),
    ],
)
async def test_programs_that_cannot_be_started(
    children: Children, tmp_path: Path, argv: list[str], words: str
) -> None:
    (tmp_path / "dir").mkdir()
    for name, text, mode in [
        ("text", "hi", 0o644),
        ("empty", "\0\0", 0o755),
        ("lost", "#!/nowhere/python\n", 0o755),
    ]:
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(mode)
    error = await failure(children.run(argv, cwd=str(tmp_path), env={}, stdin=None))
    assert error.info.kind == "not_found"
    assert error.line().startswith(argv[0])
    assert words in error.line()


async def test_a_missing_working_directory(children: Children, tmp_path: Path) -> None:
    error = await failure(children.run(["true"], cwd=str(tmp_path / "gone"), env={}, stdin=None))
    assert error.info.kind == "not_found"
    assert f"the directory {tmp_path / 'gone'} does not exist" in error.line()


@pytest.mark.parametrize(
    "argv, env",
    [([], {}), ([""], {}), (["echo", "a\0b"], {}), (["true"], {"A": "\0"}), (["true"], {"A=": "1"})],
)
async def test_arguments_that_no_program_can_be_given(
    children: Children, tmp_path: Path, argv: list[str], env: dict[str, str]
) -> None:
    error = await failure(children.run(argv, cwd=str(tmp_path), env=env, stdin=None))
    assert error.info.kind == "bad_request"


async def test_too_many_arguments(children: Children, tmp_path: Path) -> None:
    error = await failure(children.run(["true", "x" * 10_000_000], cwd=str(tmp_path), env={}, stdin=None))
    assert error.info.kind == "bad_request"
    assert error.info.hint == "pass large text by stdin"


async def test_cancelling_stops_the_child_first(children: Children, tmp_path: Path) -> None:
    started = asyncio.Event()
    pid = 0

    def on_output(line: ChildOutput) -> None:
        nonlocal pid
        pid = int(line.text)
        started.set()

    task = asyncio.create_task(
        children.run(
            ["sh", "-c", "echo $$; exec tail -f /dev/null"],
            cwd=str(tmp_path),
            env={},
            stdin=None,
            on_output=on_output,
        )
    )
    await asyncio.wait_for(started.wait(), 20)
    os.kill(pid, 0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_timeout_cancels(children: Children, tmp_path: Path) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await children.run(["tail", "-f", "/dev/null"], cwd=str(tmp_path), env={}, stdin=None)


async def test_two_hundred_at_once(children: Children, tmp_path: Path) -> None:
    results = await asyncio.gather(
        *(
            children.run(["sh", "-c", f"cat; exit {n}"], cwd=str(tmp_path), env={}, stdin=str(n))
            for n in range(200)
        )
    )
    assert [(result.stdout, result.exit_code) for result in results] == [(str(n), n) for n in range(200)]


async def test_closing_stops_what_runs_and_refuses_more(children: Children, tmp_path: Path) -> None:
    started = asyncio.Event()
    task = asyncio.create_task(
        children.run(
            ["sh", "-c", "echo; exec tail -f /dev/null"],
            cwd=str(tmp_path),
            env={},
            stdin=None,
            on_output=lambda _: started.set(),
        )
    )
    await asyncio.wait_for(started.wait(), 20)
    await children.close()
    assert task.done()
    assert (await failure(task)).info.kind == "cancelled"
    error = await failure(children.run(["true"], cwd=str(tmp_path), env={}, stdin=None))
    assert error.info.kind == "cancelled"
    await children.close()


async def test_a_python_call(children: Children, tmp_path: Path) -> None:
    (tmp_path / "mytools.py").write_text("def add(a, b=1):\n    print('noise')\n    return {'sum': a + b}\n")
    heard: list[ChildOutput] = []
    value = await children.call_python(
        "mytools:add",
        {"a": 2},
        interpreter=sys.executable,
        cwd=str(tmp_path),
        env={},
        on_output=heard.append,
    )
    assert value == {"sum": 3}
    assert [line.text for line in heard] == ["noise"]


@pytest.mark.parametrize(
    "target, kind",
    [("mytools:boom", "exception"), ("mytools:odd", "output"), ("mytools:nothing", "not_found")],
)
async def test_a_python_call_that_fails(children: Children, tmp_path: Path, target: str, kind: str) -> None:
    (tmp_path / "mytools.py").write_text("def boom():\n    1 / 0\n\ndef odd():\n    return {1, 2}\n")
    error = await failure(
        children.call_python(target, {}, interpreter=sys.executable, cwd=str(tmp_path), env={})
    )
    assert error.info.kind == kind


async def test_an_interpreter_that_is_not_there(children: Children, tmp_path: Path) -> None:
    error = await failure(
        children.call_python("a:b", {}, interpreter=str(tmp_path / "python"), cwd=str(tmp_path), env={})
    )
    assert error.info.kind == "not_found"
