"""A call in flight."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from aethermind import wire
from aethermind.domain.errors import ErrorInfo
from aethermind.domain.events import CallFailed, LogWritten
from aethermind.domain.state import Node
from aethermind.domain.usage import AT_MOST_RESERVED, Cost, Usage, format_usd
from aethermind.engine.ports import Finished, Prices, ToolCallRequested
from aethermind.engine.reply import recordable

Json = Any


class Opened:
    """What has streamed so far of call `number`, which began at `began` (monotonic seconds)."""

    __slots__ = (
        "began",
        "first_token_ms",
        "heard",
        "number",
        "parts",
        "reserved",
        "size",
        "thought",
        "thoughts",
        "tool_calls",
        "tools",
    )

    def __init__(self, number: int, began: float, reserved: int | None) -> None:
        self.number = number
        self.began = began
        self.reserved = reserved
        """Micro-USD; None: the model has no known price."""
        self.heard = False
        """Whether anything of an answer came."""
        self.first_token_ms: int | None = None
        self.parts: list[str] = []
        self.thoughts: list[str] = []
        self.tool_calls: list[ToolCallRequested] = []
        self.tools: dict[str, bool] = {}
        """Tools of the provider's own: id → whether it is at work."""
        self.size = 0
        self.thought = 0

    @property
    def unknown_cost(self) -> Cost:
        """What it cost, if nobody says: at most what was reserved."""
        return Cost() if self.reserved is None else AT_MOST_RESERVED

    def cost_of(self, finished: Finished, prices: Prices, full: str, *, at: int) -> Cost:
        """What the provider says, else what its prices say of `provider:model`. `at`: epoch milliseconds."""
        cost = finished.cost
        if cost is None and finished.usage is not None:
            provider, _, model = full.partition(":")
            cost = prices.cost(provider, model, finished.usage, at=at)
        return self.unknown_cost if cost is None or cost.micro_usd is None else cost

    def failed(
        self, step: str, attempt: int, error: ErrorInfo, usage: Usage | None, cost: Cost | None, text: str
    ) -> CallFailed:
        """As it is recorded. One that had begun to answer may have been billed, nobody knows how much."""
        billed = usage is not None or self.heard or error.kind in {"truncated", "timeout"}
        return CallFailed(
            step=step,
            attempt=attempt,
            call=self.number,
            error=error,
            usage=usage,
            cost=cost or (self.unknown_cost if billed else None),
            text=text,
        )

    def joined(self) -> tuple[str, str]:
        return self.text, self.reasoning

    def wanted(self) -> tuple[Json, ...]:
        """The tool calls, as they are recorded: each id once."""
        found: dict[str, Json] = {}
        for number, call in enumerate(self.tool_calls, 1):
            known = wire.recordable(call.id) or f"call_{number}"
            if known in found:
                known = f"{known}~{number}"
            arguments = recordable(call.arguments)
            found[known] = {"id": known, "name": wire.recordable(call.name), "arguments": arguments}
        return tuple(found.values())

    @property
    def text(self) -> str:
        return wire.recordable("".join(self.parts))

    @property
    def reasoning(self) -> str:
        return wire.recordable("".join(self.thoughts))


def told(
    node: Node, attempt: int, model: str, opened: Opened, finished: Finished, cost: Cost, seconds: float
) -> list[LogWritten]:
    """The log lines of a finished call: `sim:smart #1: 512 tok @ 48 tok/s, $0.0012`, and what its provider
    warns of."""
    parts = []
    if (usage := finished.usage) is not None:
        tokens = usage.output_tokens
        parts.append(f"{tokens} tok @ {tokens / seconds:.0f} tok/s" if seconds >= 0.05 else f"{tokens} tok")
    unknown = f"at most {format_usd(opened.reserved)}" if cost.bounded else "unpriced"
    parts.append(unknown if cost.micro_usd is None else format_usd(cost.micro_usd))
    line = LogWritten(
        level="info",
        message=f"{model} #{opened.number}: {', '.join(parts)}",
        step=node.path,
        attempt=attempt,
        agent=node.agent,
        metadata={"call": opened.number},
    )
    warnings = [f"{model} #{opened.number}: {wire.recordable(text)}" for text in finished.warnings]
    return [line, *(replace(line, level="warning", message=text) for text in warnings)]
