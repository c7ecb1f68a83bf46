"""The list of runs, kept up to date from events without folding the runs themselves. Pure."""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass, field

from aethermind.domain import events as e
from aethermind.domain import ids
from aethermind.domain.run import Run
from aethermind.domain.usage import Cost
from aethermind.engine.queries import RunRow
from aethermind.tui import format as fmt
from aethermind.tui.glyphs import Glyphs
from aethermind.tui.rows.cells import Cells, Line
from aethermind.tui.rows.draw import STYLE, elapsed

FINISHED = frozenset({"succeeded", "failed", "cancelled"})
LIVE = frozenset({"queued", "running", "stopping"})


@dataclass(slots=True)
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
    asking: set[str] = field(default_factory=set)
    """Steps that wait for a person."""

    @property
    def finished(self) -> bool:
        return self.status in FINISHED

    @property
    def live(self) -> bool:
        """Its times go on while one looks."""
        return self.status in LIVE


class RunList:
    """Runs by id and newest first. `apply` and `merge` tell which run changed."""

    def __init__(self) -> None:
        self.items: list[RunItem] = []
        self._by_id: dict[str, RunItem] = {}
        self.unknown: set[str] = set()
        """Runs of which an event came but that are not in the list: to be asked for."""

    def __len__(self) -> int:
        return len(self.items)

    def get(self, run_id: str) -> RunItem | None:
        return self._by_id.get(run_id)

    def merge(self, row: RunRow) -> RunItem:
        """What the store knows. What events have told since is kept where it says more."""
        item = self._by_id.get(row.id)
        if item is None:
            item = RunItem(row.id, row.workflow, row.status, row.created_at)
            self._add(item)
        item.status = row.status
        item.started_at, item.finished_at = row.started_at, row.finished_at
        item.cost_micro_usd, item.unpriced_calls = row.cost_micro_usd, row.unpriced_calls
        item.simulated, item.error, item.source = row.simulated, row.error, row.source
        self.unknown.discard(row.id)
        return item

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

    def _add(self, item: RunItem) -> None:
        self._by_id[item.id] = item
        insort(self.items, item, key=lambda i: (-i.created_at, i.id))

    def apply(self, recorded: e.Recorded) -> str | None:
        """An event of any run; returns the run's id if its line changed."""
        run_id = ids.run_id_of(recorded.stream)
        event = recorded.event
        if run_id is None or isinstance(event, e.LogWritten):
            return None
        item = self._by_id.get(run_id)
        if item is None:
            if not isinstance(event, e.RunCreated):
                self.unknown.add(run_id)
                return None
            item = RunItem(
                run_id,
                event.workflow,
                "queued",
                recorded.at,
                simulated=event.simulated,
                source=event.source,
            )
            self._add(item)
            return run_id
        return run_id if _change(item, event, recorded.at) else None


def _change(item: RunItem, event: e.AnyEvent, at: int) -> bool:
    match event:
        case e.AttemptStarted(step=step):
            item.active += 1
            item.asking.discard(step)
            item.started_at = item.started_at or at
            if item.status not in {"running", "stopping", "paused"}:
                item.status = "running"
                return True
            return False
        case e.AttemptSucceeded() | e.AttemptFailed() | e.AttemptCancelled() | e.AttemptLost():
            item.active = max(item.active - 1, 0)
            return _settle(item)
        case e.CallFinished(cost=cost) | e.CallFailed(cost=Cost() as cost):
            if cost.micro_usd is None:
                item.unpriced_calls += 1
            else:
                item.cost_micro_usd = (item.cost_micro_usd or 0) + cost.micro_usd
        case e.AskOpened(step=step):
            item.asking.add(step)
            return _settle(item)
        case e.AskAnswered(step=step) | e.AskExpired(step=step):
            item.asking.discard(step)
            item.status = "running"
        case e.BudgetHeld():
            item.status = item.status if item.active else "waiting_budget"
        case e.RunPaused():
            item.status = "paused"
        case e.RunResumed():
            item.status = "running"
        case e.RunReopened():
            item.status, item.finished_at, item.error = "running", None, None
        case e.CancelRequested(step=None):
            item.status = "stopping"
        case e.RunSucceeded():
            item.status, item.finished_at = "succeeded", at
        case e.RunFailed(error=error):
            item.status, item.finished_at, item.error = "failed", at, error.message
        case e.RunCancelled():
            item.status, item.finished_at = "cancelled", at
        case _:
            return False
    return True


def _settle(item: RunItem) -> bool:
    if item.asking and not item.active and item.status == "running":
        item.status = "waiting_answer"
        return True
    return False


def matching(items: Sequence[RunItem], text: str) -> list[RunItem]:
    """Those whose id, workflow or status contain the text."""
    text = text.lower()
    return [i for i in items if not text or text in f"{i.id} {i.workflow} {i.status}".lower()]


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
