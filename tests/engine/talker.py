"""A model that uses tools, by a script; and counters that know what was done."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from aethermind.definitions.schemas import JsonSchemas
from aethermind.domain.errors import ErrorInfo, ProviderError
from aethermind.domain.usage import Cost, Usage
from aethermind.domain.workflow import Prompt, StepDef, WorkflowDef
from aethermind.engine.ports import ChatEvent, ChatRequest, Finished, TextDelta, ToolCallRequested
from aethermind.engine.toolbox import Tools
from aethermind.infra.children.local import LocalChildren
from aethermind.infra.tools.toolbox import LocalTools
from tests.engine.harness import Harness, workflow
from tests.engine.paid import PaidModels, Tariff

Turn = str | Sequence[tuple[str, Mapping[str, Any]]] | ErrorInfo
"""A last answer; or tools to be used, by name and arguments; or how the call fails, once."""


class Talker:
    """Says its turns in their order: which one is due it reads off the conversation, as a model does."""

    name = "paid"
    simulated = False

    def __init__(self, *turns: Turn) -> None:
        self.turns = turns
        self.requests: list[ChatRequest] = []
        self.failed: set[int] = set()
        self.asked = Counter[int]()

    async def stream(self, request: ChatRequest) -> AsyncIterator[ChatEvent]:
        self.requests.append(request)
        index = sum(message.role == "assistant" for message in request.messages)
        self.asked[index] += 1
        turn = self.turns[min(index, len(self.turns) - 1)]
        if isinstance(turn, ErrorInfo):
            if index not in self.failed:
                self.failed.add(index)
                raise ProviderError(turn)
            turn = "it works again"
        if isinstance(turn, str):
            yield TextDelta(turn)
        else:
            for number, (name, arguments) in enumerate(turn):
                yield ToolCallRequested(f"t{number}", name, dict(arguments))
        yield Finished(
            reason="stop" if isinstance(turn, str) else "tool_calls",
            usage=Usage(input_tokens=10, output_tokens=5),
            cost=Cost(micro_usd=100, source="reported"),
            carry=None if isinstance(turn, str) else {"turn": index},
        )

    async def close(self) -> None:
        return None


class Hand:
    """Tools that are functions of this process, and how often each did its work."""

    def __init__(self) -> None:
        self.done = Counter[str]()
        self.gate: asyncio.Event | None = None
        self.began = asyncio.Event()

    def look(self, what: str) -> str:
        """Look at something."""
        self.done["look"] += 1
        return f"saw {what}"

    async def change(self, to: str) -> str:
        """Change something."""
        self.began.set()
        if self.gate is not None:
            await self.gate.wait()
        self.done["change"] += 1
        return f"it is {to} now"

    def boom(self) -> None:
        """Goes wrong."""
        self.done["boom"] += 1
        raise ValueError("no")

    def tools(self, children: LocalChildren) -> Tools:
        return LocalTools(children=children, schemas=JsonSchemas(), scrub=str)


def table(hand: Hand, cwd: Path, talker: Talker, **more: Any) -> Harness:
    return Harness(
        models=PaidModels(talker), prices=Tariff(), tools=hand.tools, cwd=cwd, **{"max_concurrent": 4, **more}
    )


def agent(hand: Hand, harness: Harness, *, change: str = "always", **fields: Any) -> WorkflowDef:
    """A workflow of one prompt with these tools; `change`: whether it may be used unasked."""
    tools = harness.engine.tools
    assert tools is not None
    configs = (
        tools.register(hand.look, owner="a", effect="read"),
        tools.register(hand.change, owner="a", effect="write", approve=change),  # type: ignore[arg-type]  # a test's word
        tools.register(hand.boom, owner="a", effect="pure"),
        {"files": {"read": "always", "write": "ask"}},
    )
    step = {key: fields.pop(key) for key in ("on_in_doubt", "retry", "timeout_ms") if key in fields}
    prompt = Prompt(template="go", models=("paid:m",), tools=configs, **fields)
    return workflow(StepDef(id="a", action=prompt, **step))
