"""Quitting while runs are at work: keep them running, wait for them, stop them, or stay."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Vertical

from aethermind.domain.state import FINISHED_RUN
from aethermind.tui.actions.target import short
from aethermind.tui.screens.confirm import Choice, ConfirmScreen
from aethermind.tui.screens.dialog import Dialog, Line, safe_line

if TYPE_CHECKING:
    from aethermind.tui.context import Context

IDLE = FINISHED_RUN | {"waiting_answer", "waiting_budget", "parked", "interrupted", "paused"}
"""Nothing of these is at work: leaving stops nothing."""
_LOOK_S = 0.25


def at_work(context: Context) -> list[str]:
    """The runs that leaving would stop."""
    return [item.id for item in context.main.runs if item.status not in IDLE]


def _names(run_ids: Sequence[str]) -> str:
    return ", ".join(short(run_id) for run_id in run_ids[:4]) + (
        f" and {len(run_ids) - 4} more" if len(run_ids) > 4 else ""
    )


class LeaveScreen(ConfirmScreen):
    """Answers `keep`, `wait`, `stop`, or None to stay. `keep`: they can go on without the screen."""

    def __init__(
        self, run_ids: Sequence[str], *, keep: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        several = len(run_ids) != 1
        what = f"{len(run_ids)} runs are" if several else "A run is"
        them = "them" if several else "it"
        kept = [Choice("k", f"keep {them} running; aethermind shows {them} again", "keep")] if keep else []
        super().__init__(
            f"{what} still at work: {_names(run_ids)}",
            note=f"A stopped run is left interrupted: aethermind resume goes on with {them} later,"
            " and what is done is not paid for twice.",
            choices=[
                *kept,
                Choice("w", f"wait for {them} to end, then quit", "wait"),
                Choice("s", f"stop {them} and quit", "stop"),
            ],
            refuse="stay",
            clock=clock,
        )


class WaitScreen(Dialog[bool]):
    """Answers True once none of these runs is at work any more; escape stays."""

    def __init__(self, context: Context, run_ids: Sequence[str]) -> None:
        super().__init__()
        self.context = context
        self.run_ids = frozenset(run_ids)

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog confirm"):
            yield Line("", id="leave-waiting")
            yield Line(safe_line("esc  stay here", "$foreground-muted"))

    def on_mount(self) -> None:
        self.look()
        self.set_interval(_LOOK_S, self.look)

    def look(self) -> None:
        """Whether they are over."""
        left = [run_id for run_id in at_work(self.context) if run_id in self.run_ids]
        if not left:
            self.answer(True)
        else:
            self.query_one("#leave-waiting", Line).show(f"Leaving when done: {_names(left)}")
