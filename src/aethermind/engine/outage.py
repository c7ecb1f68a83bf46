"""When the store can't record: nothing new starts, everybody is told in one line, and it goes on by itself.

Rules
- While the store is in trouble that holds, no attempt starts in any run. Those under way may end, and what
  they bring is recorded as long as there is room. When it is over, every run plans again.
- A run that had to be dropped (its state may be ahead of the disk) leaves the reason behind: who waits for
  it, or asks later, hears it.
"""

from __future__ import annotations

from collections.abc import Callable

from aethermind.domain.errors import AethermindError, StoreError
from aethermind.engine.client import Notice
from aethermind.engine.feed import Feed
from aethermind.engine.live import LiveRun
from aethermind.engine.scheduler import Scheduler
from aethermind.engine.trouble import Trouble

MOST_REASONS = 1_000


class Outage:
    """One per engine; all methods belong to its event loop."""

    def __init__(self, scheduler: Scheduler, feed: Feed) -> None:
        self._scheduler = scheduler
        self._feed = feed
        self._reasons: dict[str, AethermindError] = {}
        self.trouble: Trouble | None = None
        self.remark: Callable[[str], object] = lambda _text: None
        """Keeps a line for whoever looks for the cause later: the debug log."""
        scheduler.on_drop = self.dropped

    def tell(self, trouble: Trouble | None) -> None:
        """The store's word: it can't record, or (None) it can again."""
        before, self.trouble = self.trouble, trouble
        admission = self._scheduler.admission
        admission.held, was_held = trouble is not None and trouble.holds, admission.held
        if was_held and not admission.held:
            for live in self._scheduler.live.values():
                live.wake()
        if trouble is not None:
            self._say(Notice(kind="held" if trouble.holds else "warning", message=trouble.message))
        elif before is not None:
            what = {"full": "there is room on the disk again", "locked": "the database is free again"}
            message = what.get(before.kind, "nobody keeps the database open for reading any more")
            self._say(Notice(kind="over", message=f"{message}: going on"))

    def dropped(self, live: LiveRun, error: Exception) -> AethermindError:
        """A run is not driven here any more because of this; what those are told who wait for it."""
        run_id = live.run.id
        kind = type(error) if isinstance(error, AethermindError) else StoreError
        message = error.message if isinstance(error, AethermindError) else f"{type(error).__name__}: {error}"
        reason = kind(f"run {run_id} was stopped: {message}", hint=f"to go on: aethermind resume {run_id}")
        while len(self._reasons) >= MOST_REASONS:
            del self._reasons[next(iter(self._reasons))]
        self._reasons[run_id] = reason
        self._say(Notice(kind="dropped", message=reason.line(), run_id=run_id))
        return reason

    def reason(self, run_id: str) -> AethermindError | None:
        """Why this run was dropped here; None if it was not."""
        found = self._reasons.get(run_id)
        return None if found is None else type(found)(found.message, hint=found.hint)

    def check(self) -> None:
        """Raise `StoreError` if there is no room for a new run."""
        if self.trouble is not None and self.trouble.kind == "full":
            raise StoreError(self.trouble.message)

    def _say(self, notice: Notice) -> None:
        self.remark(notice.message)
        self._feed.notice(notice)
