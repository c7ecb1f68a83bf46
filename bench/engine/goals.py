"""What is measured against what is wanted: one line each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Line:
    """`measured` and `goal` are in the same unit; `at_least` says on which side of the goal is well."""

    part: str
    what: str
    measured: float
    unit: str = ""
    """`s`, `ms`, `µs`, `KB`, `MB`, `×`, `%` (of 1) or `/s`."""
    goal: float | None = None
    at_least: bool = False
    note: str = ""

    @property
    def met(self) -> bool | None:
        """None: there is no goal, the line is for reading."""
        if self.goal is None:
            return None
        return self.measured >= self.goal if self.at_least else self.measured <= self.goal

    @property
    def verdict(self) -> str:
        """`met`, or `missed by` how much (points of a percentage, else the factor that is wanting)."""
        if self.goal is None:
            return ""
        if self.met:
            return "met"
        if self.unit == "%":
            return f"missed by {abs(self.goal - self.measured) * 100:.0f} points"
        far, near = (self.goal, self.measured) if self.at_least else (self.measured, self.goal)
        return f"missed, {far / near:.2f}× off" if near > 0 else "missed"

    def as_json(self) -> dict[str, object]:
        return {
            "part": self.part,
            "what": self.what,
            "measured": self.measured,
            "unit": self.unit,
            "goal": self.goal,
            "at_least": self.at_least,
            "met": self.met,
            "note": self.note,
        }


def figure(value: float, unit: str) -> str:
    if unit == "%":
        return f"{value:.0%}"
    if unit == "/s":
        return f"{value:,.0f}/s"
    digits = 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:,.{digits}f}" + (unit if unit == "×" else f" {unit}" if unit else "")


def table(lines: Sequence[Line]) -> str:
    """One line each: part, what, measured, goal, verdict, note."""
    rows = [
        (
            line.part,
            line.what,
            figure(line.measured, line.unit),
            "" if line.goal is None else f"{'≥' if line.at_least else '≤'} {figure(line.goal, line.unit)}",
            line.verdict,
            line.note,
        )
        for line in lines
    ]
    heads = ("part", "what", "measured", "goal", "", "")
    widths = [max(len(row[n]) for row in (heads, *rows)) for n in range(5)]
    text = []
    for row in (heads, *rows):
        cells = [
            f"{cell:>{w}}" if n in {2, 3} else f"{cell:<{w}}"
            for n, (cell, w) in enumerate(zip(row, widths, strict=False))
        ]
        text.append("  ".join([*cells, row[5]]).rstrip())
    return "\n".join(text)


def median(values: Sequence[float]) -> float:
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def quantile(values: Sequence[float], share: float) -> float:
    """The value that `share` of all do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-len(ordered) * share // 1).__int__() - 1))]
