"""Log lines in memory: the newest of a run, filtered, as cells. Pure.

Only the last `CAP` lines are held (some 20 MB at most); what is older is in the store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import NamedTuple

from aethermind.domain.events import LogLevel
from aethermind.infra.sanitize import clean_line
from aethermind.tui import format as fmt
from aethermind.tui.glyphs import Glyphs
from aethermind.tui.rows.cells import Cells, Line

CAP = 80_000
LEVELS: tuple[LogLevel, ...] = ("debug", "info", "warning", "error")
_SHOWN = {"debug": "DEBUG", "info": "INFO ", "warning": "WARN ", "error": "ERROR"}
_BRIEF = {"debug": "D", "info": "I", "warning": "W", "error": "E"}


class LogLine(NamedTuple):
    at: int
    level: LogLevel
    agent: str | None
    step: str | None
    message: str


class LogRing:
    """Lines by number; numbers go on when old lines are dropped (`first` is the oldest that is held)."""

    def __init__(self, cap: int = CAP) -> None:
        self.cap = cap
        self.first = 0
        self._lines: list[LogLine] = []
        self._names: dict[str | None, str | None] = {}

    @property
    def end(self) -> int:
        """The number that the next line gets; how many there have been."""
        return self.first + len(self._lines)

    def __len__(self) -> int:
        return len(self._lines)

    def __getitem__(self, number: int) -> LogLine:
        return self._lines[number - self.first]

    def append(self, line: LogLine) -> None:
        names = self._names
        agent = names.setdefault(line.agent, line.agent)  # one object for each name
        step = names.setdefault(line.step, line.step)
        self._lines.append(LogLine(line.at, line.level, agent, step, line.message))
        if len(self._lines) >= self.cap + self.cap // 8:
            gone = len(self._lines) - self.cap
            del self._lines[:gone]
            self.first += gone

    def since(self, number: int) -> Iterable[LogLine]:
        return islice(self._lines, max(number - self.first, 0), None)


class LogView:
    """Which lines are shown. `rows` are numbers of lines, or None while nothing is filtered."""

    def __init__(self, ring: LogRing) -> None:
        self.ring = ring
        self.level: LogLevel = "debug"
        self.step: str | None = None
        self.text = ""
        self._rows: list[int] | None = None
        self._seen = ring.end

    @property
    def filtered(self) -> bool:
        return self._rows is not None

    def filter(
        self, *, level: LogLevel | None = None, step: str | None = None, text: str | None = None
    ) -> None:
        """Set what is given; `step` "" shows all steps."""
        if level is not None:
            self.level = level
        if step is not None:
            self.step = step or None
        if text is not None:
            self.text = text.lower()
        self._seen = self.ring.first
        self._rows = None if self.level == "debug" and self.step is None and not self.text else []
        self.catch_up()

    def catch_up(self) -> int:
        """Take in lines that came since; returns how many of them are shown."""
        ring = self.ring
        begin, self._seen = max(self._seen, ring.first), ring.end
        if self._rows is None:
            return ring.end - begin
        matches = self._matches()
        fresh = [n for n, line in enumerate(ring.since(begin), begin) if matches(line)]
        rows = self._rows
        rows.extend(fresh)
        if rows and rows[0] < ring.first:
            self._rows = [n for n in rows if n >= ring.first]
        return len(fresh)

    def _matches(self) -> Callable[[LogLine], bool]:
        lowest = LEVELS.index(self.level)
        allowed = frozenset(LEVELS[lowest:])
        step, text = self.step, self.text

        def matches(line: LogLine) -> bool:
            if line.level not in allowed:
                return False
            if (
                step is not None
                and line.step != step
                and not (line.step or "").startswith((step + "/", step + "[", step + "#"))
            ):
                return False
            return not text or text in line.message.lower() or text in f"{line.step} {line.agent}".lower()

        return matches

    def __len__(self) -> int:
        return len(self.ring) if self._rows is None else len(self._rows)

    def line(self, row: int) -> LogLine:
        number = self.ring.first + row if self._rows is None else self._rows[row]
        return self.ring[number]

    def find(self, begin: int, delta: int, wanted: Callable[[LogLine], bool]) -> int | None:
        """The next row from `begin` on (going by `delta`, around the end) that is wanted."""
        count = len(self)
        for n in range(count):
            row = (begin + n * delta) % count
            if wanted(self.line(row)):
                return row
        return None


def mentions(text: str) -> Callable[[LogLine], bool]:
    text = text.lower()
    return lambda line: text in f"{line.agent} {line.step} {line.message}".lower()


def cells(line: LogLine, width: int, glyphs: Glyphs, *, match: str = "") -> tuple[Cells, Cells]:
    """A line's fixed part (time, level, agent, step) and its message, which may be scrolled sideways."""
    style = f"log.{line.level}"
    fixed = Line(ellipsis=glyphs.ellipsis)
    fixed.add(" ")
    clock = fmt.clock(line.at)
    if width >= 100:
        fixed.add(clock, "faint").add(" ").add(_SHOWN[line.level], style).add(" ")
        fixed.say(line.agent or "", "log.agent", width=11).add(" ")
        fixed.say(_tail(line.step, 16), "log.step", width=16).add(" ")
    elif width >= 56:
        fixed.add(clock[3:], "faint").add(" ").add(_BRIEF[line.level], style).add(" ")
        fixed.say(_tail(line.step, 12), "log.step", width=12).add(" ")
    else:
        fixed.add(_BRIEF[line.level], style).add(" ")
    body = Line(ellipsis=glyphs.ellipsis)
    text = clean_line(line.message)
    tone = style if line.level in {"warning", "error"} else "faint" if line.level == "debug" else ""
    at = text.lower().find(match) if match else -1
    if at < 0:
        body.add(text, tone)
    else:
        body.add(text[:at], tone).add(text[at : at + len(match)], "match").add(text[at + len(match) :], tone)
    return fixed.cells, body.cells


def _tail(step: str | None, width: int) -> str:
    """As much of a path's end as fits: it tells more than its beginning."""
    step = step or ""
    while len(step) > width and "/" in step:
        step = step.partition("/")[2]
    return step


def as_text(line: LogLine) -> str:
    return clean_line(
        f"{fmt.clock(line.at)} {_SHOWN[line.level]} {line.agent or '-'} {line.step or '-'} {line.message}"
    )
