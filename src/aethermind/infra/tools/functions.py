"""Python functions as tools: what they take is read off their signature, what they do off their docstring.

A function of a workflow file (`python: module:function`) is described and called in a spawned child of the
submitter's interpreter, so it never runs in the engine. A function that a program hands to the SDK runs in
that program: a synchronous one on a thread, which nothing can stop.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol

from aethermind import wire
from aethermind.domain.errors import CommandError
from aethermind.engine.ports import ChildOutput, Children
from aethermind.engine.ports import Output as Lines
from aethermind.engine.surroundings import surroundings
from aethermind.engine.toolbox import Approval, Effect, Preview, ToolOutput, ToolPlace
from aethermind.infra.children import signature
from aethermind.infra.children.python import Mode
from aethermind.infra.tools.tool import Arguments, Output, Tool, as_json, spec_of, title, unavailable
from aethermind.infra.tools.waiting import TimedOut, within

Json = Any

_DESCRIBE_SECONDS = 60.0
"""An import may take long; one that takes longer hangs."""
_GONE = frozenset({"not_found", "command", "internal"})
"""Errors that say that the function can't be had, not that it failed."""


class PythonChildren(Children, Protocol):
    """Children that can also say what a function takes."""

    async def call_python(
        self,
        target: str,
        arguments: Mapping[str, Json],
        *,
        interpreter: str,
        cwd: str,
        env: Mapping[str, str],
        on_output: Lines | None = None,
        mode: Mode = "call",
    ) -> Json: ...


async def python_tool(config: Json, place: ToolPlace, children: PythonChildren) -> Tool:
    """`config`: the body of `{"python": …}`. Raises `ToolError` if there is no such function, or none that
    a model could be told of."""
    target: str = config["call"]
    ask = children.call_python(
        target,
        {},
        interpreter=place.interpreter,
        cwd=place.cwd,
        env=surroundings(place.env),
        mode="describe",
        on_output=lambda line: place.log(f"{target}: {line.text}"),
    )
    try:
        found = await within(_DESCRIBE_SECONDS, ask)
    except TimedOut:
        raise unavailable("timeout", f"{target}: importing it took {_DESCRIBE_SECONDS:g} s") from None
    except CommandError as problem:
        raise unavailable(
            problem.info.kind,
            f"the tool {target} cannot be had: {problem.message}",
            problem.hint,
            detail=problem.info.detail or "",
        ) from problem
    seconds = config["timeout_ms"] / 1000

    async def call(arguments: Arguments, on_output: Output | None) -> Json:
        work = children.call_python(
            target,
            arguments,
            interpreter=place.interpreter,
            cwd=place.cwd,
            env=surroundings(place.env),
            mode="tool",
            on_output=partial(_hear, on_output),
        )
        try:
            return await within(seconds, work)
        except CommandError as problem:
            if problem.info.kind == "cancelled":
                raise
            if problem.info.kind in _GONE:
                raise unavailable(
                    problem.info.kind, problem.message, problem.hint, detail=problem.info.detail or ""
                ) from problem
            if problem.info.detail:
                place.log(problem.info.detail)
            raise _Failed(problem.message) from None

    name = target.rpartition(":")[2].replace(".", "_")
    return _tool(name, found, config, target, call, seconds)


class Functions:
    """The functions that a program gave to its agents, by name."""

    def __init__(self) -> None:
        self._functions: dict[tuple[str, str], Callable[..., Any]] = {}
        """By owner and name."""

    def add(
        self,
        function: Callable[..., Any],
        *,
        name: str | None = None,
        owner: str = "",
        approve: Approval = "always",
        effect: Effect = "command",
        timeout_ms: int = 120_000,
    ) -> Json:
        """Know a function (sync or async, of parameters that can be given by name); returns its entry in an
        agent's `tools`. Raises `ToolError` if no model could be told of it. The last one of a name and owner
        (an agent) counts."""
        known: str = name or getattr(function, "__name__", None) or ""
        try:
            signature.describe(function)
        except signature.Undescribed as problem:
            raise unavailable("bad_request", f"{known or function!r} cannot be a tool: {problem}") from None
        if not known.replace("_", "").isalnum() or not known.isascii():
            raise unavailable("bad_request", f"{known!r} cannot be the name of a tool", "give it a name=")
        self._functions[owner, known] = function
        entry: dict[str, Json] = {
            "name": known,
            "approve": approve,
            "effect": effect,
            "timeout_ms": timeout_ms,
        }
        return {"function": {**entry, "owner": owner} if owner else entry}

    def tool(self, config: Json) -> Tool:
        """`config`: the body of `{"function": …}`."""
        function = self._functions.get((config.get("owner", ""), config["name"]))
        if function is None:
            raise unavailable(
                "not_found",
                f"the function {config['name']} is not registered in this process",
                "start the program that defines it and resume the run from there",
            )
        seconds = config["timeout_ms"] / 1000

        async def call(arguments: Arguments, on_output: Output | None) -> Json:
            try:
                fitting = signature.convert(function, arguments)
                value = await within(seconds, _run(function, fitting))
                return wire.decode_json(wire.encode_json(value))
            except TimedOut:
                raise
            except Exception as problem:  # whatever it raised is the answer
                raise _Failed(f"{type(problem).__name__}: {problem}") from problem

        return _tool(config["name"], signature.describe(function), config, config["name"], call, seconds)


class _Failed(Exception):
    """The function raised."""


async def _run(function: Callable[..., Any], arguments: Arguments) -> Any:
    if inspect.iscoroutinefunction(inspect.unwrap(function)):
        return await function(**arguments)
    value = await asyncio.to_thread(function, **arguments)
    return await value if inspect.isawaitable(value) else value


def _tool(
    name: str,
    found: Json,
    config: Json,
    source: str,
    call: Callable[[Arguments, Output | None], Any],
    seconds: float,
) -> Tool:
    async def preview(arguments: Arguments) -> Preview:
        return Preview(title=title("call", source), text=as_json(arguments))

    async def answer(arguments: Arguments, basis: str, on_output: Output | None) -> ToolOutput:
        try:
            value = await call(arguments, on_output)
        except _Failed as failed:
            return ToolOutput(text=str(failed), is_error=True)
        except TimedOut:
            return ToolOutput(text=f"{source} took more than {seconds:g} s and was given up", is_error=True)
        if isinstance(value, str):
            return ToolOutput(text=value)
        return ToolOutput(text=wire.encode_json(value).decode(), data=value)

    spec = spec_of(
        name,
        found["description"] or f"The function {source}.",
        found["schema"],
        effect=config["effect"],
        approve=config["approve"],
        source=source,
        version=found["version"],
    )
    return Tool(spec=spec, schema=found["schema"], preview=preview, call=answer)


def _hear(on_output: Output | None, line: ChildOutput) -> None:
    if on_output is not None:
        on_output(line.text)
