"""Calls of tools between our messages and the vendors': arguments, ids, and what a vendor wants back.

Rules
- Arguments that are no JSON object are handed on as the text that came: a model that is told what it wrote
  mends it in its next answer, while a new call would be paid for in full and may write the same again.
- A call without an id, or with one that another call has, gets one by its place in the conversation: the same
  whenever the answer is read.
- A carry (`Finished.carry`) tells in which order an answer came and holds what only its vendor can read.
  Text and calls are in the message already and are not repeated. It goes back only to the provider, API and
  model that gave it; to any other the message alone is sent.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from aethermind.engine.ports import ChatRequest, Message, ToolCallRequested

Json = Any
_WIRE_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Talk:
    """What of a request a reader has to know."""

    origin: str
    """Provider, API and model."""
    calls_before: int = 0
    """Tool calls that the request already holds."""


def talk_of(request: ChatRequest, provider: str, api: str) -> Talk:
    calls = sum(len(message.tool_calls) for message in request.messages)
    return Talk(f"{provider}/{api}/{request.model}", calls)


# --- from the wire -----------------------------------------------------------------------------


@dataclass(slots=True, eq=False)
class Call:
    """A call while it comes in: arguments in pieces, or as a whole value."""

    id: str = ""
    name: str = ""
    pieces: list[str] = field(default_factory=list)
    value: Json = None
    extra: dict[str, Json] = field(default_factory=dict)
    """Unknown fields of the call that have to come back with it."""

    @property
    def arguments(self) -> Json:
        """An object, or the text as it came."""
        return read_arguments("".join(self.pieces) if self.value is None else self.value)


@dataclass(slots=True, eq=False)
class Said:
    """A stretch of an answer's text."""

    size: int = 0
    more: dict[str, Json] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Block:
    """What only the vendor can read."""

    data: dict[str, Json]


def read_arguments(raw: Json) -> Json:
    if isinstance(raw, Mapping):
        raw = json.dumps(raw)  # so that what cannot be recorded is found here, too
    if not isinstance(raw, str):
        return raw if raw is None else _clean(json.dumps(raw))
    if not raw.strip():
        return {}
    try:
        value = json.loads(raw, parse_constant=_refuse)
        if isinstance(value, dict):
            json.dumps(value, ensure_ascii=False).encode()
            return value
    except (ValueError, RecursionError):
        pass
    return _clean(raw)


def settle(calls: Iterable[Call], talk: Talk) -> Iterator[ToolCallRequested]:
    """The calls with ids that are theirs alone; sets `Call.id`."""
    taken: set[str] = set()
    for number, call in enumerate(calls, talk.calls_before + 1):
        name = _clean(call.id)
        if not name or name in taken:
            name = f"call_{number}"
        taken.add(name)
        call.id = name
        yield ToolCallRequested(name, _clean(call.name), call.arguments)


def carry_of(
    talk: Talk, order: Iterable[Call | Said | Block], fields: Mapping[str, str]
) -> dict[str, Json] | None:
    """What has to come back with an answer, or None if the message says it all."""
    items: list[dict[str, Json]] = []
    needed = bool(fields)
    for part in order:
        match part:
            case Call():
                items.append({"call": part.id} | ({"with": part.extra} if part.extra else {}))
                needed = needed or bool(part.extra)
            case Said():
                items.append({"text": part.size, **part.more})
                needed = needed or bool(part.more)
            case Block():
                items.append({"block": part.data})
                needed = True
    if not needed:
        return None
    return {"from": talk.origin, "items": items} | ({"fields": dict(fields)} if fields else {})


# --- to the wire -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TextPart:
    text: str
    more: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class CallPart:
    """A call as it is sent back."""

    id: str
    name: str
    arguments: Json
    more: Mapping[str, Json]

    @property
    def text(self) -> str:
        """The arguments as JSON text, or as the text that came."""
        if isinstance(self.arguments, str):
            return self.arguments
        return json.dumps(self.arguments, ensure_ascii=False, separators=(",", ":"))

    @property
    def object(self) -> dict[str, Json]:
        """The arguments for an API that takes objects only."""
        if isinstance(self.arguments, Mapping):
            return dict(self.arguments)
        return {"unreadable_arguments": self.arguments}


@dataclass(frozen=True, slots=True)
class BlockPart:
    data: Mapping[str, Json]


Part = TextPart | CallPart | BlockPart


def function_tool(tool: Mapping[str, Json]) -> dict[str, Json]:
    """A tool as Chat Completions and Ollama take it."""
    told = {
        "name": tool["name"],
        "description": tool.get("description", ""),
        "parameters": tool["input_schema"],
    }
    return {"type": "function", "function": told}


def parts_of(message: Message, talk: Talk) -> Iterator[Part]:
    """An assistant's message in the order in which it came."""
    items = _carried(message, talk).get("items", ())
    left = {str(call["id"]): call for call in message.tool_calls}
    text = message.content
    texts = sum("text" in item for item in items)
    if not texts and text:
        yield TextPart(text, {})
    for item in items:
        if "block" in item:
            yield BlockPart(item["block"])
        elif "text" in item:
            texts -= 1
            # The last takes all that is left: a text may have been cut or scrubbed since.
            piece, text = (text[: item["text"]], text[item["text"] :]) if texts else (text, "")
            if piece:
                yield TextPart(piece, {key: value for key, value in item.items() if key != "text"})
        elif (call := left.pop(item.get("call", ""), None)) is not None:
            yield _call_part(call, item.get("with", {}))
    for call in left.values():
        yield _call_part(call, {})


def fields_of(message: Message, talk: Talk) -> Mapping[str, Json]:
    """Further fields of an assistant's message that its vendor wants back."""
    fields: Mapping[str, Json] = _carried(message, talk).get("fields", {})
    return fields


def wire_id(name: str) -> str:
    """An id that every API takes: another vendor's, in a conversation that went on elsewhere, may not be."""
    if _WIRE_ID.fullmatch(name):
        return name
    return f"call_{hashlib.sha256(name.encode()).hexdigest()[:24]}"


def answer_text(message: Message) -> str:
    """A tool's answer, for APIs that have no mark for errors."""
    return f"Error: {message.content}" if message.is_error else message.content


def _call_part(call: Mapping[str, Json], more: Mapping[str, Json]) -> CallPart:
    return CallPart(wire_id(str(call["id"])), str(call["name"]), call["arguments"], more)


def _carried(message: Message, talk: Talk) -> Mapping[str, Json]:
    carry = message.carry
    return carry if isinstance(carry, Mapping) and carry.get("from") == talk.origin else {}


def _clean(text: str) -> str:
    """Without halves of characters, which no record can hold."""
    return text.encode("utf-8", "replace").decode()


def _refuse(constant: str) -> Json:
    raise ValueError(f"{constant} is no JSON")
