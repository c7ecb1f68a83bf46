"""What tools of every kind keep. Files, processes and servers are real."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from aethermind.domain.errors import ToolRefused
from aethermind.engine.toolbox import Toolbox
from aethermind.infra.sanitize import is_clean, is_clean_line
from aethermind.infra.tools.functions import Functions
from tests.infra.tools.boxes import MYTOOLS, SERVER, Kit, http_server, kit, tool
from tests.infra.tools.mcp_server import server


@dataclass
class Case:
    """A kind of tool: what opens it, one good call with what its answer holds, one that fits no schema, and
    one that fails."""

    kind: str
    tool: str
    good: dict[str, Any]
    holds: str
    misfit: dict[str, Any]
    bad: dict[str, Any] | None
    effect: str


CASES = [
    Case("files", "read_file", {"path": "notes.txt"}, "some notes", {"path": 5}, None, "read"),
    Case("files", "list_files", {}, "notes.txt", {"paths": "."}, None, "read"),
    Case("files", "search_files", {"pattern": "so.e"}, "notes.txt:1", {}, None, "read"),
    Case("files", "write_file", {"path": "new", "content": "x"}, "wrote new", {"path": "new"}, None, "write"),
    Case("files", "edit_file", {"path": "notes.txt", "old": "some", "new": "no"}, "changed notes.txt",
         {"path": "notes.txt", "old": "", "new": ""}, None, "write"),
    Case("shell", "shell", {"argv": ["echo", "a b"]}, "a b", {"argv": "ls"}, {"argv": ["false"]}, "command"),
    Case("python", "fetch", {"url": "u"}, "page u", {"url": 1}, None, "command"),
    Case("failing python", "boom", {"text": "t"}, "boom t", {}, {"text": "t"}, "command"),
    Case("function", "double", {"number": 4}, "8", {"number": "4"}, {"number": -1}, "pure"),
    Case("mcp over stdio", "fetch", {"url": "u"}, "the page u", {"url": 1}, {"url": "nowhere"}, "network"),
    Case("mcp over http", "fetch", {"url": "u"}, "the page u", {"url": 1}, {"url": "nowhere"}, "network"),
]  # fmt: skip


def double(number: int) -> int:
    """Twice as much."""
    if number < 0:
        raise ValueError("too little")
    return number * 2


@pytest.fixture
async def opened(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[tuple[Case, Kit, Any, Toolbox]]:
    case: Case = request.param
    (tmp_path / "notes.txt").write_text("some notes\n")
    (tmp_path / "mytools.py").write_text(MYTOOLS)
    functions = Functions()
    async with AsyncExitStack() as stack:
        match case.kind:
            case "files" | "shell":
                config = tool(case.kind)
            case "python" | "failing python":
                config = tool(f"python: mytools:{case.tool}")
            case "function":
                config = functions.add(double, effect="pure")
            case "mcp over stdio":
                config = tool(f"mcp: {{command: {json.dumps(SERVER)}, timeout: 30s}}")
            case _:
                config = tool(f"mcp: {{url: '{await stack.enter_async_context(http_server(server))}'}}")
        made = await stack.enter_async_context(kit(tmp_path, functions=functions))
        yield case, made, config, await made.open(config)


every = pytest.mark.parametrize("opened", CASES, ids=lambda case: f"{case.kind} {case.tool}", indirect=True)


@every
async def test_tools_of_every_kind(opened: tuple[Case, Kit, Any, Toolbox]) -> None:
    case, made, config, box = opened
    for spec in box.specs:
        assert spec.name.replace("-", "_").isidentifier()
        assert len(spec.name) <= 64
        assert spec.description
        assert is_clean(spec.description)
        assert spec.source
        assert spec.input_schema["type"] == "object"
        jsonschema.Draft202012Validator.check_schema(spec.input_schema)
    assert len({spec.name for spec in box.specs}) == len(box.specs)
    spec = next(spec for spec in box.specs if spec.name == case.tool)
    assert spec.effect == case.effect
    # The same tools once more: nothing has changed.
    again = await made.open(config)
    assert again.specs == box.specs

    before = sorted((path.name, path.read_bytes()) for path in made.cwd.iterdir() if path.is_file())
    preview = await box.preview(case.tool, case.good)
    assert preview == await again.preview(case.tool, case.good)
    assert preview.title
    assert is_clean_line(preview.title)
    assert is_clean(preview.text)
    after = sorted((path.name, path.read_bytes()) for path in made.cwd.iterdir() if path.is_file())
    assert after == before, "a preview does nothing"

    heard: list[str] = []
    output = await box.call(case.tool, case.good, basis=preview.basis, on_output=heard.append)
    assert case.holds in output.text
    assert output.is_error == (case.kind == "failing python")
    assert all(map(is_clean, heard))

    if case.bad is not None:
        failed = await box.call(case.tool, case.bad)
        assert failed.is_error
        assert failed.text

    for name, arguments in [
        (case.tool, case.misfit),
        (case.tool, {**case.good, "further": "\ud800"}),
        (case.tool, ["no", "object"]),
        (case.tool, "text"),
        (case.tool, None),
        ("no_such_tool", case.good),
        ("../" + case.tool, case.good),
    ]:
        for ask in (box.preview, box.call):
            with pytest.raises(ToolRefused) as caught:
                await ask(name, arguments)
            assert caught.value.info.kind == "bad_request"
            assert is_clean_line(caught.value.line())

    await made.tools.leave("r_1")
    await made.tools.leave("r_1")
    await made.tools.leave("r_other")


@every
async def test_what_is_never_to_be_called_is_not_offered(opened: tuple[Case, Kit, Any, Toolbox]) -> None:
    _, made, config, box = opened
    ((kind, body),) = config.items()
    never = {"read": "never", "write": "never"} if kind == "files" else {"approve": "never"}
    assert not (await made.open({kind: {**body, **never}})).specs
    assert {spec.approve for spec in box.specs} <= {"always", "ask"}


async def test_a_name_that_is_taken_gets_its_source_before_it(tmp_path: Path) -> None:
    def shell(text: str) -> str:
        """A function that would like to be the shell."""
        return text

    functions = Functions()
    mine = functions.add(shell)
    async with kit(tmp_path, functions=functions) as made:
        real = {"shell": {"approve": "ask", "timeout_ms": 1000, "max_output": 1000}}
        other = {"python": {"call": "m:shell", "approve": "always", "effect": "pure", "timeout_ms": 20_000}}
        (tmp_path / "m.py").write_text("def shell(): return 'of m'\ndef none(): ...\n")
        box = await made.open(real, mine, other)
        assert [spec.name for spec in box.specs] == ["shell", "shell_shell", "m_shell_shell"]
        assert len({spec.pin for spec in box.specs}) == 3
        assert box.specs[0].approve == "ask", "what is there first keeps its name"
        assert (await box.call("shell_shell", {"text": "hi"})).text == "hi"
        assert (await box.call("m_shell_shell", {})).text == "of m"
