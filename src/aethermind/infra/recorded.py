"""A recorded run as a script of the simulated provider (`NAME.sim.yaml`).

Every reply has the digest of its prompt, so the workflow runs again without models as long as it asks the
same, and says so when it does not.
"""

from __future__ import annotations

from typing import Any

import msgspec
import yaml

from aethermind.domain.errors import InvalidError
from aethermind.domain.run import Run
from aethermind.domain.state import CallState, Node
from aethermind.domain.usage import Usage
from aethermind.infra.providers.sim_script import prompt_digest
from aethermind.infra.redaction import Redact

Json = Any

MAX_BYTES = 1 << 20
"""Of a file beside a workflow; a larger one would not be read."""


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
    """The replies of the last attempt that had any."""
    calls: list[CallState] = []
    for attempt in node.attempts:
        calls = [call for call in attempt.calls if call.status == "succeeded"] or calls
    if not calls:
        return None
    replies = [_Text(redact(call.text)) for call in calls]
    digests = [_Text(_digest(call.request)) for call in calls]
    if len(calls) > 1:
        return {"replies": replies, "prompt_digest": digests}
    entry: dict[str, Json] = {"reply": replies[0], "prompt_digest": digests[0]}
    if (usage := calls[0].usage) is not None:
        entry["usage"] = _counts(usage)
    return entry


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
