"""All the tools of an agent in one place: the adapter of the port `Tools`.

Rules
- Arguments are checked against the schema before anything looks at them.
- Whatever comes back is made harmless, freed of secrets and cut, here and only here. What was cut is gone:
  what a model saw is what is recorded.
- Names are unique: one that is there already gets its source before it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import msgspec

from aethermind import wire
from aethermind.definitions.hints import did_you_mean, show
from aethermind.domain.errors import OutputError
from aethermind.engine.ports import Schemas
from aethermind.engine.toolbox import Approval, Effect, Preview, Toolbox, ToolOutput, ToolPlace, ToolSpec
from aethermind.infra.sanitize import clean, faithful
from aethermind.infra.tools.files import file_tools
from aethermind.infra.tools.functions import Functions, PythonChildren, python_tool
from aethermind.infra.tools.mcp import McpServers, TalkingChildren
from aethermind.infra.tools.shell import shell_tool
from aethermind.infra.tools.texts import cut
from aethermind.infra.tools.tool import Arguments, Tool, refused

Json = Any
T = TypeVar("T")

MAX_ARGUMENTS = 4 * 1024 * 1024
"""Bytes of JSON."""
MAX_DATA = 256 * 1024
"""Bytes of JSON of an answer's structured part; a larger one is left out, its text is there."""

_NAME = re.compile(r"[^A-Za-z0-9_-]+")


class ToolChildren(PythonChildren, TalkingChildren, Protocol):
    """What `LocalChildren` can do."""


class LocalTools:
    """Tools of one engine, for its event loop.

    `scrub`: takes secrets out of a text. `guarded`: directories that no file tool looks into (the
    product's own). `functions`: those that the program has registered. `version`: ours.
    """

    def __init__(
        self,
        *,
        children: ToolChildren,
        schemas: Schemas,
        scrub: Callable[[str], str],
        guarded: Sequence[str] = (),
        functions: Functions | None = None,
        version: str = "",
    ) -> None:
        self._children = children
        self._schemas = schemas
        self._scrub = scrub
        self._guarded = tuple(guarded)
        self._functions = functions or Functions()
        self._servers = McpServers(children, version=version)

    async def open(self, configs: Sequence[Json], place: ToolPlace) -> Toolbox:
        found = await _all([self._tools(config, place) for config in configs])
        tools = [tool for some in found for tool in some if tool.spec.approve != "never"]
        return LocalToolbox(_unique(tools), self._schemas, self._scrub)

    def register(
        self,
        function: Callable[..., Any],
        *,
        owner: str,
        approve: Approval = "always",
        effect: Effect = "command",
    ) -> Json:
        return self._functions.add(function, owner=owner, approve=approve, effect=effect)

    async def leave(self, run_id: str) -> None:
        await self._servers.leave(run_id)

    async def close(self) -> None:
        await self._servers.close()

    async def _tools(self, config: Json, place: ToolPlace) -> list[Tool]:
        ((kind, body),) = config.items()
        match kind:
            case "files":
                return file_tools(body, place, self._children, self._guarded)
            case "shell":
                return [shell_tool(body, place, self._children)]
            case "python":
                return [await python_tool(body, place, self._children)]
            case "function":
                return [self._functions.tool(body)]
            case "mcp":
                return await self._servers.tools(body, place)
            case _:
                raise AssertionError(f"no kind of tool: {kind}")


class LocalToolbox:
    """The tools of one agent."""

    def __init__(self, tools: Mapping[str, Tool], schemas: Schemas, scrub: Callable[[str], str]) -> None:
        self._tools = tools
        self._schemas = schemas
        self._scrub = scrub

    @property
    def specs(self) -> tuple[ToolSpec, ...]:
        return tuple(tool.spec for tool in self._tools.values())

    async def preview(self, name: str, arguments: Json) -> Preview:
        tool = self._tool(name)
        preview = await tool.preview(self._checked(tool, arguments))
        return msgspec.structs.replace(
            preview, title=self._scrub(preview.title), text=self._scrub(preview.text)
        )

    async def call(
        self,
        name: str,
        arguments: Json,
        *,
        basis: str = "",
        on_output: Callable[[str], None] | None = None,
    ) -> ToolOutput:
        tool = self._tool(name)
        checked = self._checked(tool, arguments)
        heard = None if on_output is None else lambda text: on_output(self._scrub(clean(text)))
        return self._finished(tool, await tool.call(checked, basis, heard))

    def _tool(self, name: str) -> Tool:
        tool = self._tools.get(name)
        if tool is None:
            hint = did_you_mean(name, self._tools, label="there are")
            raise refused(f"there is no tool {show(name)}", hint)
        return tool

    def _checked(self, tool: Tool, arguments: Json) -> Arguments:
        name = tool.spec.name
        if not isinstance(arguments, dict):
            raise refused(f"{name}: the arguments should be a JSON object")
        try:
            size = len(wire.encode_json(arguments))
        except (UnicodeEncodeError, TypeError, ValueError, RecursionError):
            raise refused(f"{name}: the arguments hold what JSON cannot") from None
        if size > MAX_ARGUMENTS:
            raise refused(f"{name}: the arguments are larger than {MAX_ARGUMENTS // 1024 // 1024} MiB")
        try:
            # What fits is used as it came: an optional parameter that is left out is not null.
            self._schemas.check(arguments, tool.schema)
        except OutputError as problem:
            raise refused(f"{name}: the arguments do not fit: {problem.message}") from None
        return arguments

    def _finished(self, tool: Tool, output: ToolOutput) -> ToolOutput:
        harmless = faithful if tool.faithful else clean
        text, shortened = cut(self._scrub(harmless(wire.recordable(output.text))), tool.limit)
        data, dropped = self._data(output.data)
        return ToolOutput(
            text=text,
            is_error=output.is_error,
            data=data,
            truncated=output.truncated or shortened or dropped,
        )

    def _data(self, data: Json) -> tuple[Json, bool]:
        if data is None:
            return None, False
        try:
            encoded = wire.encode_json(data)
        except (UnicodeEncodeError, TypeError, ValueError, RecursionError):
            return None, True
        if len(encoded) > MAX_DATA:
            return None, True
        return self._scrubbed(data), False

    def _scrubbed(self, data: Json) -> Json:
        if isinstance(data, str):
            return self._scrub(data)
        if isinstance(data, dict):
            return {self._scrub(key): self._scrubbed(value) for key, value in data.items()}
        if isinstance(data, list):
            return [self._scrubbed(value) for value in data]
        return data


async def _all(works: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """What they give, in order. If one raises, the others are cancelled and waited for."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        if tasks:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    for one in ended:
        if isinstance(one, BaseException) and not isinstance(one, asyncio.CancelledError):
            raise one
    return [task.result() for task in tasks]


def _unique(tools: Sequence[Tool]) -> dict[str, Tool]:
    """By name. Of those that share one all but the first are renamed, so that what was added does not rename
    what was there."""
    out: dict[str, Tool] = {}
    for tool in tools:
        name = tool.spec.name
        if name in out:
            source = _NAME.sub("_", tool.spec.source.removeprefix("mcp ")).strip("_") or "other"
            if not source[0].isalpha():  # some vendors want a letter there
                source = f"mcp_{source}"
            base = f"{source[: 62 - len(name)]}_{name}" if len(name) < 60 else f"{name[:58]}_2"
            name, number = base, 2
            while name in out:
                name, number = f"{base[:60]}_{number}", number + 1
        out[name] = tool if name == tool.spec.name else tool.named(name)
    return out
