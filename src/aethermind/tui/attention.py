"""Calling for somebody who looks elsewhere: a run has ended, or waits. By the bell or by OSC 9.

Rules
- Only what happens while the screen is up counts, and each change of a run's status once.
- Nobody is called who is there: where the terminal reports its focus, while it has it; elsewhere, shortly
  after a key was pressed.
- The text of a notification is clean and short, and the terminal's title is never touched.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, Protocol, assert_never

from aethermind.infra.sanitize import clean_line

Way = Literal["off", "bell", "osc9"]
Wanted = Literal["auto", "off", "bell", "osc9"]
WANTED: tuple[Wanted, ...] = ("auto", "off", "bell", "osc9")
THERE_MS = 10_000
"""So long after a key somebody is taken to be there, where the terminal does not tell."""
LONGEST = 160
"""Characters of a notification."""
_SHOW = frozenset({"iTerm.app", "WezTerm", "ghostty"})
"""Values of TERM_PROGRAM of terminals that show OSC 9 to the user."""
_WORDS = {
    "succeeded": "succeeded",
    "failed": "failed",
    "cancelled": "was cancelled",
    "waiting_answer": "waits for an answer",
    "waiting_budget": "waits for money",
    "parked": "waits for a decision",
    "paused": "is paused",
}
"""Statuses that somebody is called for."""


class Item(Protocol):
    """A line of the list of runs."""

    @property
    def id(self) -> str: ...
    @property
    def workflow(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def error(self) -> str | None: ...
    @property
    def created_at(self) -> int: ...


def way_of(wanted: Wanted, environ: Mapping[str, str]) -> Way:
    """What `auto` means here. Within tmux and screen it is the bell: they mark the window by it, and they do
    not pass OSC 9 on.
    """
    if wanted != "auto":
        return wanted
    if environ.get("TMUX") or environ.get("STY") or environ.get("TERM", "").startswith(("tmux", "screen")):
        return "bell"
    if environ.get("TERM_PROGRAM") in _SHOW or environ.get("TERM", "") in {"xterm-kitty", "xterm-ghostty"}:
        return "osc9"
    return "bell"


def sequence(way: Way, text: str) -> str:
    """What is written to the terminal; empty for nothing."""
    match way:
        case "off":
            return ""
        case "bell":
            return "\a"
        case "osc9":
            # A word goes before: `9;4;…` would be a progress bar.
            return f"\x1b]9;aethermind: {clean_line(text)[:LONGEST]}\x1b\\"
        case _:
            assert_never(way)


class Attention:
    """Knows what was seen of each run, and whether somebody is there."""

    def __init__(self, way: Way, since: int) -> None:
        self.way = way
        self._since = since
        """Epoch ms: of a run that is older and was not seen before, nothing is news."""
        self._status: dict[str, str] = {}
        self._focused: bool | None = None
        """None: the terminal has not said."""
        self._typed_at: int | None = None

    def focus(self, focused: bool) -> None:
        self._focused = focused

    def typed(self, now: int) -> None:
        self._typed_at = now

    def away(self, now: int) -> bool:
        """Whether nobody looks, as far as can be told. `now`: epoch ms."""
        if self._focused is not None:
            return not self._focused
        return self._typed_at is None or now - self._typed_at >= THERE_MS

    def seen(self, items: Iterable[Item]) -> list[str]:
        """Runs that may have changed: what has come since that somebody should know, a line for each."""
        found = []
        for item in items:
            before = self._status.get(item.id)
            if before == item.status:
                continue
            self._status[item.id] = item.status
            if item.status in _WORDS and (before is not None or item.created_at >= self._since):
                why = f": {item.error}" if item.status == "failed" and item.error else ""
                found.append(f"{item.workflow} {_WORDS[item.status]}{why}")
        return found

    def call(self, items: Iterable[Item], now: int) -> str:
        """The sequence that calls for what `seen` finds; empty if nobody is to be called."""
        lines = self.seen(items)
        if not lines or not self.away(now):
            return ""
        more = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
        return sequence(self.way, lines[0] + more)
