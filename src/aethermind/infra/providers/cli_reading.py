"""What the wire formats of coding agents have in common: what a reader is, and how its parts are cut."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any, Protocol

from aethermind.domain.usage import Cost, micro_usd
from aethermind.engine.own_tools import ToolBegan, ToolEnded
from aethermind.engine.ports import ChatEvent, Finished, TextDelta

SHOWN = 4_000
"""Characters of a tool's arguments or result that are recorded."""


class CliReader(Protocol):
    """One format. `feed` may raise anything on garbage. Does no I/O and knows no time."""

    ended: bool
    """The terminal marker was seen."""
    complaint: str
    """What it said went wrong; with `ended`: that is how it ended."""
    code: str
    """The complaint's code, where it has one."""

    def feed(self, line: bytes) -> Iterator[ChatEvent]: ...

    def left(self) -> None:
        """The program has ended well."""
        ...

    def finish(self) -> Finished:
        """The answer; of a failed one what is known of its usage and cost."""
        ...


class Answer:
    """Text as it streams: its parts are set apart by empty lines."""

    def __init__(self) -> None:
        self.last = ""
        """The part that is being said."""
        self._said = False

    def begin(self) -> None:
        self.last = ""

    def say(self, text: str) -> Iterator[TextDelta]:
        if not text:
            return
        if self._said and not self.last:
            yield TextDelta("\n\n")
        self._said = True
        self.last += text
        yield TextDelta(text)


def began(id_: object, name: object, arguments: object) -> ToolBegan:
    return ToolBegan(id=str(id_), name=str(name or "tool")[:100], arguments=_shown(arguments))


def ended(id_: object, text: str, *, is_error: bool) -> ToolEnded:
    return ToolEnded(id=str(id_), text=cut(text), is_error=is_error)


def cut(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}… ({len(text)} characters)"


def object_of(line: bytes) -> dict[str, Any]:
    """Raises `ValueError`."""
    found = json.loads(line)
    if not isinstance(found, dict):
        raise TypeError("a line that is no JSON object")
    return found


def part(value: object, name: str) -> Any:
    """A member of what should be an object, None of anything else."""
    return value.get(name) if isinstance(value, dict) else None


def text_of(content: object) -> str:
    """Of a content: a text, or a list of blocks."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(text for block in content if isinstance(text := part(block, "text"), str))
    return ""


def reported_cost(dollars: object) -> Cost | None:
    """Dollars as the program reports them; None if that is no amount."""
    if isinstance(dollars, bool) or not isinstance(dollars, int | float | str):
        return None
    try:
        amount = Decimal(str(dollars))
    except InvalidOperation:
        return None
    if not amount.is_finite() or not 0 <= amount <= 1_000_000:
        return None
    return Cost(micro_usd=micro_usd(amount), source="reported")


def _shown(arguments: object) -> object:
    """JSON of a bounded size: an object keeps its keys, its long values are cut."""
    if not isinstance(arguments, dict):
        return {"input": cut(json.dumps(arguments, ensure_ascii=False))} if arguments is not None else {}
    if len(json.dumps(arguments, ensure_ascii=False)) <= SHOWN:
        return arguments
    room = max(100, SHOWN // max(len(arguments), 1))
    return {str(key)[:100]: _short(value, room) for key, value in list(arguments.items())[:40]}


def _short(value: object, room: int) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= room else f"{text[:room]}…"
