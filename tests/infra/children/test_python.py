"""Python calls: what the function's author gets to see."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
import venv
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from aethermind.domain.errors import CommandError, ErrorInfo
from aethermind.engine.ports import ChildOutput
from aethermind.infra.children.local import LocalChildren
from aethermind.infra.children.python import RUNNER
from aethermind.infra.workspace import submitter_interpreter
from tests.infra.children.processes import alive

Call = Callable[..., Awaitable[Any]]


@pytest.fixture
async def children() -> AsyncIterator[LocalChildren]:
    adapter = LocalChildren(grace=0.1, linger=0.1, output_limit=100_000)
    yield adapter
    await adapter.close()


@pytest.fixture
def call(children: LocalChildren, tmp_path: Path) -> Call:
    """`await call(source, target="m:f", **arguments)`: write m.py and call."""

    async def write_and_call(source: str, target: str = "m:f", **arguments: Any) -> Any:
        (tmp_path / "m.py").write_text(textwrap.dedent(source))
        return await children.call_python(
            target, arguments, interpreter=sys.executable, cwd=str(tmp_path), env={}
        )

    return write_and_call


@pytest.fixture
def fails(call: Call) -> Callable[..., Awaitable[ErrorInfo]]:
    async def failing(source: str, target: str = "m:f", **arguments: Any) -> ErrorInfo:
        with pytest.raises(CommandError) as caught:
            await call(source, target, **arguments)
        assert "\n" not in caught.value.line()
        return caught.value.info

    return failing


Fails = Callable[..., Awaitable[ErrorInfo]]


@pytest.mark.parametrize(
    "value",
    [None, True, 0, -1.5, "", "ü\u2028𝄞\0", [], {}, {"a": [1, {"b": None}]}, 2**70, 1e300, "x" * 50_000],
)
async def test_values_come_back_as_they_were(call: Call, value: Any) -> None:
    assert await call("def f(value): return value", value=value) == value


async def test_tuples_are_lists(call: Call) -> None:
    assert await call("def f(): return {'a': (1, (2,))}") == {"a": [1, [2]]}


async def test_an_async_function(call: Call) -> None:
    source = """
    import asyncio
    async def f(a):
        await asyncio.sleep(0)
        return a + 1
    """
    assert await call(source, a=1) == 2


async def test_a_dotted_name_and_a_package(call: Call, tmp_path: Path) -> None:
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "tools.py").write_text(
        "class Box:\n    @staticmethod\n    def f(): return __name__\n"
    )
    assert await call("", "pkg.tools:Box.f") == "pkg.tools"


async def test_printed_text_is_output_and_nothing_else(children: LocalChildren, tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text(
        "import os, sys\n"
        "def f():\n"
        "    print('{\"value\": 1}')\n"
        "    os.write(1, b'raw\\n')\n"
        "    os.system('echo from a shell')\n"
        "    print('ü', file=sys.stderr)\n"
        "    return sys.stdin.read()\n"
    )
    heard: list[ChildOutput] = []
    value = await children.call_python(
        "m:f",
        {},
        interpreter=sys.executable,
        cwd=str(tmp_path),
        env={"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
        on_output=heard.append,
    )
    assert value == "", "standard input is empty: the arguments are not in it"
    assert [x.text for x in heard if x.stream == "stdout"] == ['{"value": 1}', "raw", "from a shell"]
    assert [x.text for x in heard if x.stream == "stderr"] == ["ü"]


async def test_lines_are_seen_when_they_are_printed(children: LocalChildren, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "go")
    (tmp_path / "m.py").write_text("def f():\n    print('first')\n    return open('go').read()\n")

    def on_output(line: ChildOutput) -> None:
        (tmp_path / "go").write_text(line.text)

    value = await children.call_python(
        "m:f", {}, interpreter=sys.executable, cwd=str(tmp_path), env={}, on_output=on_output
    )
    assert value == "first"


async def test_the_working_directory_comes_first_and_ours_not_at_all(call: Call, tmp_path: Path) -> None:
    source = """
    import os, sys
    def f():
        import runner, colorsys
        return [sys.path[0], os.getcwd(), sys.argv, runner.__file__, colorsys.__file__]
    """
    (tmp_path / "runner.py").write_text("")
    (tmp_path / "colorsys.py").write_text("")
    here = str(tmp_path.resolve())
    assert await call(source) == [here, here, ["m:f"], f"{here}/runner.py", f"{here}/colorsys.py"]
    paths = await call("import sys\ndef f(): return sys.path")
    assert str(Path(RUNNER).parent) not in paths


async def test_an_exception(fails: Fails) -> None:
    source = """
    def g(x):
        raise ValueError(f"bad {x}")
    def f(x):
        try:
            g(x)
        except ValueError as error:
            raise RuntimeError("outer\\nsecond line") from error
    """
    info = await fails(source, x=1)
    assert (info.kind, info.message, info.retryable) == (
        "exception",
        "RuntimeError: outer␊second line",
        False,
    )
    detail = info.detail or ""
    assert detail.startswith("Traceback")
    assert "ValueError: bad 1" in detail
    assert 'm.py", line 3, in g' in detail
    assert RUNNER not in detail


async def test_an_exception_in_a_coroutine_shows_the_users_frames_only(fails: Fails) -> None:
    info = await fails("async def f():\n    raise KeyError('k')")
    assert info.message == "KeyError: 'k'"
    detail = info.detail or ""
    assert detail.count("File ") == 1
    assert 'm.py", line 2, in f' in detail


async def test_an_exception_at_import(fails: Fails) -> None:
    info = await fails("def f(): pass\n1/0")
    assert (info.kind, info.message) == ("exception", "ZeroDivisionError: division by zero")
    assert (info.detail or "").count("File ") == 1
    info = await fails("def f(:")
    assert info.kind == "exception"
    assert info.message.startswith("SyntaxError: ")


async def test_a_package_that_the_module_misses(fails: Fails) -> None:
    info = await fails("import surely_not_installed\ndef f(): pass")
    assert info.kind == "exception"
    assert info.message == "ModuleNotFoundError: No module named 'surely_not_installed'"
    assert info.hint == f"surely_not_installed is not installed for {sys.executable}"


async def test_wrong_arguments(fails: Fails) -> None:
    info = await fails("def f(text): pass", txt=1)
    assert info.kind == "exception"
    assert "unexpected keyword argument 'txt'" in info.message


@pytest.mark.parametrize(
    "body, message",
    [
        ("sys.exit(3)", "it called sys.exit(3)"),
        ("sys.exit()", "it called sys.exit(None)"),
        ("raise Odd", "Odd"),
    ],
)
async def test_other_ways_to_raise(fails: Fails, body: str, message: str) -> None:
    source = f"""
    import sys
    class Odd(BaseException):
        def __str__(self): raise ValueError
    def f():
        {body}
    """
    info = await fails(source)
    assert (info.kind, info.message) == ("exception", message)


async def test_what_an_exception_says_is_clean(fails: Fails) -> None:
    info = await fails(r"def f(): raise ValueError('\x1b]0;t\x07 \udcff' + 'x' * 9000)")
    assert info.message.startswith("ValueError: ␛]0;t␇ ?xxx")
    assert len(info.message) <= 500
    assert "\x1b" not in (info.detail or "")


@pytest.mark.parametrize(
    "target, words",
    [
        ("m:ff", "m has no 'ff' (did you mean f?)"),
        ("m:zzzzz", "m has no 'zzzzz' (looked in "),
        ("m:f.g", "m has no 'f.g'"),
        ("m:N", "m:N is no function but of type int"),
        ("mm:f", "there is no Python module 'mm' (did you mean m?)"),
        ("pkg.tols:f", "there is no Python module 'pkg.tols' (did you mean tools?)"),
        ("zzzzz.a:f", "there is no Python module 'zzzzz' (looked in "),
        ("m.x:f", "there is no Python module 'm.x'"),
        ("m", "'m' does not name a function (write module:function)"),
        (":", "':' does not name a function"),
    ],
)
async def test_what_is_not_there(call: Call, tmp_path: Path, target: str, words: str) -> None:
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "__init__.py").write_text("")
    (tmp_path / "pkg" / "tools.py").write_text("")
    with pytest.raises(CommandError) as caught:
        await call("N = 1\ndef f(): pass", target)
    assert caught.value.info.kind == "not_found"
    assert words in caught.value.line()


@pytest.mark.parametrize(
    "expression, words",
    [
        ("{1}", "a value of type set, which is not JSON"),
        ("{'a': [0, b'x']}", "a value of type bytes, which is not JSON at a[1]"),
        ("object()", "a value of type object"),
        ("(x for x in [])", "a value of type generator"),
        ("f", "a value of type function"),
        ("float('nan')", "nan, which JSON does not know"),
        ("[float('-inf')]", "-inf at [0], which JSON does not know"),
        ("{'a': {1: 2}}", "a mapping at a with the key 1, which is not text"),
        ("{'a': '\\ud800'}", "text with half a surrogate pair at a"),
        ("{'\\ud800': 1}", "text with half a surrogate pair"),
        ("LOOP", "a value that contains itself at [0]"),
        ("DEEP", "nested more than 200 levels deep"),
        ("10 ** 5000", "a value that JSON cannot hold"),
        ("'x' * 100_000", "more than fits into 100,000 bytes"),
    ],
)
async def test_values_that_are_not_json(fails: Fails, expression: str, words: str) -> None:
    source = f"""
    LOOP = []
    LOOP.append(LOOP)
    DEEP = []
    for _ in range(300): DEEP = [DEEP]
    def f(): return {expression}
    """
    info = await fails(source)
    assert info.kind == "output"
    assert info.message.startswith("m:f returned ")
    assert words in info.message


@pytest.mark.parametrize(
    "body, words, status",
    [
        ("os._exit(7)", "m:f ended its process (exit code 7) before it returned", 7),
        ("os._exit(0)", "m:f ended its process (exit code 0) before it returned", 0),
        ("os.kill(os.getpid(), 9)", "m:f was killed by SIGKILL before it returned", -9),
        ("ctypes.string_at(0)", "m:f was killed by SIGSEGV before it returned", -signal.SIGSEGV),
        ("os.closerange(3, 100)", "m:f ended its process (exit code 1) before it returned", 1),
    ],
)
async def test_a_process_that_ends_without_an_answer(
    fails: Fails, body: str, words: str, status: int
) -> None:
    source = f"""
    import ctypes, os, resource, sys
    def f():
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        print("last words", file=sys.stderr)
        {body}
    """
    info = await fails(source)
    assert (info.kind, info.message, info.status) == ("command", words, status)
    assert (info.detail or "").startswith("last words\n")


async def test_a_crash_after_the_answer_does_not_take_it_back(call: Call) -> None:
    source = """
    import atexit, os
    def f():
        atexit.register(os._exit, 9)
        return "kept"
    """
    assert await call(source) == "kept"


async def test_what_the_function_leaves_in_the_background(call: Call) -> None:
    source = """
    import subprocess
    def f():
        return subprocess.Popen(["tail", "-f", "/dev/null"]).pid
    """
    assert not alive(await call(source))


async def test_the_environment(
    children: LocalChildren, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-for-children")
    (tmp_path / "m.py").write_text("import os\ndef f(): return dict(os.environ)\n")
    seen = await children.call_python(
        "m:f", {}, interpreter=sys.executable, cwd=str(tmp_path), env={"GIVEN": "1"}
    )
    assert seen["GIVEN"] == "1"
    assert "OPENAI_API_KEY" not in seen


async def test_the_submitters_own_environment(children: LocalChildren, tmp_path: Path) -> None:
    """A virtual environment that has never heard of this package, with a package of its own."""
    venv.EnvBuilder(with_pip=False, symlinks=True).create(tmp_path / ".venv")
    (site,) = (tmp_path / ".venv" / "lib").glob("python*/site-packages")
    (site / "theirs.py").write_text("VALUE = 42\n")
    (tmp_path / "m.py").write_text(
        "import sys\n"
        "def f():\n"
        "    import theirs\n"
        "    try:\n"
        "        import msgspec\n"
        "    except ImportError:\n"
        "        return [theirs.VALUE, sys.prefix]\n"
    )
    interpreter = submitter_interpreter(str(tmp_path), "/never/this")
    value = await children.call_python("m:f", {}, interpreter=interpreter, cwd=str(tmp_path), env={})
    assert value == [42, str(tmp_path / ".venv")]


async def test_an_interpreter_from_the_path(children: LocalChildren, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "mypython").symlink_to(sys.executable)
    env = {"PATH": f"{tmp_path}/bin"}
    value = await children.call_python(
        "json:dumps", {"obj": 1}, interpreter="mypython", cwd=str(tmp_path), env=env
    )
    assert value == "1"


def test_the_runner_speaks_old_python() -> None:
    """Its syntax is that of 3.8, the oldest interpreter that is promised."""
    import ast

    ast.parse(Path(RUNNER).read_text(), feature_version=(3, 8))


@pytest.mark.parametrize("version", ["3.8", "3.9", "3.10", "3.12", "3.13", "3.14"])
async def test_other_interpreters(children: LocalChildren, tmp_path: Path, version: str) -> None:
    interpreter = shutil.which(f"python{version}")
    if not interpreter or not works(interpreter):
        pytest.skip(f"no Python {version} here")
    (tmp_path / "m.py").write_text("async def f(a): return [a]\ndef g(): raise OSError('x')\n")
    args: dict[str, Any] = {"interpreter": interpreter, "cwd": str(tmp_path), "env": {}}
    assert await children.call_python("m:f", {"a": 1}, **args) == [1]
    with pytest.raises(CommandError, match="OSError: x"):
        await children.call_python("m:g", {}, **args)


def works(interpreter: str) -> bool:
    """What is found on PATH may be a shim for a version that is not installed."""
    return subprocess.run([interpreter, "-c", ""], capture_output=True, check=False).returncode == 0
