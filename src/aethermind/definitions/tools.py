"""The `tools:` of agents and prompt steps.

Each becomes one JSON object with one key, with nothing left to be guessed:

    {"files":  {"read", "write", "root"?}}
    {"shell":  {"approve", "timeout_ms", "max_output", "allowed"?}}
    {"python": {"call", "approve", "effect", "timeout_ms"}}
    {"mcp":    {"command", "env", "cwd"?, "allowed"?, "approve", "timeout_ms"}}
    {"mcp":    {"url", "headers", "allowed"?, "approve", "timeout_ms"}}
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from aethermind.definitions.context import Context
from aethermind.definitions.hints import did_you_mean, show
from aethermind.definitions.nodes import Map, Node, Scalar, Seq, error

Json = Any

TIMEOUT_MS = 120_000
"""Of a call of a shell command, a Python function or a server's tool."""
MAX_OUTPUT = 64 * 1024
"""Bytes of a command's output that the model gets."""

_SECRET_NAME = re.compile(
    r"(?:^|[-_])(?:api[-_]?key|key|token|secret|passw(?:or)?d|pwd|pat|credentials?|auth|authorization|cookie)"
    r"(?:$|[-_])|apikey|password|secret|token(?!s)",
    re.IGNORECASE,
)
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")


def read_tools(context: Context, owner: Map, who: str) -> tuple[Json, ...]:
    """Each tool as the module says. Raises `InvalidError`; what starts something is noted for trust."""
    node = owner.entries.get("tools")
    if not isinstance(node, Seq) or not node.items:
        return ()
    out: list[Json] = []
    for item in node.items:
        if isinstance(item, Scalar):
            kind = str(item.value)
            tool = {kind: _PLAIN[kind](context, None, who)}
        else:
            assert isinstance(item, Map)
            if len(item.entries) != 1:
                raise error(item, "a tool is exactly one of files, shell, python, mcp")
            ((kind, body),) = item.entries.items()
            tool = {kind: _TOOLS[kind](context, body, who)}
        if tool in out or (kind in _PLAIN and any(kind in other for other in out)):
            raise error(item, f"{who} has this tool twice", hint=f"one `{kind}` with all that it needs")
        out.append(tool)
    return tuple(out)


def _files(context: Context, body: Node | None, who: str) -> Json:
    out: dict[str, Json] = {"read": "always", "write": "ask"}
    if isinstance(body, Map):
        out |= body.plain_data()
        if "root" in out:
            out["root"] = _below(body.entries["root"], "root")
    if out["write"] == "always":
        context.needs_trust.append(f"{who} may write files unasked")
    return out


def _shell(context: Context, body: Node | None, who: str) -> Json:
    out: dict[str, Json] = {"approve": "ask", "timeout_ms": TIMEOUT_MS, "max_output": MAX_OUTPUT}
    if isinstance(body, Scalar):
        out["approve"] = body.value
    elif isinstance(body, Map):
        out |= {key: value for key, value in body.plain_data().items() if key != "timeout"}
        out["timeout_ms"] = context.timeout(body) or TIMEOUT_MS
    if out["approve"] != "never":
        which = ", ".join(" ".join(words) for words in out.get("allowed", ()))
        context.needs_trust.append(f"{who} may use the shell" + (f" for {show(which, 80)}" if which else ""))
    return out


def _python(context: Context, body: Node, who: str) -> Json:
    out: dict[str, Json] = {"approve": "always", "effect": "command", "timeout_ms": TIMEOUT_MS}
    if isinstance(body, Map):
        out |= {key: value for key, value in body.plain_data().items() if key != "timeout"}
        out["timeout_ms"] = context.timeout(body) or TIMEOUT_MS
        body = body.entries["call"]
    out["call"] = context.target(body)
    # Describing a function imports its module, so it counts even if it may never be called.
    context.needs_trust.append(f"{who} may call Python `{show(out['call'], 80)}`")
    return out


def _mcp(context: Context, body: Node, who: str) -> Json:
    assert isinstance(body, Map)
    entries = body.entries
    if ("command" in entries) == ("url" in entries):
        raise error(body, "an MCP server has exactly one of `command` and `url`")
    for key, other in (("env", "command"), ("cwd", "command"), ("headers", "url")):
        if key in entries and other not in entries:
            raise body.key_error(key, f"`{key}` belongs to an MCP server with `{other}`")
    out: dict[str, Json] = {"approve": "ask"}
    out |= {key: value for key, value in body.plain_data().items() if key != "timeout"}
    out["timeout_ms"] = context.timeout(body) or TIMEOUT_MS
    if "url" in entries:
        _check_url(entries["url"])
        _check_headers(entries.get("headers"))
        _check_values(entries.get("headers"))
        out["headers"] = context.env(entries.get("headers"))
        context.needs_trust.append(f"{who} may use the MCP server {show(str(out['url']), 80)}")
    else:
        context.check_env_keys(entries.get("env"))
        _check_values(entries.get("env"))
        out["env"] = context.env(entries.get("env"))
        if "cwd" in entries:
            out["cwd"] = _below(entries["cwd"], "cwd")
        context.needs_trust.append(f"{who} starts the MCP server `{show(' '.join(out['command']), 80)}`")
    return out


def _below(node: Node, key: str) -> str:
    """A directory below the working directory, without needless parts."""
    assert isinstance(node, Scalar)
    path = str(node.value)
    parts = [part for part in path.split("/") if part not in {"", "."}]
    if path.startswith("/") or ".." in parts or not path.isprintable():
        raise error(
            node, f"`{key}` cannot be `{show(path)}`", hint="a directory below the working directory, no `..`"
        )
    return "/".join(parts) or "."


def _check_url(node: Node) -> None:
    assert isinstance(node, Scalar)
    url = str(node.value)
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        parts, host = None, None
    if parts is None or parts.scheme not in {"http", "https"} or not host or not url.isprintable():
        scheme = parts.scheme if parts is not None else ""
        near = did_you_mean(scheme, ("https", "http")) if scheme and "://" in url else None
        raise error(node, f"`{show(url)}` is no address", hint=near or "https://…")
    if parts.username is not None or parts.password is not None:
        raise error(
            node,
            "a password does not belong into a workflow file",
            hint="headers: {Authorization: $NAME}",
        )
    if any(_SECRET_NAME.search(name) for name, _ in parse_qsl(parts.query)):
        raise error(node, "a secret does not belong into an address", hint="headers: {Authorization: $NAME}")


def _check_headers(node: Node | None) -> None:
    if isinstance(node, Map):
        for name in node.entries:
            if not _HEADER.match(name):
                raise node.key_error(name, f"`{show(name)}` is no name of a header")


def _check_values(node: Node | None) -> None:
    """What the name says is a secret has to come from the environment."""
    if not isinstance(node, Map):
        return
    for name, child in node.entries.items():
        assert isinstance(child, Scalar)
        value = str(child.value)
        if value and not value.startswith("$") and _SECRET_NAME.search(name):
            hint = "take it from the environment: $NAME"
            if "$" in value:
                hint = "$NAME has to be the whole value: put all of it into the variable"
            raise error(
                child, f"`{show(name)}` is a secret, which does not belong into a workflow file", hint=hint
            )
        if any(ord(char) < 0x20 or ord(char) == 0x7F for char in name + value):
            raise error(child, f"`{show(name)}` holds a control character")


_PLAIN = {"files": _files, "shell": _shell}
"""The tools that may be named without more. An agent has each once."""
_TOOLS = {"files": _files, "shell": _shell, "python": _python, "mcp": _mcp}
