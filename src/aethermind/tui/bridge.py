"""Between the engine's thread and the screen: one subscription, folded into what the screen shows.

Rules
- Items are taken in slices of a few milliseconds with the event loop in between, so that keys get through
  however much comes. Nothing is painted here.
- Only runs that are held are folded; of all others, the list keeps a line.
- Snapshot, then what came after it: items of a run that is being opened wait until its snapshot is there.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import assert_never

from aethermind.domain import events as e
from aethermind.domain import ids
from aethermind.domain.errors import StateError, StoreError
from aethermind.domain.run import Run
from aethermind.engine.client import FeedItem, Notice, TokenDelta
from aethermind.engine.queries import LogFilter, RunFilter
from aethermind.tui.context import Changes, Engine, Subscription
from aethermind.tui.held import Held
from aethermind.tui.past import Past
from aethermind.tui.precedence import Precedence
from aethermind.tui.rows.runs import RunList

SLICE_S = 0.004
_BATCH = 100
_HELD = 3
_LOG_PAGE = 2_000

_DECISIONS: frozenset[type] = frozenset(
    {
        e.AskOpened,
        e.AskAnswered,
        e.AskExpired,
        e.AttemptLost,
        e.BudgetHeld,
        e.BudgetFreed,
        e.BudgetRaised,
        e.RunPaused,
        e.RunResumed,
        e.RunSucceeded,
        e.RunFailed,
        e.RunCancelled,
    }
)
"""Events after which another list of what waits for a person may be true."""


@dataclass
class Frame:
    """What there is to show since the last frame."""

    runs: frozenset[str] = frozenset()
    """Runs whose line in the list is another."""
    changes: Changes | None = None
    """Of the open run; None if nothing of it changed."""
    structure: frozenset[str] = frozenset()
    whole: bool = False
    ended: Run | None = None
    """The open run, if it has just come to its end."""
    notices: tuple[Notice, ...] = ()
    """What is to be said."""
    waiting: bool = False
    """Something began or ceased to wait for a person, in any run."""


class Bridge:
    """`pump` takes in what came; `frame` says what changed since it was asked last."""

    def __init__(self, engine: Engine, *, now: Callable[[], int], wake: Callable[[], None]) -> None:
        self._engine = engine
        self._now = now
        self._wake = wake
        self._subscription: Subscription | None = None
        self.runs = RunList()
        self.past = Past(engine, self.runs)
        self.open_id: str | None = None
        self._held: OrderedDict[str, Held] = OrderedDict()
        self._early: dict[str, list[FeedItem]] = {}
        """Items of runs whose snapshot is on its way."""
        self._snapshots: dict[str, asyncio.Future[Held]] = {}
        self._ended: Run | None = None
        self._notices: list[Notice] = []
        self._waiting = False
        self.trouble = ""
        """Why nothing new starts; empty when all is well."""
        self.lost = False
        """The line to the engine is down: what is shown is of before."""
        self._listeners: list[Callable[[Changes], None]] = []
        self.received = 0
        """Items taken in so far."""
        self.broken: dict[str, StateError] = {}
        """Runs whose fold met an event that did not fit: they are no longer held."""

    # --- what others ask -----------------------------------------------------------------------

    @property
    def open(self) -> Held | None:
        return self._held.get(self.open_id) if self.open_id is not None else None

    @property
    def state(self) -> str:
        """What is wrong with the engine, in a word or two for the header; empty when all is well."""
        return "LINE LOST" if self.lost else "HELD" if self.trouble else ""

    def run(self, run_id: str) -> Run | None:
        held = self._held.get(run_id)
        return held.run if held is not None else None

    def held(self, run_id: str) -> Held | None:
        return self._held.get(run_id)

    def live_text(self, run_id: str, step: str, attempt: int, call: int) -> str:
        held = self._held.get(run_id)
        return held.streams.text(step, attempt, call) if held is not None else ""

    def listen(self, listener: Callable[[Changes], None]) -> Callable[[], None]:
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    # --- opening -------------------------------------------------------------------------------

    async def start(self) -> None:
        """Subscribe, then read the list of runs: nothing falls between."""
        self._subscription = self._engine.subscribe(wake=self._wake)
        await self.past.begin()

    def close(self) -> None:
        if self._subscription is not None:
            self._subscription.close()
            self._subscription = None

    async def hold(self, run_id: str) -> Held:
        """Fold this run from now on. Raises `NotFoundError`."""
        held = self._held.get(run_id)
        if held is None:
            snapshot = self._snapshots.get(run_id)
            if snapshot is None:
                snapshot = self._snapshots[run_id] = asyncio.ensure_future(self._snapshot(run_id))
                snapshot.add_done_callback(lambda _: self._snapshots.pop(run_id, None))
            held = await asyncio.shield(snapshot)
        self._held.move_to_end(run_id)
        held.whole = True
        return held

    async def _snapshot(self, run_id: str) -> Held:
        early = self._early[run_id] = []
        try:
            run = await self._engine.ask(lambda client: client.run(run_id))
            partials = await self._engine.ask(lambda client: client.partials(run_id))
        finally:
            del self._early[run_id]  # nothing else runs between here and the list being read
        held = Held(run, now=self._now)
        held.load_partials(partials)
        for item in early:
            held.feed(item)
        self._held[run_id] = held
        while len(self._held) > _HELD:
            oldest = next(i for i in self._held if i not in {self.open_id, run_id})
            del self._held[oldest]
        self.runs.keep(run_id)
        self.runs.overlay(run)
        return held

    async def load_logs(self, held: Held) -> None:
        """Read the stored lines of a held run, page by page, oldest first."""
        if held.logs_loaded:
            return
        where = LogFilter(run_id=held.run.id)
        cursor: str | None = None
        while True:
            at = cursor
            page = await self._engine.ask(lambda client: client.logs(where, limit=_LOG_PAGE, cursor=at))  # noqa: B023 - awaited in this round
            held.load_logs(page.items)
            self._wake()
            cursor = page.next
            if cursor is None:
                break
        held.logs_complete()

    async def ask_unknown(self) -> None:
        """Read the lines of runs of which something came but that are not in the list."""
        for run_id in list(self.runs.unknown):
            page = await self._engine.ask(lambda c: c.runs(RunFilter(id_prefix=run_id), limit=1))  # noqa: B023 - awaited in this round
            self.runs.unknown.discard(run_id)
            for row in page.items:
                self.runs.merge(row)

    # --- taking in -----------------------------------------------------------------------------

    def pump(self, budget_s: float = SLICE_S, *, give_way: Precedence | None = None) -> bool:
        """Take in what came, for about this long or until a key comes; True if there is more."""
        subscription = self._subscription
        if subscription is None:
            return False
        until = perf_counter() + budget_s
        while True:
            try:
                items = subscription.drain(_BATCH)
            except StoreError as error:
                self._subscription = None  # nothing comes any more
                self._say(Notice(kind="warning", message=f"{error.line()}: restart to see what goes on"))
                return False
            self.received += len(items)
            self._take(items)
            if len(items) < _BATCH:
                return False
            if perf_counter() >= until or (give_way is not None and give_way.first):
                return True

    def _say(self, notice: Notice) -> None:
        self._notices.append(notice)
        if notice.kind in {"held", "over"}:
            self.trouble = notice.message if notice.kind == "held" else ""
        if notice.kind in {"lost", "found"}:
            self.lost = notice.kind == "lost"
        if notice.run_id is not None:
            self.runs.unknown.add(notice.run_id)  # its line is read again

    def _take(self, items: list[FeedItem]) -> None:
        """Beside an engine that never rests this is what the screen costs it: no call too many here."""
        runs, held_runs, early = self.runs, self._held, self._early
        for item in items:
            if isinstance(item, e.Recorded):
                run_id = ids.run_id_of(item.stream)
                if run_id is None:
                    continue
                kind = type(item.event)
                if kind is not e.LogWritten:  # by far the most, and the list of runs has no use for them
                    if kind in _DECISIONS:
                        self._waiting = True
                    runs.take(run_id, item)
            elif isinstance(item, TokenDelta):
                run_id = item.run_id
            elif isinstance(item, Notice):
                self._say(item)
                continue
            else:
                assert_never(item)
            held = held_runs.get(run_id)
            if held is not None:
                self._feed(held, item)
            elif run_id in early:
                early[run_id].append(item)

    def _feed(self, held: Held, item: FeedItem) -> None:
        run = held.run
        was_over = run.finished is not None
        try:
            held.feed(item)
        except StateError as error:
            del self._held[run.id]
            self.broken[run.id] = error
            return
        if not was_over and run.finished is not None and run.id == self.open_id:
            self._ended = run

    def frame(self) -> Frame:
        """What changed since the last frame; listeners are told."""
        found = Frame(ended=self._ended, notices=tuple(self._notices))
        found.waiting, self._waiting = self._waiting, False
        self._notices.clear()
        self._ended = None
        held = self.open
        if held is not None and held.changed:
            found.changes, found.structure, found.whole = held.take()
            self.runs.overlay(held.run)
            for listener in list(self._listeners):
                listener(found.changes)
        found.runs = self.runs.take_changed()
        return found
