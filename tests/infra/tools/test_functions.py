from __future__ import annotations

import asyncio
import dataclasses
import enum
import os
import threading
from collections.abc import AsyncIterator, Callable
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Optional, TypedDict

import jsonschema
import pydantic
import pytest

from aethermind.domain.errors import ToolError, ToolRefused
from aethermind.infra.children.signature import Undescribed, convert, describe
from aethermind.infra.tools.functions import Functions
from tests.infra.children.processes import wait_gone
from tests.infra.tools.boxes import MYTOOLS, Kit, kit


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Kit]:
    (tmp_path / "mytools.py").write_text(MYTOOLS)
    async with kit(tmp_path) as made:
        yield made


def python(call: str, **more: Any) -> Any:
    return {"python": {"call": call, "approve": "always", "effect": "pure", "timeout_ms": 20_000, **more}}


# --- signatures --------------------------------------------------------------------------------


class Point(TypedDict, total=False):
    x: int
    label: str


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Size:
    width: int
    height: int = 1


class Model(pydantic.BaseModel):
    size: Size
    name: str = "x"


def schema_of(annotation: Any) -> Any:
    def function(value):  # type: ignore[no-untyped-def]  # its annotation comes below
        """Doc."""

    function.__annotations__ = {"value": annotation}
    schema = describe(function)["schema"]
    jsonschema.Draft202012Validator.check_schema(schema)
    return schema["properties"]["value"]


