"""Lanes that close and open are noted in the log, so that another process can tell of them, too.

A line on the stream `system` for each change, its state as metadata. Lanes of simulated models are not noted:
nobody has to wait for those but the run that simulates them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from aethermind.domain.errors import AethermindError
from aethermind.domain.events import AnyEvent, LogLevel, LogWritten
from aethermind.domain.ids import SYSTEM
from aethermind.engine.client import Notice
from aethermind.engine.feed import Feed
from aethermind.engine.governor import Governor
from aethermind.engine.lane import LaneState
from aethermind.engine.ports import EventStore

LOOK_BACK = 20_000
"""Of so many last records: a lane stays closed for two minutes at most."""
PAGE = 1_000

Record = Callable[[str, Sequence[AnyEvent]], Awaitable[None]]


class LaneLog:
    """One per engine. A circuit that opens is told to everybody who reads the feed."""

    def __init__(self, governor: Governor, feed: Feed, record: Record) -> None:
        self._feed = feed
        self._record = record
        self._writing: set[asyncio.Task[None]] = set()
        governor.changed = self._changed

    def _changed(self, state: LaneState) -> None:
        if state.lane.startswith("sim:") or state.state == "half_open":
            return
        if state.state == "closed" and state.why == "circuit":
            self._feed.notice(Notice(kind="warning", message=line(state)))
        task = asyncio.ensure_future(self._write(state))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def _write(self, state: LaneState) -> None:
        level: LogLevel = "info" if state.state == "open" else "warning"
        metadata = {"lane": msgspec.to_builtins(state)}
        event = LogWritten(level=level, message=line(state), metadata=metadata)
        try:
            await self._record(SYSTEM, [event])
        except AethermindError:
            return  # a note: the runs themselves report a failing disk

    async def close(self) -> None:
        await asyncio.gather(*self._writing, return_exceptions=True)


def line(state: LaneState) -> str:
    """`openai:gpt-6: closed (the provider limits the rate): 429: …`."""
    if state.state == "open":
        return f"{state.lane}: answers again"
    why = "failed too often in a row" if state.why == "circuit" else "the provider limits the rate"
    reason = f": {state.reason}" if state.reason else ""
    return f"{state.lane}: {why}{reason}"


async def known(store: EventStore, governor: Governor, now: int) -> list[LaneState]:
    """Lanes of this process, and closed ones that another has noted. `now`: epoch milliseconds."""
    found: dict[str, LaneState] = {}
    after = max(await store.last_seq() - LOOK_BACK, 0)
    while page := await store.read_all(after, limit=PAGE, stream=SYSTEM):
        for item in page:
            if isinstance(item.event, LogWritten) and (raw := item.event.metadata.get("lane")) is not None:
                state = msgspec.convert(raw, LaneState)
                found[state.lane] = state
        after = page[-1].seq
    closed = {name: state for name, state in found.items() if state.state == "closed"}
    held = {name: state for name, state in closed.items() if (state.free_at or 0) > now}
    return [*(held | {state.lane: state for state in governor.states()}).values()]
