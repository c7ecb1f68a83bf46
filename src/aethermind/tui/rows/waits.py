"""What steps under way wait for, as their log lines say it (`metadata.waits`). Pure.

A wait is over when its step records anything else, when its time is up, or when a call of the attempt is in
flight or ended after it was said (a log that is read late still has its line). Metadata may come from
anybody's code: what has not the shape of a wait is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from aethermind.domain.state import Node
from aethermind.engine.lane_words import WHY
from aethermind.infra.sanitize import clean_line
from aethermind.tui import format as fmt

BRIEF = {
    "rate_limit": "rate limit",
    "circuit": "failing provider",
    "requests": "requests/min",
    "tokens": "tokens/min",
}
"""Why, where there is room for a word or two."""


class Wait(NamedTuple):
    """`lane` is `provider:model`; times are epoch milliseconds, `until` None: nobody knows."""

    attempt: int
    at: int
    lane: str
    why: str
    until: int | None


class Waits:
    """Step → the newest wait that it told of."""

    def __init__(self) -> None:
        self._by_step: dict[str, Wait] = {}

    def __len__(self) -> int:
        return len(self._by_step)

    def take(self, at: int, step: str | None, attempt: int | None, metadata: Mapping[str, Any]) -> bool:
        """Take in a log line; whether it told of a wait."""
        told = metadata.get("waits") if metadata else None
        if step is None or attempt is None or not isinstance(told, dict):
            return False
        lane, why, until = told.get("lane"), told.get("why"), told.get("until")
        if not isinstance(lane, str) or not isinstance(why, str) or why not in BRIEF:
            return False
        if until is not None and type(until) is not int:
            return False
        before = self._by_step.get(step)
        if before is not None and before.at > at:
            return False
        self._by_step[step] = Wait(attempt, at, lane, why, until)
        return True

    def over(self, step: str) -> None:
        """Something else of this step was recorded."""
        if self._by_step:
            self._by_step.pop(step, None)

    def of(self, node: Node, now: int) -> Wait | None:
        """What this step waits for just now (epoch milliseconds)."""
        wait = self._by_step.get(node.path) if self._by_step else None
        if wait is None or node.status != "running" or not node.attempts:
            return None
        attempt = node.attempts[-1]
        if attempt.n != wait.attempt or (wait.until is not None and wait.until <= now):
            return None
        if attempt.calls:
            last = attempt.calls[-1]
            if last.finished_at is None or last.finished_at > wait.at:
                return None
        return wait


def brief(wait: Wait, now: int) -> str:
    """`waits 12s: rate limit`, for a row."""
    left = f" {fmt.duration(max(wait.until - now, 0), live=True)}" if wait.until is not None else ""
    return f"waits{left}: {BRIEF[wait.why]}"


def sentence(wait: Wait) -> str:
    """`it waits for openai:gpt-6: the provider limits the rate, until 12:00:31`."""
    until = f", until {fmt.clock(wait.until)}" if wait.until is not None else ""
    return f"it waits for {clean_line(wait.lane)}: {WHY[wait.why]}{until}"
