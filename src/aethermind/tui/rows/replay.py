"""A recorded run as a tape: which events lie before a moment, and how the playhead moves. Pure."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence

from aethermind.domain import events as e
from aethermind.tui import format as fmt
from aethermind.tui.glyphs import Glyphs
from aethermind.tui.rows.cells import Cells, Line

SPEEDS = (1, 4, 16)
QUIET_MS = 10_000
"""So long at most, as one watches, nothing happens: the rest of a pause (a run that waited for its person
over night) is left out."""
LEAD_MS = 1_000
"""So long before the event that ends such a pause the tape goes on."""
LEAPS = 20
"""Leaps from the beginning to the end."""
_WORD = re.compile(r"(?<!^)(?=[A-Z])")


class Tape:
    """Events of one run in their order, and a playhead between its first and its last moment."""

    def __init__(self, history: Sequence[e.Recorded]) -> None:
        if not history:
            raise ValueError("a tape without events")
        self.history = sorted(history, key=lambda recorded: recorded.seq)
        # A clock that was set back does not turn the tape round.
        latest = self.history[0].at
        self._times: list[int] = []
        for recorded in self.history:
            latest = max(latest, recorded.at)
            self._times.append(latest)
        self.start, self.end = self._times[0], self._times[-1]
        self.at = self.start
        """The playhead, epoch ms."""
        self.count = 1
        """How many events have happened by then; the first one always has."""

    @property
    def over(self) -> bool:
        return self.count == len(self.history)

    @property
    def last(self) -> e.Recorded:
        """The event that happened last."""
        return self.history[self.count - 1]

    def go_to(self, at: int) -> None:
        """Everything up to this moment has happened."""
        self.at = max(self.start, min(at, self.end))
        self.count = max(bisect_right(self._times, self.at), 1)

    def step(self, delta: int) -> None:
        """One event on (1) or back (-1); the playhead is at its moment."""
        self.count = max(1, min(self.count + delta, len(self.history)))
        self.at = self._times[self.count - 1]

    def leap(self, delta: int) -> None:
        """A twentieth of the whole on or back."""
        self.go_to(self.at + delta * max((self.end - self.start) // LEAPS, 1))

    def advance(self, ms: int, speed: int) -> None:
        """So many milliseconds of watching at this speed."""
        if self.over:
            self.at = self.end
            return
        at, following = self.at + ms * speed, self._times[self.count]
        if following - self.at > QUIET_MS * speed:
            at = max(at, following - LEAD_MS * speed)
        self.at = min(at, self.end)
        self.count = max(self.count, bisect_right(self._times, self.at))


def described(recorded: e.Recorded) -> str:
    """`attempt started gather/scrape`; not cleaned."""
    event = recorded.event
    if isinstance(event, e.LogWritten):
        return f"{event.level}: {event.message}"
    words = _WORD.sub(" ", type(event).__name__).lower()
    step = getattr(event, "step", None)
    return f"{words} {step}" if step else words


def bar(tape: Tape, width: int, glyphs: Glyphs, *, playing: bool, speed: int) -> Cells:
    """`PLAY ×4 00:41/02:13 ━━━━●──── 41/210 attempt started gather`."""
    line = Line(ellipsis=glyphs.ellipsis)
    line.add(" ").field("PLAY" if playing else "PAUSE", 6, "running" if playing else "gate")
    line.field(f"{'x' if glyphs.ascii else '×'}{speed}", 4, "strong")
    gone, whole = tape.at - tape.start, tape.end - tape.start
    line.add(f"{fmt.duration(gone) or '0.0s'}/{fmt.duration(whole)}", "time").add(" ")
    size = max(min(width // 3, width - line.width - 30), 8)
    filled = gone * (size - 1) // whole if whole else size - 1
    line.add(glyphs.bar[8] * filled, "bar.run").add(glyphs.box[3], "star")
    line.add(("." if glyphs.ascii else "─") * (size - 1 - filled), "guide")
    line.add(f" {tape.count}/{len(tape.history)} ", "faint").say(described(tape.last), "note")
    return line.to(width).cells
