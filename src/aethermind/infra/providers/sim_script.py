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
- A reply may call tools, if the step has any: `{tools: [{name: write_file, arguments: {…}}], text: Hm}`
  (a text as `arguments` is sent as it is, readable or not). A list with such a reply is a conversation: which
  of it is told by how many answers of the model the request already holds, not by instances and attempts. It
  is the step's list, or one reply of it: `replies: [[{tools: […]}, first], [{tools: […]}, second]]`.
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

from aethermind.definitions.scripts import RUN_KEYS, calls_tools, is_conversation, is_entry
from aethermind.domain.ids import static_id, static_path
from aethermind.engine.ports import ChatRequest
from aethermind.infra.providers.durations import parse_ms
from aethermind.infra.secrets import redact
from aethermind.wire import digest

_INSTANCE = re.compile(r"\[(\d+)\]|#(\d+)")

SimError = int | str | None


@dataclass(frozen=True, slots=True)
class Turn:
    """What the script says about one call."""

    scripted: bool = False
    reply: Any = None
    calls: tuple[Mapping[str, Any], ...] = ()
    """Tools that the reply calls: `{"name", "arguments"}`; `reply` is what is said before them."""
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
    if isinstance(value, Mapping) and is_entry(list(value)):
        return dict(value)
    return {"reply": value}


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
        return _replied(turn, entry["reply"], request)
    replies = entry.get("replies")
    if is_conversation(replies):
        return _replied(turn, replies, request)
    if isinstance(replies, Sequence) and replies:
        index = reply_index(entry, context.step, context.attempt, context.call)
        return _replied(turn, replies[min(index, len(replies) - 1)], request)
    return turn


def _replied(turn: Turn, reply: Any, request: ChatRequest) -> Turn:
    """This reply or, of a conversation, the one whose turn it is."""
    if is_conversation(reply):
        answers = sum(message.role == "assistant" for message in request.messages)
        reply = reply[min(answers, len(reply) - 1)]
    if request.tools and calls_tools(reply):
        return replace(turn, scripted=True, reply=reply.get("text") or "", calls=tuple(reply["tools"]))
    return replace(turn, scripted=True, reply=reply)


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
    return _replied(turn, fitting[min(request.context.attempt, len(fitting)) - 1], request)


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
