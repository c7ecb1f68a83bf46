"""The list of runs, kept up to date from events without folding the runs themselves. Pure."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aethermind.domain import events as e
from aethermind.domain import ids
from aethermind.domain.run import Run
from aethermind.engine.queries import RunRow
from aethermind.tui import format as fmt
from aethermind.tui.glyphs import Glyphs
from aethermind.tui.rows.cells import Cells, Line
from aethermind.tui.rows.draw import STYLE, elapsed

FINISHED = frozenset({"succeeded", "failed", "cancelled"})
LIVE = frozenset({"queued", "running", "stopping"})


@dataclass(slots=True, eq=False)
class RunItem:
    """One run of the list. Times are epoch ms, money micro-USD."""

    id: str
    workflow: str
    status: str
    created_at: int
    started_at: int | None = None
    finished_at: int | None = None
    cost_micro_usd: int | None = None
    unpriced_calls: int = 0
    simulated: bool = False
    error: str | None = None
    source: str | None = None
    active: int = 0
    """Attempts that run, as far as events told."""
    asking: frozenset[str] = frozenset()
    """Steps that wait for a person."""

    @property
    def finished(self) -> bool:
        return self.status in FINISHED

    @property
    def live(self) -> bool:
        """Its times go on while one looks."""
        return self.status in LIVE


def place(item: RunItem) -> tuple[int, str]:
    """Newest first."""
    return -item.created_at, item.id


class RunList:
    """Runs by id and newest first. Whatever changes a line notes it, so that a frame costs as much as
    changed, not as much as there is.
    """

    def __init__(self) -> None:
        self.items: list[RunItem] = []
        self._by_id: dict[str, RunItem] = {}
        self._changed: set[str] = set()
        self.stamp = 0
        """Another one as soon as there are more or fewer runs."""
        self.more = False
        """There are older ones that were not read."""
        self.sought: set[str] = set()
        """Older ones of these that a filter found: without one they are not shown, for what lies between is
        not known."""
        self.unknown: set[str] = set()
        """Runs of which an event came but that are not in the list: to be asked for."""

    def __len__(self) -> int:
        return len(self.items)

    def get(self, run_id: str) -> RunItem | None:
        return self._by_id.get(run_id)

    def take_changed(self) -> frozenset[str]:
        """Runs whose lines may be others than when this was asked last."""
        if not self._changed:
            return _NONE
        changed, self._changed = frozenset(self._changed), set()
        return changed

    def merge(self, row: RunRow, *, sought: bool = False) -> RunItem:
        """What the store knows. What events have told since is kept where it says more. `sought`: it is here
        because a filter found it."""
        item = self._by_id.get(row.id)
        if not sought:
            self.keep(row.id)
        if item is None:
            item = RunItem(row.id, row.workflow, row.status, row.created_at)
            self._add(item)
            if sought:
                self.sought.add(row.id)
        item.status = row.status
        item.started_at, item.finished_at = row.started_at, row.finished_at
        item.cost_micro_usd, item.unpriced_calls = row.cost_micro_usd, row.unpriced_calls
        item.simulated, item.error, item.source = row.simulated, row.error, row.source
        self.unknown.discard(row.id)
        self._changed.add(row.id)
        return item

    def keep(self, run_id: str) -> None:
        """It is shown from now on, however it was found."""
        if run_id in self.sought:
            self.sought.remove(run_id)
            self.stamp += 1

    def overlay(self, run: Run) -> None:
        """A folded run knows best about itself."""
        item = self._by_id.get(run.id)
        if item is None:
            return
        if item.status != "interrupted" or run.finished is not None:
            item.status = run.status
        item.started_at, item.finished_at = run.started_at, run.finished_at
        item.cost_micro_usd, item.unpriced_calls = run.tally.cost, run.tally.unpriced
        item.error = run.error.message if run.error is not None else None
        self._changed.add(run.id)

    def _add(self, item: RunItem) -> None:
        self._by_id[item.id] = item
        self.stamp += 1
        items = self.items
        at = place(item)
        if not items or at < place(items[0]):  # it has begun now
            items.insert(0, item)
        elif at > place(items[-1]):  # the next of a page
            items.append(item)
        else:
            insort(items, item, key=place)

    def apply(self, recorded: e.Recorded) -> str | None:
        """An event of any run; returns the run's id if its line changed."""
        run_id = ids.run_id_of(recorded.stream)
        return None if run_id is None else self.take(run_id, recorded)

    def take(self, run_id: str, recorded: e.Recorded) -> str | None:
        """The same, for who knows the run's id."""
        event = recorded.event
        change = _CHANGES.get(type(event))
        item = self._by_id.get(run_id)
        if item is not None:
            if self.sought:
                self.keep(run_id)
            if change is None or not change(item, event, recorded.at):
                return None
        elif isinstance(event, e.RunCreated):
            self._add(
                RunItem(
                    run_id,
                    event.workflow,
                    "queued",
                    recorded.at,
                    simulated=event.simulated,
                    source=event.source,
                )
            )
        else:
            if not isinstance(event, e.LogWritten):
                self.unknown.add(run_id)
            return None
        self._changed.add(run_id)
        return run_id


_NONE: frozenset[str] = frozenset()


# --- what an event changes of a line: whether it does ---------------------------------------------


def _started(item: RunItem, event: e.AttemptStarted, at: int) -> bool:
    item.active += 1
    if item.asking:
        item.asking -= {event.step}
    if item.started_at is None:
        item.started_at = at
    if item.status in _AT_WORK:
        return False
    item.status = "running"
    return True


def _ended(item: RunItem, event: e.AnyEvent, at: int) -> bool:
    if item.active:
        item.active -= 1
    return bool(item.asking) and _settle(item)


