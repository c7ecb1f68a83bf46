"""What the world outside of the engine saw: requests that arrived, commands that ran, answers that went out.

It is kept apart from the journal, so that the two can be compared.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

EffectKind = Literal["request", "command", "python", "function", "file", "tool"]


@dataclass(slots=True)
class Effect:
    """Something done for one attempt at a step. `ended` None: it never came to its end."""

    kind: EffectKind
    life: int
    run: str
    step: str
    attempt: int
    began: int
    ended: int | None = None
    call: int = 0
    tool: str = ""
    """The id of the tool call."""
    billed: int | None = None
    """micro-USD that the vendor asks for; None: nothing, or it has no price."""
    whole: bool = False
    """The engine had all of it in hand."""


@dataclass(slots=True)
class Ledger:
    effects: list[Effect] = field(default_factory=list)

    def of(self, run: str) -> list[Effect]:
        return [effect for effect in self.effects if effect.run == run]

    def billed(self, run: str) -> int:
        return sum(effect.billed or 0 for effect in self.effects if effect.run == run)
