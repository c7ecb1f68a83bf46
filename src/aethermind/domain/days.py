"""UTC days, and the names of their budgets.

A day is a number (days since the epoch). Its budget has two ledgers that are never mixed: `day` for real
money, `day:sim` for the notional money of simulated runs. `day/2026-11-22` names that of one day.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Literal

DAY_MS = 86_400_000
_EPOCH = date(1970, 1, 1).toordinal()

DayScope = Literal["day", "day:sim"]


def day_of(at: int) -> int:
    """The UTC day of a time (epoch ms)."""
    return at // DAY_MS


def day_scope(*, simulated: bool) -> DayScope:
    """Which ledger the calls of such a run count in."""
    return "day:sim" if simulated else "day"


def iso_day(day: int) -> str:
    """`2026-11-22`."""
    return datetime.fromtimestamp(day * DAY_MS / 1000, UTC).date().isoformat()


def one_day(scope: DayScope, day: int) -> str:
    """The scope of a `BudgetRaised` that holds for one day: `day/2026-11-22`."""
    return f"{scope}/{iso_day(day)}"


def parse_one_day(text: str) -> tuple[DayScope, int] | None:
    """What `one_day` wrote; None for anything else."""
    scope, _, day = text.partition("/")
    if scope not in ("day", "day:sim"):
        return None
    try:
        return ("day:sim" if scope == "day:sim" else "day"), date.fromisoformat(day).toordinal() - _EPOCH
    except ValueError:
        return None
