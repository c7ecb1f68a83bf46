"""Log lines of a run, filtered, as cells. Pure. The lines themselves are in a `LogRing`."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable

from aethermind.domain.events import LogLevel
from aethermind.infra.sanitize import clean_line
from aethermind.tui import format as fmt
from aethermind.tui.glyphs import Glyphs
from aethermind.tui.rows.cells import Cells, Line
from aethermind.tui.rows.ring import LEVELS, LogLine, LogRing

_SHOWN = {"debug": "DEBUG", "info": "INFO ", "warning": "WARN ", "error": "ERROR"}
_BRIEF = {"debug": "D", "info": "I", "warning": "W", "error": "E"}


class LogView:
    """Which lines are shown. `rows` are numbers of lines, or None while nothing is filtered."""

    def __init__(self, ring: LogRing) -> None:
        self.ring = ring
        self.level: LogLevel = "debug"
        self.step: str | None = None
        self.agent: str | None = None
        self.text = ""
        self._rows: array[int] | None = None
        self._seen = ring.end

    @property
    def filtered(self) -> bool:
        return self._rows is not None

    def filter(
        self,
        *,
        level: LogLevel | None = None,
        step: str | None = None,
        agent: str | None = None,
        text: str | None = None,
    ) -> None:
        """Set what is given; `step` "" shows all steps, `agent` "" all agents."""
        if level is not None:
            self.level = level
        if step is not None:
            self.step = step or None
        if agent is not None:
            self.agent = agent or None
        if text is not None:
            self.text = text.lower()
        self._seen = self.ring.first
        everything = self.level == "debug" and not (self.step or self.agent or self.text)
        self._rows = None if everything else array("Q")
        self.catch_up()

    def catch_up(self) -> int:
        """Take in lines that came since; returns how many of them are shown."""
        ring = self.ring
        begin, self._seen = max(self._seen, ring.first), ring.end
        if self._rows is None:
            return ring.end - begin
        fresh = ring.select(begin, level=self.level, step=self._step_fits(), text=self.text)
        if self.agent is not None:
            fresh = [number for number in fresh if ring[number].agent == self.agent]
        self._rows.extend(fresh)
        if self._rows and self._rows[0] < ring.first:
            del self._rows[: bisect_left(self._rows, ring.first)]
        return len(fresh)

    def _step_fits(self) -> Callable[[str | None], bool] | None:
        step = self.step
        if step is None:
            return None
        below = (step + "/", step + "[", step + "#")
        return lambda name: name == step or (name or "").startswith(below)

    def __len__(self) -> int:
        return len(self.ring) if self._rows is None else len(self._rows)

    def _number(self, row: int) -> int:
        return self.ring.first + row if self._rows is None else self._rows[row]

    def line(self, row: int) -> LogLine:
        return self.ring[self._number(row)]

    def find_level(self, begin: int, delta: int, level: LogLevel) -> int | None:
        """The next row of this level from `begin` on (going by `delta`, around the end)."""
        count = len(self)
        rows = ((begin + n * delta) % count for n in range(count))
        return next((row for row in rows if self.ring.level(self._number(row)) == level), None)

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


__all__ = ["LEVELS", "LogLine", "LogRing", "LogView", "as_text", "cells", "mentions"]
