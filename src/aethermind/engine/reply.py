"""One answer of a model inside a conversation, and the thread of what was said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from aethermind import wire
from aethermind.domain.call_states import CallState
from aethermind.engine.ports import ChatRequest, Message

Json = Any


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """`attempt` and `call` say where it is recorded; `model` is `provider:model`."""

    attempt: int
    call: int
    model: str
    text: str
    finish: str
    tool_calls: tuple[Json, ...] = ()
    carry: Json = None

    @property
    def wants_tools(self) -> bool:
        """An answer that was cut or refused asks for nothing, whatever it holds."""
        return bool(self.tool_calls) and self.finish in {"tool_calls", "stop"}


def recorded(attempt: int, call: CallState) -> Reply:
    """The answer as the journal has it."""
    return Reply(
        attempt=attempt,
        call=call.n,
        model=f"{call.provider}:{call.model}",
        text=call.text,
        finish=call.finish or "stop",
        tool_calls=call.tool_calls,
        carry=call.carry,
    )


class Thread:
    """What was said so far, and what holds for all its turns."""

    __slots__ = ("_answered", "_carriers", "after", "instructions", "messages", "schema", "settings", "tools")

    def __init__(
        self,
        messages: tuple[Message, ...],
        *,
        instructions: str,
        settings: Mapping[str, Any],
        schema: Mapping[str, Any] | None,
        tools: tuple[Json, ...] = (),
    ) -> None:
        self.messages = messages
        self.instructions = instructions
        self.settings = settings
        self.schema = schema
        self.tools = tools
        self.after: Reply | None = None
        """The last answer."""
        self._answered = 0
        """So many messages there are up to and with it."""
        self._carriers: dict[int, str] = {}
        """Index of an answer → its provider, of those that have something to carry."""

    def say(self, *messages: Message) -> None:
        self.messages = (*self.messages, *messages)

    def answered(self, reply: Reply) -> None:
        if reply.carry is not None:
            self._carriers[len(self.messages)] = reply.model.partition(":")[0]
        calls = reply.tool_calls if reply.wants_tools else ()
        self.say(Message(role="assistant", content=reply.text, tool_calls=calls, carry=reply.carry))
        self.after, self._answered = reply, len(self.messages)

    def request(self, full: str) -> ChatRequest:
        """To `provider:model`, which gets back what it gave itself and nothing of another's."""
        provider, _, model = full.partition(":")
        messages = self.messages
        if any(carrier != provider for carrier in self._carriers.values()):
            messages = tuple(
                msgspec.structs.replace(message, carry=None)
                if self._carriers.get(index, provider) != provider
                else message
                for index, message in enumerate(messages)
            )
        return ChatRequest(
            model=model,
            messages=messages,
            instructions=self.instructions,
            settings=self.settings,
            output_schema=self.schema,
            tools=self.tools,
        )

    def shown(self, request: ChatRequest) -> dict[str, Any]:
        """The request as `CallStarted` has it: with tools, the later ones say only what is new."""
        whole = shown(request)
        if not self.tools or self.after is None:
            return whole
        return {
            "continues": {"attempt": self.after.attempt, "call": self.after.call},
            "messages": whole["messages"][self._answered :],
            "settings": whole["settings"],
        }


def shown(request: ChatRequest) -> dict[str, Any]:
    """All that is asked, as JSON."""
    found: dict[str, Any] = {
        "system": request.instructions,
        "messages": [_shown(message) for message in request.messages],
        "settings": dict(request.settings),
    }
    if request.output_schema is not None:
        found["output"] = dict(request.output_schema)
    if request.tools:
        found["tools"] = list(request.tools)
    return found


def digest(full: str, request: ChatRequest) -> str:
    """Of whom is asked what."""
    return wire.digest([full, shown(request)])


def _shown(message: Message) -> dict[str, Any]:
    found: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        found["tool_calls"] = list(message.tool_calls)
    if message.tool_call_id is not None:
        found["tool_call_id"] = message.tool_call_id
    if message.is_error:
        found["is_error"] = True
    if message.carry is not None:
        found["carry"] = message.carry
    return found


def recordable(value: Json) -> Json:
    """JSON of a model as UTF-8 can hold it."""
    match value:
        case str():
            return wire.recordable(value)
        case list():
            return [recordable(part) for part in value]
        case dict():
            return {wire.recordable(str(name)): recordable(part) for name, part in value.items()}
        case _:
            return value
