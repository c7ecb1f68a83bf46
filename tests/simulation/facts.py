"""What the promises remember of a run, and how a broken one is said."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from aethermind.domain.state import Node


class Broken(AssertionError):
    """A promise was broken."""

    def __init__(self, rule: str, text: str) -> None:
        super().__init__(f"{rule}: {text}")
        self.rule = rule
        self.story: list[str] = []
        """What happened before, if it was traced."""


@dataclass(slots=True)
class Facts:
    """Of one run, what its state alone does not tell."""

    life: int = 0
    """The last one that wrote to it."""
    at: int = 0
    done: set[str] = field(default_factory=set)
    """Leaves that succeeded and were not taken up again by a retry or an edit."""
    ended_calls: set[tuple[str, int, int]] = field(default_factory=set)
    open_questions: set[str] = field(default_factory=set)
    most_budget: int | None = None
    cancelled: bool = False
    """Somebody was told that it is cancelled, and it was not taken up again."""
    again: dict[str, int] = field(default_factory=dict)
    """Tool call → how often somebody (or the step's policy) said that it is to be done again."""
    cut: bool = False
    """A crash or a failing disk may have taken something that was in hand."""

    def allow_again(self, node: Node) -> None:
        for attempt in node.attempts:
            for call in attempt.calls:
                for tool in call.tools:
                    if tool.status != "succeeded":
                        self.again[tool.id] = self.again.get(tool.id, 0) + 1


def hold(holds: bool, rule: str, text: str) -> None:
    if not holds:
        raise Broken(rule, text)


def same(name: str, live: Any, replayed: Any) -> None:
    if live == replayed:
        return
    if isinstance(live, dict) and isinstance(replayed, dict) and live.keys() == replayed.keys():
        for key in live:
            same(f"{name} {key}", live[key], replayed[key])
    raise Broken("replayed state = live state", f"{name}: {live} is not {replayed}")
