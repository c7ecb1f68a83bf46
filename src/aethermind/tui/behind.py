"""What came for the main screen while something else is on top of it.

Below a dialog it is seen, dimmed: each change there costs a painting of the whole screen. So it moves on
once a second, and is up to date again as soon as nothing is on top of it.
"""

from __future__ import annotations

from aethermind.tui.bridge import Frame
from aethermind.tui.context import Changes

EVERY_S = 1.0


class Behind:
    def __init__(self) -> None:
        self._owed: Frame | None = None
        self._shown_at = float("-inf")

    def take(self, frame: Frame, now_s: float, *, covered: bool) -> tuple[Frame | None, float]:
        """What is to be drawn now, with all that was held back; or None, and in how many seconds it is.
        `now_s`: of a clock that only goes forward.
        """
        owed = joined(self._owed, frame) if self._owed is not None else frame
        left = self._shown_at + EVERY_S - now_s if covered else 0.0
        if left > 0 and frame.ended is None:
            self._owed = owed
            return None, left
        self._owed, self._shown_at = None, now_s
        return owed, 0.0


def joined(first: Frame, then: Frame) -> Frame:
    """Both as one."""
    return Frame(
        runs=first.runs | then.runs,
        changes=_both(first.changes, then.changes),
        structure=first.structure | then.structure,
        whole=first.whole or then.whole,
        ended=then.ended or first.ended,
        notices=first.notices + then.notices,
        waiting=first.waiting or then.waiting,
    )


def _both(first: Changes | None, then: Changes | None) -> Changes | None:
    if first is None or then is None:
        return first or then
    if first.run_id != then.run_id:  # another run was opened, which draws everything
        return then
    return Changes(then.run_id, first.nodes | then.nodes, first.texts | then.texts, first.logs + then.logs)
