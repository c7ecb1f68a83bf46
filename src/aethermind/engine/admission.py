"""Who may start: the global limit, limits per agent, and fairness between runs.

Rules
- A run that could start more than there is room for stands in the queue. Its rank is the time since
  which it waits, moved forward by its priority: one level of priority is worth `AGING_MS` of waiting, so
  that nobody waits for ever.
- While somebody of better rank stands in the queue, nobody else gets a slot.
- A run held back only by its agents' limits waits for those agents, not in the queue.
"""

from __future__ import annotations

from heapq import heappop, heappush

from aethermind.domain.commands import Room
from aethermind.domain.state import FREE
from aethermind.engine.live import LiveRun

AGING_MS = 10_000


class Admission:
    """Slots for attempts; event-driven, no polling."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.running = 0
        self.held = False
        """Nothing starts: the store can't record."""
        self._agents: dict[str, int] = {}
        """Attempts running per limited agent."""
        self._agent_queue: dict[str, dict[LiveRun, None]] = {}
        """In the order in which they came: a set of them would have another in every process."""
        self._queue: list[tuple[int, int, LiveRun]] = []
        self._number = 0

    def _rank(self, live: LiveRun, now: int) -> int:
        return (live.waiting_since or now) - live.priority * AGING_MS

    def room(self, live: LiveRun, now: int) -> Room:
        """How many attempts this run may start now."""
        free = 0 if self.held else self.limit - self.running
        best = self._best() if self._queue else None
        if best is not None and best is not live and best.hungry is not None:
            rank = live.hungry if live.hungry is not None else self._rank(live, now)
            if best.hungry < rank:
                free = 0
        definition = live.run.definition
        if definition.max_concurrent:
            free = min(free, definition.max_concurrent - len(live.slots))
        if not live.run.limited:
            return Room(max(free, 0))
        agents = {
            name: (definition.agents[name].max_concurrent or 0) - self._agents.get(name, 0)
            for name in live.run.limited
        }
        return Room(max(free, 0), agents)

    def take(self, lane: str) -> None:
        self.running += 1
        if lane:
            self._agents[lane] = self._agents.get(lane, 0) + 1

    def release(self, lane: str) -> None:
        self.running -= 1
        if lane:
            self._agents[lane] -= 1
            for live in self._agent_queue.pop(lane, ()):
                live.wake()

    def queue(self, live: LiveRun, now: int) -> None:
        """After planning: stand in the queue if there is more to start, leave it if there is not."""
        run = live.run
        if not run.ready and not self._queue and live.hungry is None:
            live.waiting_since = 0
            return
        wants = False
        own_cap = run.definition.max_concurrent
        if run.ready and not run.paused and not (own_cap and len(live.slots) >= own_cap):
            for lane in run.ready:
                if lane == FREE:
                    continue
                limit = run.definition.agents[lane].max_concurrent if lane else None
                if limit is not None and self._agents.get(lane, 0) >= limit:
                    self._agent_queue.setdefault(lane, {})[live] = None
                else:
                    wants = True
        if not wants:
            live.hungry = None
            live.waiting_since = 0
        elif live.hungry is None:
            live.waiting_since = live.waiting_since or now
            live.hungry = self._rank(live, now)
            self._number += 1
            heappush(self._queue, (live.hungry, self._number, live))
        if self.running < self.limit and (best := self._best()) is not None and best is not live:
            best.wake()

    def leave(self, live: LiveRun) -> None:
        """The run is no longer driven here."""
        live.hungry = None
        if self.running < self.limit and (best := self._best()) is not None:
            best.wake()

    def _best(self) -> LiveRun | None:
        queue = self._queue
        while queue and (queue[0][2].hungry != queue[0][0] or queue[0][2].dropped):
            heappop(queue)
        return queue[0][2] if queue else None
