"""What people are told of lanes."""

from __future__ import annotations

from aethermind.domain.events import LogWritten
from aethermind.domain.state import Node
from aethermind.engine.lane import LaneState
from aethermind.engine.live import LiveRun, Note

WORTH_TELLING_MS = 1_000
"""A shorter wait for a provider's limit is not told."""

WHY = {
    "rate_limit": "the provider limits the rate",
    "circuit": "it failed too often, and is being asked again",
    "requests": "its limit of requests per minute",
    "tokens": "its limit of tokens per minute",
}
"""A busy lane (`concurrency`) is nothing to tell of."""


def waits(lane: LaneState, now: int) -> str | None:
    """`waits for openai:gpt-6: the provider's rate limit, 12 s`; None if it is not worth a line. `now`: epoch
    milliseconds."""
    if (what := WHY.get(lane.why)) is None:
        return None
    left = (lane.free_at or now) - now
    if left < WORTH_TELLING_MS:
        return None if lane.free_at is not None else f"waits for {lane.lane}: {what}"
    return f"waits for {lane.lane}: {what}, {(left + 500) // 1000} s"


def tell_wait(live: LiveRun, node: Node, attempt: int, now: int, lane: LaneState) -> None:
    """Say in the step's log what it waits for."""
    if (text := waits(lane, now)) is not None:
        line = LogWritten(
            level="info",
            message=text,
            step=node.path,
            attempt=attempt,
            agent=node.agent,
            metadata={"waits": {"lane": lane.lane, "why": lane.why, "until": lane.free_at}},
        )
        live.post(Note((line,)))
