"""Which models may not be called just now, and why: for `models` and `doctor`."""

from __future__ import annotations

import time
from collections.abc import Iterable

from aethermind import bootstrap
from aethermind.cli import streams
from aethermind.cli.session import engine_of
from aethermind.domain.errors import AethermindError
from aethermind.engine.lane import LaneState
from aethermind.engine.lane_log import line
from aethermind.infra.sanitize import clean_line


def lanes_of(composition: bootstrap.Composition) -> list[LaneState]:
    """Of the engine on this data, whichever process it is in; nothing if it can't be asked."""
    if not composition.database.exists():
        return []
    try:
        with engine_of(composition, look=True) as engine:
            return engine.call(lambda client: client.lanes()).result()
    except AethermindError:
        return []


def lane_line(state: LaneState, now: int) -> str:
    """`openai:gpt-6: the provider limits the rate: 429 …; asked again in 12 s`. `now`: epoch ms."""
    left = max((state.free_at or now) - now, 0) / 1000
    again = f"; asked again in {left:.0f} s" if state.state == "closed" else ""
    return clean_line(f"{line(state)}{again}")


def show_lanes(states: Iterable[LaneState]) -> None:
    now = int(time.time() * 1000)
    for state in states:
        if state.state != "open":
            streams.note(lane_line(state, now))