def _billed(item: RunItem, event: e.CallFinished | e.CallFailed, at: int) -> bool:
    cost = event.cost
    if cost is None:
        return False  # refused before it was billed
    if cost.micro_usd is None:
        item.unpriced_calls += 1
    else:
        item.cost_micro_usd = (item.cost_micro_usd or 0) + cost.micro_usd
    return True


def _asked(item: RunItem, event: e.AskOpened, at: int) -> bool:
    item.asking |= {event.step}
    return _settle(item)


def _decided(item: RunItem, event: e.AskAnswered | e.AskExpired, at: int) -> bool:
    item.asking -= {event.step}
    item.status = "running"
    return True


def _held(item: RunItem, event: e.BudgetHeld, at: int) -> bool:
    item.status = item.status if item.active else "waiting_budget"
    return True


def _to(status: str) -> Callable[[RunItem, e.AnyEvent, int], bool]:
    def change(item: RunItem, event: e.AnyEvent, at: int) -> bool:
        item.status = status
        return True

    return change


def _stopping(item: RunItem, event: e.CancelRequested, at: int) -> bool:
    if event.step is not None:
        return False
    item.status = "stopping"
    return True


def _reopened(item: RunItem, event: e.RunReopened, at: int) -> bool:
    item.status, item.finished_at, item.error = "running", None, None
    return True


def _over(status: str) -> Callable[[RunItem, e.AnyEvent, int], bool]:
    def change(item: RunItem, event: e.AnyEvent, at: int) -> bool:
        item.status, item.finished_at = status, at
        if isinstance(event, e.RunFailed):
            item.error = event.error.message
        return True

    return change


_AT_WORK = frozenset({"running", "stopping", "paused"})
_CHANGES: dict[type, Callable[[RunItem, Any, int], bool]] = {
    e.AttemptStarted: _started,
    e.AttemptSucceeded: _ended,
    e.AttemptFailed: _ended,
    e.AttemptCancelled: _ended,
    e.AttemptLost: _ended,
    e.CallFinished: _billed,
    e.CallFailed: _billed,
    e.AskOpened: _asked,
    e.AskAnswered: _decided,
    e.AskExpired: _decided,
    e.BudgetHeld: _held,
    e.RunPaused: _to("paused"),
    e.RunResumed: _to("running"),
    e.RunReopened: _reopened,
    e.CancelRequested: _stopping,
    e.RunSucceeded: _over("succeeded"),
    e.RunFailed: _over("failed"),
    e.RunCancelled: _over("cancelled"),
}


def _settle(item: RunItem) -> bool:
    if item.asking and not item.active and item.status == "running":
        item.status = "waiting_answer"
        return True
    return False


def matches(item: RunItem, text: str) -> bool:
    """Whether its id, workflow or status contain the text, which is in small letters."""
    return not text or text in f"{item.id} {item.workflow} {item.status}".lower()


class Shown:
    """The runs of a list that match a text, newest first, kept up to date by what changed."""

    def __init__(self) -> None:
        self.items: list[RunItem] = []
        self._text = ""
        self._stamp = -1
        self._among: frozenset[str] | set[str] = _NONE

    def update(self, known: RunList, text: str, changed: frozenset[str]) -> bool:
        """Whether there are others than before, or in another order."""
        text = text.lower()
        anew = self._stamp != known.stamp or text != self._text
        if not text:
            self._among = _NONE
            if anew:
                self.items = (
                    [i for i in known.items if i.id not in known.sought] if known.sought else known.items[:]
                )
        else:
            if text != self._text or self._stamp < 0:
                self._among = {item.id for item in known.items if matches(item, text)}
            else:
                anew = self._again(known, text, changed) or anew
            if anew:
                self.items = [item for item in known.items if item.id in self._among]
        self._text, self._stamp = text, known.stamp
        return anew

    def _again(self, known: RunList, text: str, changed: frozenset[str]) -> bool:
        among = self._among
        assert isinstance(among, set)
        before = len(among)
        gone = False
        for run_id in changed:
            item = known.get(run_id)
            if item is not None and matches(item, text):
                among.add(run_id)
            elif run_id in among:
                among.remove(run_id)
                gone = True
        return gone or len(among) != before

    def place(self, item: RunItem) -> int | None:
        """Where it stands."""
        index = bisect_left(self.items, place(item), key=place)
        found = index < len(self.items) and self.items[index] is item
        return index if found else None


WORDS = {
    "waiting_answer": "answer",
    "waiting_budget": "budget",
    "interrupted": "stopped",
    "parked": "in doubt",
    "paused": "paused",
    "queued": "queued",
    "stopping": "stopping",
}
"""What stands in place of a duration where the state says more."""


def cells(
    item: RunItem, width: int, now: int, glyphs: Glyphs, *, opened: bool, marked: bool = False
) -> Cells:
    """`● r_8f21 research  01:42`; a marked one has an `m` in front."""
    line = Line(ellipsis=glyphs.ellipsis)
    line.add("m" if marked else " ", "key").add(glyphs.status_of(item.status), STYLE.get(item.status, ""))
    line.add(" ").say(item.id[:6], "strong" if opened else "id").add(" ")
    time = WORDS.get(item.status) or elapsed(item.created_at, item.finished_at, now)
    right = time
    if width >= 44:
        money = fmt.usd_short(item.cost_micro_usd, unknown=glyphs.dash if item.unpriced_calls else "")
        right = f"{'sim ' if item.simulated else ''}{money}  {time:>6}"
    room = width - line.width - len(right) - 2
    line.say(item.workflow, "strong" if opened else "", width=max(room, 4))
    line.add(" ").field(right, width - line.width - 1, "gate" if item.status in WORDS else "time", right=True)
    return line.cells
