"""Tools of MCP servers.

A session per run and server is made when an agent first needs it and kept warm. What a server offers is
pinned: a call to a tool whose name, description or schema is not what it was is refused. Descriptions are
untrusted: made harmless, cut, and given to the model as what they are. What a server says of its own tools'
effects counts for nothing.
"""

from __future__ import annotations

import asyncio
import importlib
import json
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from aethermind import wire
from aethermind.definitions.hints import did_you_mean
from aethermind.domain.errors import ToolError
from aethermind.engine.ports import Output as Lines
from aethermind.engine.surroundings import surroundings
from aethermind.engine.toolbox import Preview, ToolOutput, ToolPlace, ToolSpec
from aethermind.infra.children.dialog import Dialog
from aethermind.infra.sanitize import clean, clean_line
from aethermind.infra.tools.tool import Arguments, Output, Tool, as_json, spec_of, title, unavailable
from aethermind.infra.tools.waiting import TimedOut

if TYPE_CHECKING:
    from aethermind.infra.tools.mcp_session import Answer, Listed, Session

Json = Any

MAX_TOOLS = 500
_MAX_DESCRIPTION = 4_000
_MAX_SCHEMA = 64 * 1024
"""Bytes of JSON."""
_LAUNCHERS = frozenset({
    "bun", "bunx", "deno", "docker", "node", "npx", "pipx", "podman", "python", "python3", "sh", "uv", "uvx",
})  # fmt: skip
"""Programs that start servers and are none. What stands behind them names the server."""


class TalkingChildren(Protocol):
    """Children that can be spoken with."""

    def talk(
        self, argv: list[str], *, cwd: str, env: Mapping[str, str], on_error: Lines | None = None
    ) -> AbstractAsyncContextManager[Dialog]: ...


class McpServers:
    """The sessions of all runs. `version`: ours, as servers are told."""

    def __init__(self, children: TalkingChildren, *, version: str) -> None:
        self._children = children
        self._version = version
        self._sessions: dict[tuple[str, str], Session] = {}

    async def tools(self, config: Json, place: ToolPlace) -> list[Tool]:
        """`config`: the body of `{"mcp": …}`. Raises `ToolError`."""
        session = await self._session(config, place)
        offered = {tool.name: tool for tool in (await session.tools())[:MAX_TOOLS]}
        label = label_of(config)
        allowed = config.get("allowed")
        for name in allowed or ():
            if name not in offered:
                hint = did_you_mean(name, offered, label="it has")
                raise unavailable("not_found", f"the MCP server {label} has no tool {name!r}", hint)

        def read() -> tuple[list[Tool], list[ToolError]]:
            found, left_out = [], []
            for name in allowed or offered:
                try:
                    found.append(_Remote(session, label, offered[name], config).tool())
                except ToolError as problem:
                    left_out.append(problem)
            return found, left_out

        # Checking hundreds of schemas takes a while.
        found, left_out = await asyncio.to_thread(read)
        if left_out and allowed:
            raise left_out[0]
        for problem in left_out:
            place.log(f"MCP server {label}: left out: {problem.message}")
        return found

    async def leave(self, run_id: str) -> None:
        """End the sessions of a run."""
        await self._end([key for key in self._sessions if key[0] == run_id])

    async def close(self) -> None:
        await self._end(list(self._sessions))

    async def _end(self, keys: list[tuple[str, str]]) -> None:
        sessions = [self._sessions.pop(key) for key in keys]
        await asyncio.gather(*(session.close() for session in sessions))

    async def _session(self, config: Json, place: ToolPlace) -> Session:
        server = {key: config.get(key) for key in ("command", "env", "cwd", "url", "headers")}
        key = (place.run_id, wire.digest([server, place.cwd]))
        if key not in self._sessions:
            # Importing the SDK takes seconds, and the loop must not stop for it.
            module = await asyncio.to_thread(importlib.import_module, "aethermind.infra.tools.mcp_session")
            self._sessions.setdefault(key, self._new(module, config, place))
        return self._sessions[key]

    def _new(self, module: ModuleType, config: Json, place: ToolPlace) -> Session:
        session: Session
        label = label_of(config)
        if "url" in config:
            headers = values_of(config.get("headers", {}), place, label)
            session = module.Session(label, version=self._version, url=config["url"], headers=headers)
            return session
        env = {**surroundings(place.env), **values_of(config.get("env", {}), place, label)}
        cwd = str(Path(place.cwd, config.get("cwd", ".")))
        session = module.Session(
            label,
            version=self._version,
            open_dialog=lambda: self._children.talk(
                config["command"],
                cwd=cwd,
                env=env,
                on_error=lambda line: place.log(f"MCP server {label}: {line.text}"),
            ),
        )
        return session


