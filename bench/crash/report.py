"""What the rounds gave, by the place of the kill."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

RANDOM = "random"
"""The row of kills at random moments."""


@dataclass
class Row:
    """Kills at one place, and what they cost."""

    kills: int = 0
    lost: int = 0
    """Events that were acknowledged and are not there."""
    after: int = 0
    """Effects of steps that had been recorded as done."""
    survivors: int = 0
    run_again: int = 0
    in_doubt: int = 0
    twice: int = 0
    """Calls possibly billed twice."""
    at_most: int = 0
    """What those may have cost, in micro-dollars."""
    resume_s: list[float] = field(default_factory=list)
    """From the birth of the next life to the first event it committed."""

    def add(self, other: Row) -> None:
        self.kills += other.kills
        self.lost += other.lost
        self.after += other.after
        self.survivors += other.survivors
        self.run_again += other.run_again
        self.in_doubt += other.in_doubt
        self.twice += other.twice
        self.at_most += other.at_most
        self.resume_s += other.resume_s

    def json(self) -> dict[str, Any]:
        return {
            "kills": self.kills,
            "acknowledged_lost": self.lost,
            "effects_after_completion": self.after,
            "surviving_children": self.survivors,
            "attempts_run_again": self.run_again,
            "attempts_in_doubt": self.in_doubt,
            "calls_possibly_billed_twice": self.twice,
            "at_most_micro_usd": self.at_most,
            "resume_p50_ms": _ms(percentile(self.resume_s, 0.50)),
            "resume_p95_ms": _ms(percentile(self.resume_s, 0.95)),
        }


@dataclass
class Report:
    seed: int
    rows: dict[str, Row] = field(default_factory=dict)
    episodes: int = 0
    lives: int = 0
    steps: int = 0
    acknowledged: int = 0
    problems: list[str] = field(default_factory=list)
    never_reached: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def row(self, place: str) -> Row:
        return self.rows.setdefault(place, Row())

    @property
    def kills(self) -> int:
        return sum(row.kills for row in self.rows.values())

    @property
    def total(self) -> Row:
        total = Row()
        for row in self.rows.values():
            total.add(row)
        return total

    @property
    def failed(self) -> bool:
        total = self.total
        return bool(total.lost or total.after or total.survivors or self.problems or self.never_reached)

    def json(self) -> dict[str, Any]:
        return {
            "seed": self.seed,
            "rounds": self.kills,
            "databases": self.episodes,
            "lives": self.lives,
            "recorded_steps": self.steps,
            "acknowledged_events": self.acknowledged,
            "seconds": round(self.seconds, 1),
            "problems": self.problems,
            "never_reached": self.never_reached,
            "total": self.total.json(),
            "places": {place: row.json() for place, row in sorted(self.rows.items())},
        }

    def text(self) -> str:
        head = [
            "place",
            "kills",
            "lost",
            "after",
            "alive",
            "again",
            "doubt",
            "twice",
            "at most",
            "p50 ms",
            "p95 ms",
        ]
        rows = [[place, *_cells(row)] for place, row in sorted(self.rows.items())]
        lines = [*table([head, *rows, ["all", *_cells(self.total)]]), ""]
        lines.append(
            f"{self.kills} kills of {self.lives} lives in {self.seconds:.0f} s, {self.episodes} databases, "
            f"{self.steps} recorded steps, {self.acknowledged} acknowledged events (seed {self.seed})"
        )
        lines += [f"PROBLEM {problem}" for problem in self.problems]
        if self.never_reached:
            lines.append(f"NEVER REACHED {', '.join(self.never_reached)}")
        return "\n".join(lines)


def _cells(row: Row) -> list[str]:
    found = row.json()
    money = f"${row.at_most / 1e6:.4f}" if row.at_most else "0"
    values = list(found.values())
    return [*map(str, values[:7]), money, *("" if v is None else f"{v:.0f}" for v in values[8:])]


def table(rows: Iterable[list[str]]) -> list[str]:
    """Columns as wide as they need to be, the first to the left."""
    listed = list(rows)
    widths = [max(map(len, column)) for column in zip(*listed, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if n == 0 else cell.rjust(width)
            for n, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in listed
    ]


def percentile(values: list[float], part: float) -> float | None:
    if len(values) < 2:
        return values[0] if values else None
    return statistics.quantiles(values, n=100, method="inclusive")[round(part * 100) - 1]


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)
