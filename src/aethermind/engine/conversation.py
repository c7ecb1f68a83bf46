"""A conversation with a model, to its last answer: tools in between, and one turn to repair what misfits.

It is the same for a prompt step and for `ctx.chat`. Where there are tools it is journaled turn by turn; an
attempt that follows goes through it again and is given what is recorded (`domain.journal`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aethermind.domain.errors import ErrorInfo, OutputError, StepFailure
from aethermind.domain.workflow import OWN_SETTINGS
from aethermind.engine.calls import Calls
from aethermind.engine.ports import Message
from aethermind.engine.reply import Reply, Thread
from aethermind.engine.tool_loop import ToolLoop
from aethermind.engine.toolbox import Toolbox

Json = Any
MAX_TURNS = 50
"""Answers in one conversation with tools, where `settings: {max_turns: …}` says nothing."""


async def converse(
    calls: Calls,
    models: Sequence[str],
    messages: tuple[Message, ...],
    *,
    instructions: str,
    settings: Mapping[str, Any],
    schema: Mapping[str, Any] | None,
    toolbox: Toolbox | None = None,
) -> Any:
    """Text, or the value that fits `schema` (with one turn to repair it). Raises `ProviderError`,
    `OutputError`, `HeldByBudget`, `NeedsApproval`, `ToolError`."""
    specs = toolbox.specs if toolbox is not None else ()
    thread = Thread(
        messages,
        instructions=instructions,
        settings={name: value for name, value in settings.items() if name not in OWN_SETTINGS},
        schema=schema,
        tools=tuple(
            {"name": spec.name, "description": spec.description, "input_schema": spec.input_schema}
            for spec in specs
        ),
    )
    loop = ToolLoop(calls, toolbox) if toolbox is not None and specs else None
    turns = _Turns(int(settings.get("max_turns") or MAX_TURNS))
    reply = await _answer(calls, models, thread, loop, turns)
    if schema is None:
        return reply.text
    schemas = calls.services.schemas
    try:
        return schemas.parse(reply.text, schema)
    except OutputError as error:
        thread.answered(reply)
        text = f"That does not fit: {error.message}. Answer again, only with JSON that fits."
        thread.say(Message(role="user", content=text))
    reply = await _answer(calls, models, thread, loop, turns)
    return schemas.parse(reply.text, schema)


class _Turns:
    """How many answers there may still be."""

    def __init__(self, most: int) -> None:
        self.most = self.left = most

    def take(self) -> None:
        """Raises `StepFailure`."""
        if self.left <= 0:
            raise StepFailure(
                ErrorInfo(
                    kind="output",
                    message=f"there was no answer within {self.most} turns with tools",
                    hint="settings: {max_turns: …} allows more",
                )
            )
        self.left -= 1


async def _answer(
    calls: Calls, models: Sequence[str], thread: Thread, loop: ToolLoop | None, turns: _Turns
) -> Reply:
    """The next answer that asks for no tool."""
    while True:
        if loop is not None:
            turns.take()
        reply = await calls.ask(models, thread)
        if loop is None or not reply.wants_tools:
            return reply
        await calls.record(lambda run: [])  # what the model wants is on disk before anything of it is begun
        thread.answered(reply)
        thread.say(*await loop.carry_out(reply))