class _Remote:
    """A tool of a server, as it was when the toolbox was opened."""

    def __init__(self, session: Session, label: str, listed: Listed, config: Json) -> None:
        self._session = session
        self._label = label
        self._listed = listed
        self._config = config
        self._seconds = config["timeout_ms"] / 1000
        self._spec = _spec(listed, config, label)

    def tool(self) -> Tool:
        """Raises `ToolError` if its schema is none."""
        schema = _checkable(self._listed.schema)
        _check_schema(self._listed.name, schema)
        return Tool(spec=self._spec, schema=schema, preview=self._preview, call=self._call)

    async def _preview(self, arguments: Arguments) -> Preview:
        what = f"{self._listed.name} of the MCP server {self._label}"
        return Preview(title=title("call", what), text=as_json(arguments))

    async def _call(self, arguments: Arguments, basis: str, on_output: Output | None) -> ToolOutput:
        await self._same()
        try:
            answer = await self._session.call(self._listed.name, arguments, self._seconds, on_output)
        except TimedOut:
            text = f"no answer within {self._seconds:g} s; whether it did its work is not known"
            return ToolOutput(text=text, is_error=True)
        return ToolOutput(
            text=_text(answer) or "[nothing was answered]", is_error=answer.is_error, data=answer.data
        )

    async def _same(self) -> None:
        """Raises `ToolError` unless the server still offers just this."""
        name = self._listed.name
        now = next((tool for tool in await self._session.tools() if tool.name == name), None)
        if now is None:
            raise unavailable("bad_request", f"the MCP server {self._label} no longer has the tool {name}")
        if _spec(now, self._config, self._label).pin != self._spec.pin:
            raise unavailable(
                "bad_request",
                f"the MCP server {self._label} has changed its tool {name} while the run was under way",
                "resume or retry the run to see what it is now",
            )


def _spec(listed: Listed, config: Json, label: str) -> ToolSpec:
    return spec_of(
        _sound_name(listed.name),
        clean(listed.description)[:_MAX_DESCRIPTION],
        _harmless(listed.schema),
        effect="network",
        approve=config["approve"],
        source=f"mcp {label}",
    )


def label_of(config: Json) -> str:
    """A short name of a server: its host, or its program without what starts it."""
    if "url" in config:
        return clean_line(urlsplit(config["url"]).hostname or "mcp")
    words = [word for word in config["command"] if not word.startswith("-")] or ["mcp"]
    first = words[0].rpartition("/")[2]
    chosen = words[1] if len(words) > 1 and first.partition(".")[0] in _LAUNCHERS else words[0]
    name = chosen.rstrip("/").rpartition("/")[2].removesuffix(".py").removesuffix(".js")
    return clean_line((name.partition("@")[0] or name)[:40])


def values_of(named: Mapping[str, str], place: ToolPlace, label: str) -> dict[str, str]:
    """`$NAME` → its value. Raises `ToolError` for one that is not set."""
    out = {}
    for key, value in named.items():
        if value.startswith("$"):
            if value[1:] not in place.env:
                raise unavailable(
                    "missing_key",
                    f"the MCP server {label} needs {value[1:]}, which is not set",
                    f"export {value[1:]}=…",
                )
            name, value = value[1:], place.env[value[1:]]  # noqa: PLW2901 - the name has done its work
            if not value.isprintable():
                # Said here: whoever is handed such a value complains by showing it.
                raise unavailable(
                    "bad_request", f"the MCP server {label}: {name} holds a line break or the like"
                )
        out[key] = value
    return out


def _sound_name(name: str) -> str:
    """As models' vendors want names of tools."""
    sound = "".join(char if char.isascii() and (char.isalnum() or char in "_-") else "_" for char in name)
    return sound[:64] or "tool"


def _harmless(schema: Json, depth: int = 0) -> Json:
    """A schema whose words for the model hide nothing. What values are allowed stays as it is."""
    if isinstance(schema, dict) and depth < 50:
        return {
            key: clean(value)[:_MAX_DESCRIPTION]
            if key in {"description", "title"} and isinstance(value, str)
            else _harmless(value, depth + 1)
            for key, value in schema.items()
        }
    if isinstance(schema, list) and depth < 50:
        return [_harmless(value, depth + 1) for value in schema]
    return schema


_PATTERNS = frozenset({"pattern", "patternProperties", "format", "$schema", "$id"})


def _checkable(schema: Json, *, names: bool = False) -> Json:
    """The schema without patterns: matching one of a stranger's could take for ever, and the server checks
    its arguments itself. `names`: the keys are names of properties."""
    if isinstance(schema, dict):
        return {
            key: _checkable(value, names=key in {"properties", "$defs", "definitions"} and not names)
            for key, value in schema.items()
            if names or key not in _PATTERNS
        }
    if isinstance(schema, list):
        return [_checkable(value) for value in schema]
    return schema


def _check_schema(name: str, schema: Json) -> None:
    from jsonschema import Draft202012Validator, SchemaError

    try:
        if len(json.dumps(schema)) > _MAX_SCHEMA:
            raise unavailable("malformed", f"{name}: its schema is larger than {_MAX_SCHEMA // 1024} KiB")
        Draft202012Validator.check_schema(schema)
    except SchemaError as problem:
        raise unavailable("malformed", f"{name}: its schema is none: {problem.message}") from None
    except RecursionError:
        raise unavailable("malformed", f"{name}: its schema is nested too deep") from None


def _text(answer: Answer) -> str:
    """What a server answered, as text: pictures and sound are named, not shown."""
    parts = []
    for block in answer.blocks:
        match block.type:
            case "text":
                parts.append(block.text)
            case "image" | "audio":
                parts.append(f"[{block.type} {block.mime_type}, {len(block.data) * 3 // 4} bytes: not shown]")
            case "resource_link":
                parts.append(f"[resource {block.uri}]")
            case "resource":
                text = getattr(block.resource, "text", None)
                parts.append(text if text is not None else f"[resource {block.resource.uri}: binary]")
            case _:
                parts.append(f"[{block.type}: not shown]")
    if not parts and answer.data is not None:
        parts.append(wire.encode_json(answer.data).decode())
    return "\n".join(parts)