@pytest.mark.parametrize(
    "annotation,schema",
    [
        (str, {"type": "string"}),
        (int, {"type": "integer"}),
        (bool, {"type": "boolean"}),
        (Any, {}),
        (None, {"type": "null"}),
        (list, {"type": "array"}),
        (list[str], {"type": "array", "items": {"type": "string"}}),
        (tuple[int, ...], {"type": "array", "items": {"type": "integer"}}),
        (dict[str, float], {"type": "object", "additionalProperties": {"type": "number"}}),
        (dict, {"type": "object"}),
        (Literal["a", 2], {"enum": ["a", 2]}),
        (str | None, {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        (Optional[list[int]], {"anyOf": [{"type": "array", "items": {"type": "integer"}}, {"type": "null"}]}),  # noqa: UP045 - that too
        (Annotated[int, "how many"], {"type": "integer", "description": "how many"}),
        ("list[str]", {"type": "array", "items": {"type": "string"}}),
        (
            Point,
            {
                "type": "object",
                "properties": {"x": {"type": "integer"}, "label": {"type": "string"}},
                "additionalProperties": False,
            },
        ),
    ],
)
def test_types_that_json_has(annotation: Any, schema: Any) -> None:
    assert schema_of(annotation) == schema


def test_types_that_pydantic_knows() -> None:
    assert schema_of(Annotated[int, pydantic.Field(ge=1)]) == {"type": "integer", "minimum": 1}
    assert schema_of(date)["format"] == "date"
    assert schema_of(Colour)["enum"] == ["red"]

    def draw(model: Model, colour: Colour = Colour.RED, *, sizes: list[Size]) -> Any:
        return model, colour, sizes

    schema = describe(draw)["schema"]
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["required"] == ["model", "sizes"]
    jsonschema.validate({"model": {"size": {"width": 1}}, "sizes": [{"width": 2}]}, schema)
    arguments = {"model": {"size": {"width": 1}}, "colour": "red", "sizes": [{"width": 2}]}
    assert draw(**convert(draw, arguments)) == (Model(size=Size(1)), Colour.RED, [Size(2)])
    with pytest.raises(Undescribed, match="colour"):
        convert(draw, {**arguments, "colour": "blue"})


def test_parameters() -> None:
    def function(a: int, b: str = "x", c: list[int] | None = None, **more: Any) -> None:
        """Does it.

        And more.
        """

    found = describe(function)
    assert found["description"] == "Does it.\n\nAnd more."
    assert found["schema"]["required"] == ["a"]
    assert found["schema"]["properties"]["b"] == {"type": "string", "default": "x"}
    assert found["schema"]["additionalProperties"] is True
    assert len(found["version"]) == 16
    assert describe(lambda: 1)["schema"] == {
        "type": "object",
        "properties": {},
        "additionalProperties": False,
    }


def positional(a: int, /) -> None: ...
def starred(*a: int) -> None: ...
def unknown(a: threading.Lock) -> None: ...
def unresolved(a: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821 - that is the point


@pytest.mark.parametrize(
    "function,words",
    [(positional, "by name"), (starred, "by name"), (unknown, "parameter a"), (unresolved, "Nowhere")],
)
def test_what_no_model_could_be_told_of(function: Callable[..., Any], words: str) -> None:
    with pytest.raises(Undescribed, match=words):
        describe(function)
    with pytest.raises(ToolError, match="cannot be a tool"):
        Functions().add(function)


# --- of a file, in a child ---------------------------------------------------------------------


async def test_a_function_of_a_file(made: Kit) -> None:
    box = await made.open(python("mytools:search"))
    (spec,) = box.specs
    assert (spec.name, spec.source, spec.effect) == ("search", "mytools:search", "pure")
    assert spec.description == "Search the shelf.\n\nReturns titles."
    assert spec.input_schema["properties"]["query"]["description"] == "what to look for"
    heard: list[str] = []
    output = await box.call("search", {"query": "q"}, on_output=heard.append)
    assert output.data == {"query": "q", "limit": 3, "sort": None}, "what is left out keeps its default"
    assert heard == ["searching q"]
    preview = await box.preview("search", {"query": "\x1b[2J", "sort": "up"})
    assert preview.title == "call mytools:search"
    assert preview.text == '{\n  "query": "\\u001b[2J",\n  "sort": "up"\n}'
    with pytest.raises(ToolRefused, match="sort: 'left'"):
        await box.call("search", {"query": "q", "sort": "left"})


async def test_its_failures(made: Kit) -> None:
    box = await made.open(python("mytools:boom"), python("mytools:where"))
    output = await box.call("boom", {"text": "x"})
    assert output.is_error
    assert output.text == "RuntimeError: boom x"
    assert any("raise RuntimeError" in line for line in made.logged), "the traceback goes to the log"
    assert (await box.call("where", {"points": [{"x": 1, "y": 2}]})).text == "3"
    with pytest.raises(ToolRefused):
        await box.call("where", {"points": [{"x": 1}]})


async def test_what_cannot_be_had_is_named(made: Kit) -> None:
    (made.cwd / "broken.py").write_text("import nothing_of_that_name\n")
    for call, words in [
        ("mytools:serch", "did you mean search"),
        ("mytool:search", "did you mean mytools"),
        ("mytools:positional", "by name"),
        ("broken:f", "nothing_of_that_name"),
    ]:
        with pytest.raises(ToolError) as caught:
            await made.open(python(call))
        assert words in caught.value.line()
        assert call in caught.value.line()


async def test_a_function_that_changes_has_another_pin(made: Kit) -> None:
    (before,) = (await made.open(python("mytools:boom"))).specs
    source = (made.cwd / "mytools.py").read_text()
    (made.cwd / "mytools.py").write_text(source.replace('"boom "', '"bang "'))
    (after,) = (await made.open(python("mytools:boom"))).specs
    assert before.input_schema == after.input_schema
    assert before.pin != after.pin


async def test_it_runs_outside_of_the_engine_without_its_secrets(
    made: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "x")
    box = await made.open(python("mytools:environment"), GITHUB_TOKEN="y")
    names = (await box.call("environment", {})).data
    assert "PATH" in names
    assert not {"OPENAI_API_KEY", "GITHUB_TOKEN"} & set(names)


async def test_it_is_stopped(made: Kit) -> None:
    os.mkfifo(made.cwd / "never")
    box = await made.open(python("mytools:hang"))
    pids: list[int] = []
    started = asyncio.Event()

    def hear(line: str) -> None:
        pids.append(int(line))
        started.set()

    task = asyncio.create_task(box.call("hang", {"path": str(made.cwd / "never")}, on_output=hear))
    await asyncio.wait_for(started.wait(), 20)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert wait_gone(pids, 0) == []
    short = await made.open(python("mytools:hang", timeout_ms=1_000))
    output = await short.call("hang", {"path": str(made.cwd / "never")}, on_output=hear)
    assert output.is_error
    assert "more than 1 s" in output.text
    assert wait_gone(pids, 0) == []


# --- of a program, in this process -------------------------------------------------------------


async def test_functions_of_a_program(tmp_path: Path) -> None:
    threads: list[threading.Thread] = []

    def size(width: Size) -> dict[str, int]:
        threads.append(threading.current_thread())
        return {"area": width.width * width.height}

    async def later(text: str = "x") -> str:
        threads.append(threading.current_thread())
        return text + "\x1b[2J sk-0123456789abcdef0123"

    def lock() -> Any:
        return threading.Lock()

    functions = Functions()
    configs = [functions.add(size), functions.add(later, name="now", approve="ask"), functions.add(lock)]
    async with kit(tmp_path, functions=functions) as made:
        box = await made.open(*configs)
        assert [spec.approve for spec in box.specs] == ["always", "ask", "always"]
        assert (await box.call("size", {"width": {"width": 2, "height": 3}})).data == {"area": 6}
        assert (await box.call("now", {})).text == "x␛[2J [redacted]"
        assert (await box.call("lock", {})).is_error
        assert [thread is threading.main_thread() for thread in threads] == [False, True]
        with pytest.raises(ToolError, match="not registered"):
            await made.open({"function": {**configs[0]["function"], "name": "other"}})
        with pytest.raises(ToolError, match="the name of a tool"):
            functions.add(lambda: 1)


async def test_an_endless_function_of_a_program_is_given_up(tmp_path: Path) -> None:
    async def endless() -> None:
        await asyncio.Event().wait()

    functions = Functions()
    config = functions.add(endless, timeout_ms=50)
    async with kit(tmp_path, functions=functions) as made:
        output = await (await made.open(config)).call("endless", {})
        assert output.is_error
        assert "more than 0.05 s" in output.text
