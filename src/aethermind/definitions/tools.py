"""The `tools:` of agents and prompt steps."""

from __future__ import annotations

from typing import Any

from aethermind.definitions.context import Context
from aethermind.definitions.hints import show
from aethermind.definitions.nodes import Map, Scalar, Seq, error

Json = Any


def read_tools(context: Context, owner: Map, who: str) -> tuple[Json, ...]:
    """Each tool as `{kind: what}`. Raises `InvalidError`; what starts something is noted for trust."""
    node = owner.entries.get("tools")
    if not isinstance(node, Seq) or not node.items:
        return ()
    out = []
    for item in node.items:
        if isinstance(item, Scalar):
            item_kind = str(item.value)
            out.append({item_kind: {"read": "always", "write": "ask"} if item_kind == "files" else "ask"})
            if item_kind == "shell":
                context.needs_trust.append(f"{who} may use the shell")
            continue
        assert isinstance(item, Map)
        if len(item.entries) != 1:
            raise error(item, "a tool is exactly one of files, shell, python, mcp")
        ((kind, body),) = item.entries.items()
        out.append({kind: _TOOLS[kind](context, body, who)})
    context.refuse_for_now("tools", owner, "tools")
    return tuple(out)


def _files(context: Context, body: Any, who: str) -> Json:
    return {"read": "always", "write": "ask", **body.plain_data()}


def _shell(context: Context, body: Any, who: str) -> Json:
    if body.plain_data() != "never":
        context.needs_trust.append(f"{who} may use the shell")
    return body.plain_data()


def _python(context: Context, body: Any, who: str) -> Json:
    target = context.target(body)
    context.needs_trust.append(f"{who} may call Python `{show(target, 80)}`")
    return target


def _mcp(context: Context, body: Map, who: str) -> Json:
    entries = body.entries
    if ("command" in entries) == ("url" in entries):
        raise error(body, "an MCP server has exactly one of `command` and `url`")
    for key, other in (("env", "command"), ("headers", "url")):
        if key in entries and other not in entries:
            raise body.key_error(key, f"`{key}` belongs to an MCP server with `{other}`")
    context.check_env_keys(entries.get("env"))
    out: dict[str, Json] = {"approve": "ask", **body.plain_data()}
    if "url" in entries:
        url = str(out["url"])
        if not url.startswith(("https://", "http://")):
            raise error(entries["url"], f"`{show(url)}` is no address", hint="https://…")
        out["headers"] = context.env(entries.get("headers"))
        context.needs_trust.append(f"{who} may use the MCP server {show(url, 80)}")
    else:
        out["env"] = context.env(entries.get("env"))
        context.needs_trust.append(f"{who} starts the MCP server `{show(' '.join(out['command']), 80)}`")
    return out


_TOOLS = {"files": _files, "shell": _shell, "python": _python, "mcp": _mcp}
