"""What was spent over all runs, by model, agent, workflow, day or run. Pure.

Settled money, money reserved for calls in flight, what may have been billed besides, and calls without a
price stand in columns of their own and are never added up. Real and simulated money are never on one screen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from aethermind.domain.days import DAY_MS, iso_day
from aethermind.domain.usage import NO_USAGE, Usage
from aethermind.engine.queries import CostGroup, CostRow, LedgerRow
from aethermind.tui import format as fmt
from aethermind.tui.glyphs import Glyphs
from aethermind.tui.rows.cells import Cells, Line

GROUPS: tuple[CostGroup, ...] = ("model", "agent", "workflow", "day", "run")
Span = Literal["all time", "today", "7 days", "30 days"]
SPANS: dict[Span, int] = {"all time": 0, "today": 1, "7 days": 7, "30 days": 30}
"""How many days up to today; 0: no end."""
SPARK_DAYS = 30


@dataclass(frozen=True)
class Bill:
    """What was read at one time."""

    by: CostGroup
    rows: Sequence[CostRow]
    days: Sequence[CostRow] = ()
    """By day, of the last days."""
    today: LedgerRow = field(default_factory=lambda: LedgerRow("day", 0))
    span: Span = "7 days"
    simulated: bool = False
    at: int = 0
    """When it was read, epoch ms."""


def since_of(span: Span, now: int) -> int | None:
    """The beginning of the first (UTC) day of a span, epoch ms; None: no beginning."""
    days = SPANS[span]
    return None if not days else (now // DAY_MS - days + 1) * DAY_MS


@dataclass(frozen=True, slots=True)
class Sum:
    """All rows together. Money is micro-USD; `settled` None: nothing was priced."""

    calls: int
    usage: Usage
    settled: int | None
    unpriced: int
    in_flight: int
    reserved: int
    at_most: int
    saved: int
    """By caching; it is in none of the other sums."""


def total(rows: Sequence[CostRow]) -> Sum:
    priced = [row.cost_micro_usd for row in rows if row.cost_micro_usd is not None]
    return Sum(
        calls=sum(row.calls for row in rows),
        usage=sum((row.usage for row in rows), NO_USAGE),
        settled=sum(priced) if priced else None,
        unpriced=sum(row.unpriced_calls for row in rows),
        in_flight=sum(row.in_flight_calls for row in rows),
        reserved=sum(row.reserved_micro_usd for row in rows),
        at_most=sum(row.at_most_micro_usd for row in rows),
        saved=sum(row.saved_micro_usd for row in rows),
    )


def spark(days: Sequence[CostRow], today: int, glyphs: Glyphs, count: int = SPARK_DAYS) -> str:
    """A sign a day up to `today` (days since the epoch), high where most was settled; days without cost are
    blank, so that nothing and little differ.
    """
    by_day = {row.key: row.cost_micro_usd or 0 for row in days}
    values = [by_day.get(iso_day(today - back), 0) for back in reversed(range(count))]
    most = max(values, default=0)
    if not most:
        return ""
    signs = glyphs.spark
    return "".join(signs[-(-value * (len(signs) - 1) // most)] if value else " " for value in values)


# --- the lines above -----------------------------------------------------------------------------


def title(bill: Bill, width: int, glyphs: Glyphs) -> Cells:
    line = Line(ellipsis=glyphs.ellipsis).add(" SPENDING ", "brand").add("  ")
    for group in GROUPS:
        here = group == bill.by
        line.add(f"[{group}]" if here else f" {group} ", "strong" if here else "muted")
    line.add("  ").add(bill.span, "title")
    if bill.simulated:
        line.add("  ").add("sim", "sim").add(" nothing was spent", "faint")
    return line.to(width).cells


def summary(bill: Bill, width: int, glyphs: Glyphs) -> list[Cells]:
    """Three lines: the sums, the days, today's budget."""
    return [_sums(bill, width, glyphs), _days(bill, width, glyphs), _today(bill, width, glyphs)]


def _sums(bill: Bill, width: int, glyphs: Glyphs) -> Cells:
    found = total(bill.rows)
    line = Line(ellipsis=glyphs.ellipsis)
    line.add(" settled ", "faint").add(fmt.usd(found.settled, unknown=glyphs.dash), "money")
    line.add("  in flight ", "faint").add(str(found.in_flight) if found.in_flight else glyphs.dash, "running")
    line.add("  reserved ", "faint").add(_some(found.reserved, glyphs), "waiting")
    line.add("  maybe billed ", "faint").add(_some(found.at_most, glyphs), "unpriced")
    line.add("  unpriced ", "faint").add(str(found.unpriced) if found.unpriced else glyphs.dash, "unpriced")
    if found.saved:
        line.add("  saved ", "faint").add(fmt.usd(found.saved), "ok")
    usage = found.usage
    if usage.cached_input_tokens:
        share = usage.cached_input_tokens * 100 // max(usage.input_tokens, 1)
        line.add("  from caches ", "faint").add(f"{share}% of input", "ok")
    return line.to(width).cells


def _days(bill: Bill, width: int, glyphs: Glyphs) -> Cells:
    count = SPARK_DAYS if width >= 70 else 14
    drawn = spark(bill.days, bill.today.day, glyphs, count)
    line = Line(ellipsis=glyphs.ellipsis).add(" by day  ", "faint")
    if not drawn:
        return line.add(f"nothing in {count} days", "faint").to(width).cells
    shown = {iso_day(bill.today.day - back) for back in range(count)}
    most = max((row for row in bill.days if row.key in shown), key=lambda row: row.cost_micro_usd or 0)
    line.add(drawn, "bar.ok").add("  most ", "faint").add(fmt.usd(most.cost_micro_usd), "money")
    return line.add(f" on {most.key}", "faint").to(width).cells


