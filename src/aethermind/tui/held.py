"""A run that is held: the screen's own fold of it, its logs, what streams, and what changed since a frame."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aethermind.domain import events as e
from aethermind.domain.run import Run
from aethermind.engine.client import FeedItem, TokenDelta
from aethermind.engine.queries import LogRow, Partial
from aethermind.tui.context import Changes
from aethermind.tui.rows.logs import LogLine, LogRing
from aethermind.tui.rows.streams import Streams, rate_of
from aethermind.tui.rows.trace import STRUCTURAL
from aethermind.tui.rows.waits import Waits

_WHOLE: frozenset[type] = frozenset({e.RunCreated, e.RunReopened, e.DefinitionAdopted})
"""Events after which every row may be another."""
_STRUCTURAL: frozenset[type] = frozenset(STRUCTURAL)


class Held:
    """Made from a snapshot; `feed` folds what comes after it."""

    def __init__(self, run: Run, *, now: Callable[[], int]) -> None:
        self.run = run
        self.logs = LogRing()
        self.streams = Streams()
        self.waits = Waits()
        self.rate = rate_of(run)
        self._now = now
        self._last_log = 0
        """Seq of the newest log line that was taken in."""
        self.logs_loaded = False
        self._early: list[e.Recorded] = []
        """Log lines that came before the stored ones were read."""
        self._nodes: set[str] = set()
        self._structure: set[str] = set()
        self._texts: set[tuple[str, int, int]] = set()
        self._logs = 0
        self.whole = True
        """Everything is to be drawn anew."""
        self.last_at = last_activity(run)
        """When something was recorded last (epoch ms)."""

    @property
    def changed(self) -> bool:
        return bool(self.whole or self._nodes or self._texts or self._logs)

    def feed(self, item: FeedItem) -> None:
        if isinstance(item, e.Recorded):
            if isinstance(item.event, e.LogWritten):
                self._log(item, item.event)
            elif item.seq > self.run.seq:
                self._fold(item)
        elif isinstance(item, TokenDelta):
            gained = self.streams.add(self.run, item)
            if gained:
                self.rate.add(self._now(), max(gained // 4, 1))
                self._texts.add((item.step, item.attempt, item.call))
                self._nodes.add(item.step)
        # The bridge hands notices on itself.

    def _fold(self, item: e.Recorded) -> None:
        event, run = item.event, self.run
        run.fold(item)
        self.last_at = max(self.last_at, item.at)
        kind = type(event)
        if kind in _WHOLE:
            self.whole = True
            return
        step = getattr(event, "step", None)
        if not isinstance(step, str):
            self._nodes.add("")
            return
        self._nodes.add(step)
        self.waits.over(step)
        if kind in _STRUCTURAL:
            self._structure.add(step)
            return
        streamed = self.streams.close(run, event) if len(self.streams) else 0
        if isinstance(event, e.CallFinished) and event.usage is not None and not streamed:
            call = run.nodes[step].attempts[event.attempt - 1].calls[event.call - 1]
            self.rate.spread(call.started_at, item.at, event.usage.output_tokens)

    def _log(self, recorded: e.Recorded, event: e.LogWritten) -> None:
        if not self.logs_loaded:
            self._early.append(recorded)
            return
        if recorded.seq <= self._last_log:
            return
        self._last_log = recorded.seq
        if event.metadata:
            self._wait(recorded.at, event.step, event.attempt, event.metadata)
        self.logs.append(LogLine(recorded.at, event.level, event.agent, event.step, event.message))
        self._logs += 1

    def _wait(self, at: int, step: str | None, attempt: int | None, metadata: Mapping[str, Any]) -> None:
        if self.waits.take(at, step, attempt, metadata) and step is not None:
            self._nodes.add(step)

    def load_logs(self, rows: list[LogRow]) -> None:
        """A page of stored lines, oldest first."""
        for row in rows:
            if row.seq > self._last_log:
                self._last_log = row.seq
                self._wait(row.at, row.step, row.attempt, row.metadata)
                self.logs.append(LogLine(row.at, row.level, row.agent, row.step, row.message))
                self._logs += 1

    def logs_complete(self) -> None:
        """All stored pages are in: what came meanwhile follows."""
        self.logs_loaded = True
        early, self._early = self._early, []
        for recorded in early:
            if isinstance(recorded.event, e.LogWritten):
                self._log(recorded, recorded.event)

    def load_partials(self, partials: list[Partial]) -> None:
        self.streams.load(self.run, partials)
        for partial in partials:
            self._texts.add((partial.step, partial.attempt, partial.call))
            self._nodes.add(partial.step)

    def take(self) -> tuple[Changes, frozenset[str], bool]:
        """What changed since the last time: (changes, steps whose rows may have moved, whether all)."""
        found = Changes(self.run.id, frozenset(self._nodes), frozenset(self._texts), self._logs)
        structure, whole = frozenset(self._structure), self.whole
        self._nodes.clear()
        self._structure.clear()
        self._texts.clear()
        self._logs = 0
        self.whole = False
        return found, structure, whole


def last_activity(run: Run) -> int:
    """The newest time in its record."""
    latest = run.created_at
    for node in run.nodes.values():
        for attempt in node.attempts:
            latest = max(latest, attempt.finished_at or attempt.started_at)
            for call in attempt.calls:
                latest = max(latest, call.finished_at or call.started_at)
    return latest
