"""A recorded run as a script of the simulated provider (`NAME.sim.yaml`).

Every reply has the digest of its prompt, so the workflow runs again without models as long as it asks the
same, and says so when it does not. A conversation with tools has none: what the tools say is never quite the
same.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

import msgspec
import yaml

from aethermind.domain import journal
from aethermind.domain.call_states import CallState
from aethermind.domain.errors import InvalidError
from aethermind.domain.run import Run
from aethermind.domain.state import Node
from aethermind.domain.usage import Usage
from aethermind.infra.providers.sim_script import prompt_digest
from aethermind.infra.redaction import Redact

Json = Any

MAX_BYTES = 1 << 20
"""Of a file beside a workflow; a larger one would not be read."""
DEEPEST = 20
PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]+\Z")


def script(run: Run, *, redact: Redact) -> str:
    """The file's text. Raises `InvalidError` if no reply was recorded, or if they are too large."""
    steps = {node.path: entry for node in run.walk() if (entry := _entry(node, redact)) is not None}
    if not steps:
        raise InvalidError(f"run {run.id} has no reply of a model")
    head = (
        f"# Recorded from run {run.id} of {_one_line(run.created.workflow)}. A reply with a prompt_digest\n"
        "# is given to that prompt alone: where a prompt has changed, the step fails and says so.\n"
    )
    text = head + yaml.dump(
        {"steps": steps}, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=1 << 20
    )
    size = len(text.encode())
    if size > MAX_BYTES:
        raise InvalidError(
            f"the replies of run {run.id} are {size >> 10} KiB; a script of replies holds at most 1 MiB",
            hint="record a run with fewer items: aethermind run … --limit N",
        )
    return text


def _entry(node: Node, redact: Redact) -> dict[str, Json] | None:
    """The replies of the last attempt that had any; of a conversation with tools, all of its last one."""
    talk = [call for _, call in journal.answered(node)]
    if any(call.tool_calls for call in talk):
        return {"replies": [_turn(call, redact) for call in talk]}
    calls: list[CallState] = []
    for attempt in node.attempts:
        calls = [call for call in attempt.calls if call.status == "succeeded"] or calls
    if not calls:
        return None
    replies = [_reply(redact(call.text)) for call in calls]
    digests = [_Text(_digest(call.request)) for call in calls]
    if len(calls) > 1:
        return {"replies": replies, "prompt_digest": digests}
    entry: dict[str, Json] = {"reply": replies[0], "prompt_digest": digests[0]}
    # A call that was answered from the record used nothing; a model asked for the same would.
    if (usage := calls[0].usage) is not None and calls[0].cached_from is None:
        entry["usage"] = _counts(usage)
    return entry


def _turn(call: CallState, redact: Redact) -> Json:
    """One answer of a conversation: which one is due is told by how many there were."""
    if not call.tool_calls:
        return _reply(redact(call.text))
    tools = [
        {"name": _Text(part["name"]), "arguments": _arguments(part["arguments"], redact)}
        for part in call.tool_calls
    ]
    return {"text": _Text(redact(call.text)), "tools": tools} if call.text else {"tools": tools}


def _arguments(value: Json, redact: Redact) -> Json:
    match value:
        case str():
            return _Text(redact(value))
        case list():
            return [_arguments(part, redact) for part in value]
        case dict():
            return {_key(key): _arguments(part, redact) for key, part in value.items()}
        case _:
            return value


def _reply(text: str) -> Json:
    """The text, or the JSON value that is sent as exactly this text: that is easier to read and to edit."""
    if text[:1] in {"{", "["}:
        try:
            value = json.loads(text)
            if json.dumps(value, ensure_ascii=False) == text:
                return _quoted(value, DEEPEST)
        except (ValueError, RecursionError):
            pass
    return _Text(text)


def _quoted(value: Json, room: int) -> Json:
    """Raises `ValueError` for what a YAML reader might take for something else."""
    match value:
        case _ if room == 0:
            raise ValueError("too deep")
        case str():
            return _Text(value)
        case None | bool():
            return value
        case int() if abs(value) < 1 << 53:
            return value
        case float() if math.isfinite(value):
            return value
        case list():
            return [_quoted(part, room - 1) for part in value]
        case dict():
            return {_key(key): _quoted(part, room - 1) for key, part in value.items()}
        case _:
            raise ValueError("too large")


def _key(key: str) -> str:
    return key if PLAIN.match(key) else _Text(key)  # the emitter quotes words such as `no`


def _digest(request: Json) -> str:
    """Of what `CallStarted` recorded of a request."""
    messages = [(str(m["role"]), str(m["content"])) for m in request.get("messages", ())]
    return prompt_digest(str(request.get("system", "")), messages)


def _counts(usage: Usage) -> dict[str, int]:
    found: dict[str, int] = msgspec.to_builtins(usage)
    return {
        name: count for name, count in found.items() if count or name in {"input_tokens", "output_tokens"}
    }


def _one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


class _Text(str):
    """A text that is read as a text, whatever it looks like."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True  # scripts have no aliases


def _represent(dumper: yaml.SafeDumper, text: _Text) -> yaml.ScalarNode:
    # Of several lines as a block where that is possible (the emitter knows), else in double quotes.
    style = "|" if "\n" in text else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", str(text), style=style)


_Dumper.add_representer(_Text, _represent)
