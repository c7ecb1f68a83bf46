"""A screen on an engine that is another process's: what it says of that, and what can't be done from here."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from aethermind.engine.client import Attachment

if TYPE_CHECKING:  # the actions import this module
    from aethermind.tui.actions.registry import Action, Enabled
    from aethermind.tui.context import Context

ACTS = frozenset(
    {
        "run.start",
        "run.cancel",
        "run.pause",
        "run.retry",
        "run.again",
        "detail.again",
        "run.reword",
        "run.fork",
        "run.mend",
        "run.answer",
        "run.budget",
        "run.watch",
        "bill.cap",
    }
)
"""Actions that change something in the engine."""
FILES = frozenset({"run.mend", "run.watch", "out.edit"})
"""Actions on a run's own file, which is where the engine is."""


def guarded(action: Action) -> Action:
    """The same action, which says why it can't be done on an engine that is only looked at, or elsewhere."""
    if action.id not in ACTS | FILES:
        return action
    return replace(action, enabled=_asking_first(action.id, action.enabled))


def _asking_first(id: str, enabled: Enabled) -> Enabled:
    def why_not(context: Context) -> str | None:
        attached = context.settings.attached
        if attached is not None:
            if attached.read_only and id in ACTS:
                return f"you only look on at {attached.name}: attach without --read-only to act"
            if not attached.local and id in FILES:
                return f"its file is on {attached.name}: edit it there"
        return enabled(context)

    return why_not


def place(attached: Attachment, own: str) -> str:
    """Where the engine is, for the header. `own`: `me@box`, this terminal's place."""
    where = attached.target if not attached.local else f"{own} pid {attached.pid}"
    return f"{where} (read-only)" if attached.read_only else where