def pace(bill: Bill) -> tuple[int, int | None] | None:
    """Micro-USD an hour of this (UTC) day so far, and when its budget is used up if that goes on (epoch ms;
    None: not on this day, or there is none). None before a quarter of an hour has passed: too little to tell.
    """
    row, begin = bill.today, bill.today.day * DAY_MS
    passed = bill.at - begin
    if not row.spent or not _SOON_MS <= passed <= DAY_MS:
        return None
    hourly = row.spent * 3_600_000 // passed
    left = row.left if row.cap is not None else None
    if left is None or left <= 0 or hourly <= 0:
        return hourly, None
    end = bill.at + left * passed // row.spent
    return hourly, end if end < begin + DAY_MS else None


_SOON_MS = 15 * 60_000


def _today(bill: Bill, width: int, glyphs: Glyphs) -> Cells:
    row = bill.today
    line = Line(ellipsis=glyphs.ellipsis)
    line.add(" today   ", "faint").add(fmt.usd(row.spent), "money")
    if row.cap is None:
        line.add("  no budget is set for the day", "faint")
    else:
        left = row.left or 0
        line.add(" of ", "faint").add(fmt.budget(row.cap), "strong")
        line.add("  left ", "faint").add(fmt.usd(max(left, 0)), "ok" if left > 0 else "failed")
    if row.reserved:
        line.add("  reserved ", "faint").add(fmt.usd(row.reserved), "waiting")
    if row.at_most:
        line.add("  maybe billed ", "faint").add(fmt.usd(row.at_most), "unpriced")
    if (found := pace(bill)) is not None:
        line.add("  burn ", "faint").add(fmt.usd(found[0]), "money").add("/h", "faint")
        if found[1] is not None:
            minutes = found[1] % DAY_MS // 60_000
            line.add(f", used up at {minutes // 60:02}:{minutes % 60:02} UTC", "note")
    return line.to(width).cells


def _some(micro: int, glyphs: Glyphs) -> str:
    return fmt.usd(micro) if micro else glyphs.dash


# --- the rows ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Columns:
    """Widths in cells; 0 leaves a column out."""

    key: int
    calls: int
    tokens: int
    cached: int
    saved: int
    settled: int
    reserved: int
    at_most: int
    unpriced: int
    bar: int

    @staticmethod
    def of(width: int) -> Columns:
        if width >= 110:
            return Columns(width - 82, 7, 8, 8, 10, 10, 10, 10, 10, 9)
        if width >= 100:
            return Columns(width - 72, 7, 8, 8, 0, 10, 10, 10, 10, 9)
        if width >= 74:
            return Columns(width - 56, 6, 8, 0, 0, 11, 10, 11, 10, 0)
        return Columns(max(width - 32, 10), 6, 0, 0, 0, 10, 8, 0, 8, 0)


def head(by: CostGroup, width: int) -> Cells:
    columns = Columns.of(width)
    names = (
        ("CALLS", columns.calls), ("TOK", columns.tokens), ("CACHED", columns.cached),
        ("SAVED", columns.saved), ("SETTLED", columns.settled), ("RESERVED", columns.reserved),
        ("MAYBE", columns.at_most), ("UNPRICED", columns.unpriced),
    )  # fmt: skip
    line = Line().field(f" {by.upper()}", columns.key, "head")
    for name, size in names:
        if size:
            line.field(name if size > len(name) else f"{name[: size - 2]}.", size, "head", right=True)
    return line.to(width).cells


def cells(row: CostRow, most: int, width: int, glyphs: Glyphs) -> Cells:
    """`most`: what the dearest row settled, micro-USD."""
    columns = Columns.of(width)
    line = Line(ellipsis=glyphs.ellipsis)
    line.add(" ").say(row.key, "", width=columns.key - 1)
    line.field(fmt.short(row.calls), columns.calls, "time", right=True)
    if columns.tokens:
        line.field(fmt.short(row.usage.total_tokens), columns.tokens, "tokens", right=True)
    if columns.cached:
        cached = row.usage.cached_input_tokens
        share = f"{cached * 100 // max(row.usage.input_tokens, 1)}%" if cached else ""
        line.field(share, columns.cached, "ok", right=True)
    if columns.saved:
        saved = fmt.usd(row.saved_micro_usd) if row.saved_micro_usd else ""
        line.field(saved, columns.saved, "ok", right=True)
    line.field(fmt.usd(row.cost_micro_usd, unknown=glyphs.dash), columns.settled, "money", right=True)
    reserved = fmt.usd(row.reserved_micro_usd) if row.reserved_micro_usd else ""
    if row.in_flight_calls and not reserved:
        reserved = "~"  # under way, and nobody knows for how much
    line.field(reserved, columns.reserved, "waiting", right=True)
    if columns.at_most:
        maybe = fmt.usd(row.at_most_micro_usd) if row.at_most_micro_usd else ""
        line.field(maybe, columns.at_most, "unpriced", right=True)
    line.field(str(row.unpriced_calls or ""), columns.unpriced, "unpriced", right=True)
    if columns.bar and most and row.cost_micro_usd:
        eighths = max(row.cost_micro_usd * 8 * (columns.bar - 1) // most, 1)
        line.add(" ").add(glyphs.bar[8] * (eighths // 8) + glyphs.bar[eighths % 8].strip(), "bar.ok")
    return line.to(width).cells
