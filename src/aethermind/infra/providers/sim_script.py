"""Scripted replies of the simulated provider: the content of `FILE.sim.yaml`.

    seed: 1                          # of what is made up
    tokens_per_second: 80            # for all steps
    delay: 200ms                     # before the first token
    steps:
      plan: {reply: {sections: [a, b]}, delay: 1s}
      sections: {replies: [first, second], errors_at: {"sections[1]": [429]}}
      polish/judge: [{score: 5}, {score: 9}]
      publish: a plain text

Rules
- Steps are named by path (`polish#2/judge`), by path without instances (`polish/judge`) or by id (`judge`);
  the most exact name wins. `steps:` may be left out: then every other key is a step.
- A text, a number, or a mapping with any other key than those of a step is the reply itself. A list is a list
  of replies; to answer with a list, write `reply: […]`. A reply that is no text is sent as JSON.
- Which reply of a list: the index of the innermost instance in the path (`sections[3]` → the fourth,
  `polish#2/judge` → the second); for a step without instances, the order of its calls, where attempts that
  failed by script do not count. The last reply is repeated.
- With `prompt_digest` (one of `reply`, or a list of them, one for each of `replies`) a reply is given only to
  the prompt it was recorded for, whatever its place in the order; any other prompt is refused. `export --sim`
  writes such scripts.
- `errors` are taken by attempt: the first attempt gets the first. In fan-outs and loops that holds for each
  instance; `errors_at` names the instances that are meant instead. `null` is no error.
- All of this is a function of the request: the provider remembers nothing that a resume would lose.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from aethermind.domain.ids import static_id, static_path
from aethermind.engine.ports import ChatRequest
from aethermind.infra.providers.durations import parse_ms
from aethermind.infra.secrets import redact
from aethermind.wire import digest

RUN_KEYS = ("steps", "seed", "tokens_per_second", "delay")
STEP_KEYS = (
    "reply",
    "replies",
    "prompt_digest",
    "delay",
    "tokens_per_second",
    "errors",
    "errors_at",
    "usage",
)
USAGE_KEYS = (
    "input_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
)
NAMED_ERRORS = ("timeout", "drop")

_INSTANCE = re.compile(r"\[(\d+)\]|#(\d+)")

SimError = int | str | None


@dataclass(frozen=True, slots=True)
class Turn:
    """What the script says about one call."""

    scripted: bool = False
    reply: Any = None
    changed: bool = False
    """The reply was recorded for another prompt."""
    error: SimError = None
    delay_ms: int | None = None
    tokens_per_second: float | None = None
    usage: Mapping[str, int] | None = None
    no_usage: bool = False
    seed: int = 0


def turn_of(request: ChatRequest) -> Turn:
    """The run's script, then the agent's `settings.sim`; what neither says is left open."""
    context = request.context
    run = context.sim
    own = request.settings.get("sim")
    own_run: Mapping[str, Any] = own if isinstance(own, Mapping) and "steps" in own else {}
    found, entry = lookup(run, context.step)
    if not found and own is not None:
        found, entry = lookup(own_run, context.step) if own_run else (True, own)
    seed = next((value for s in (run, own_run) if isinstance(value := s.get("seed"), int)), 0)
    turn = Turn(seed=seed)
    for layer in (own_run, run):
        turn = _paced(turn, layer)
    if not found:
        return turn
    return _scripted(turn, as_entry(entry), request)


def steps_in(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """The steps of a script in its full or its short form."""
    steps = data.get("steps")
    if isinstance(steps, Mapping):
        return steps
    return {name: value for name, value in data.items() if name not in RUN_KEYS}


def lookup(data: Mapping[str, Any], path: str) -> tuple[bool, Any]:
    steps = steps_in(data)
    for name in (path, static_path(path), static_id(path)):
        if name in steps:
            return True, steps[name]
    return False, None


def as_entry(value: Any) -> Mapping[str, Any]:
    """Short forms → the full form of a step."""
    if isinstance(value, list | tuple):
        return {"replies": list(value)}
    if is_entry(value):
        return dict(value)
    return {"reply": value}


def is_entry(value: Any) -> bool:
    """Whether a mapping describes a step; any foreign key makes it a JSON reply."""
    return isinstance(value, Mapping) and bool(value) and all(name in STEP_KEYS for name in value)


def error_of(entry: Mapping[str, Any], path: str, attempt: int) -> SimError:
    errors = entry.get("errors") or ()
    at = entry.get("errors_at") or {}
    for name, listed in at.items():
        if path == name or path.endswith("/" + name):
            errors = listed or ()
    return errors[attempt - 1] if 1 <= attempt <= len(errors) else None


def reply_index(entry: Mapping[str, Any], path: str, attempt: int, call: int) -> int:
    instances = _INSTANCE.findall(path)
    if instances:
        item, round_number = instances[-1]
        return int(item) if item else int(round_number) - 1
    healthy = sum(error_of(entry, path, number) is None for number in range(1, attempt))
    return healthy + call - 1


def _scripted(turn: Turn, entry: Mapping[str, Any], request: ChatRequest) -> Turn:
    context = request.context
    turn = replace(_paced(turn, entry), error=error_of(entry, context.step, context.attempt))
    if "usage" in entry:
        turn = replace(turn, usage=entry["usage"], no_usage=entry["usage"] is None)
    if "prompt_digest" in entry:
        return _recorded(turn, entry, request)
    if "reply" in entry:
        return replace(turn, scripted=True, reply=entry["reply"])
    replies = entry.get("replies")
    if isinstance(replies, Sequence) and replies:
        index = reply_index(entry, context.step, context.attempt, context.call)
        return replace(turn, scripted=True, reply=replies[min(index, len(replies) - 1)])
    return turn


def _recorded(turn: Turn, entry: Mapping[str, Any], request: ChatRequest) -> Turn:
    """The reply to exactly this prompt; of several, that of this attempt."""
    known = entry["prompt_digest"]
    pairs = (
        zip(known, entry.get("replies") or (), strict=False)
        if isinstance(known, Sequence) and not isinstance(known, str)
        else [(known, entry.get("reply"))]
    )
    asked = prompt_digest(request.instructions, [(m.role, m.content) for m in request.messages])
    fitting = [reply for digest_, reply in pairs if digest_ == asked]
    if not fitting:
        return replace(turn, changed=True)
    return replace(turn, scripted=True, reply=fitting[min(request.context.attempt, len(fitting)) - 1])


def prompt_digest(system: str, messages: Sequence[tuple[str, str]]) -> str:
    """What a recorded reply is an answer to: instructions and messages, as (role, text), without secrets (a
    recorded text holds none, so neither does what is made of it)."""
    return digest([redact(system), [[role, redact(text)] for role, text in messages]])


def _paced(turn: Turn, layer: Mapping[str, Any]) -> Turn:
    if layer.get("delay") is not None:
        turn = replace(turn, delay_ms=parse_ms(layer["delay"]))
    if layer.get("tokens_per_second") is not None:
        turn = replace(turn, tokens_per_second=float(layer["tokens_per_second"]))
    return turn
