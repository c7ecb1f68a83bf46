"""A call in flight."""

from __future__ import annotations

from aethermind import wire


class Opened:
    """What has streamed so far of call `number`, which began at `began` (monotonic seconds)."""

    __slots__ = ("began", "first_token_ms", "number", "parts", "size", "thought", "thoughts")

    def __init__(self, number: int, began: float) -> None:
        self.number = number
        self.began = began
        self.first_token_ms: int | None = None
        self.parts: list[str] = []
        self.thoughts: list[str] = []
        self.size = 0
        self.thought = 0

    def joined(self) -> tuple[str, str]:
        return self.text, self.reasoning

    @property
    def text(self) -> str:
        return wire.recordable("".join(self.parts))

    @property
    def reasoning(self) -> str:
        return wire.recordable("".join(self.thoughts))
