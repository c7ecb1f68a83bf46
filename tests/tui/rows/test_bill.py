"""What was spent: sums that are never mixed, days, today's budget."""

from __future__ import annotations

import pytest

from aethermind.domain.days import DAY_MS
from aethermind.domain.usage import Usage
from aethermind.engine.queries import CostRow, LedgerRow
from aethermind.tui.glyphs import ASCII, UNICODE
from aethermind.tui.rows.bill import (
    GROUPS,
    Bill,
    cells,
    head,
    pace,
    since_of,
    spark,
    summary,
    title,
    total,
)
from aethermind.tui.rows.cells import plain

DAY = 20_458
"""2026-01-05."""


def row(key: str = "openai:gpt-5", cost: int | None = 412_700, **fields: int) -> CostRow:
    return CostRow(
        key=key,
        calls=fields.pop("calls", 3),
        usage=Usage(input_tokens=4_000, cached_input_tokens=fields.pop("cached", 0), output_tokens=1_000),
        cost_micro_usd=cost,
        unpriced_calls=fields.pop("unpriced", 0),
        in_flight_calls=fields.pop("in_flight", 0),
        reserved_micro_usd=fields.pop("reserved", 0),
        at_most_micro_usd=fields.pop("at_most", 0),
        saved_micro_usd=fields.pop("saved", 0),
    )


def test_the_kinds_of_money_are_added_up_apart() -> None:
    found = total([row(reserved=9_000, in_flight=1), row("b", 100, at_most=50), row("c", None, unpriced=2)])
    assert (found.settled, found.reserved, found.at_most) == (412_800, 9_000, 50)
    assert (found.calls, found.unpriced, found.in_flight) == (9, 2, 1)


def test_nothing_priced_is_unknown_and_not_nothing() -> None:
    assert total([row(cost=None, unpriced=1)]).settled is None
    lines = summary(Bill("model", [row(cost=None, unpriced=1)]), 118, UNICODE)
    assert "settled —" in plain(lines[0])
    assert "unpriced 1" in plain(lines[0])


def test_a_span_begins_with_a_day_of_utc() -> None:
    now = DAY * DAY_MS + 5_000
    assert since_of("today", now) == DAY * DAY_MS
    assert since_of("7 days", now) == (DAY - 6) * DAY_MS
    assert since_of("all time", now) is None


def test_the_sparkline_has_a_sign_a_day_and_none_where_nothing_was_spent() -> None:
    days = [row("2026-01-05", 800_000), row("2026-01-03", 100), row("2025-11-01", 9_000_000)]
    assert spark(days, DAY, UNICODE, 5) == "  ▂ █"
    assert spark(days, DAY, ASCII, 5).isascii()
    assert spark([], DAY, UNICODE, 5) == ""


def test_todays_budget_says_what_is_left() -> None:
    today = LedgerRow("day", DAY, spent=1_000_000, reserved=250_000, at_most=50_000, cap=5_000_000)
    line = plain(summary(Bill("model", [], today=today), 118, UNICODE)[2])
    assert "$1.0000 of $5.00" in line
    assert "left $3.7000" in line
    assert "reserved $0.2500" in line
    assert "maybe billed $0.0500" in line


def test_without_a_cap_nothing_is_left_over() -> None:
    line = plain(summary(Bill("model", []), 78, UNICODE)[2])
    assert "no budget is set" in line
    assert "left" not in line


def test_how_fast_the_day_goes_and_when_its_budget_is_used_up() -> None:
    today = LedgerRow("day", DAY, spent=1_000_000, cap=2_000_000)
    six = DAY * DAY_MS + 6 * 3_600_000
    assert pace(Bill("model", [], today=today, at=six)) == (166_666, six + 6 * 3_600_000)
    line = plain(summary(Bill("model", [], today=today, at=six), 118, UNICODE)[2])
    assert "burn $0.1667/h, used up at 12:00 UTC" in line
    # Not on this day; no budget; too early to tell; and of a day that is over.
    late = DAY * DAY_MS + 13 * 3_600_000
    assert pace(Bill("model", [], today=today, at=late)) == (76_923, None)
    assert pace(Bill("model", [], today=LedgerRow("day", DAY, spent=1), at=late)) == (0, None)
    assert pace(Bill("model", [], today=today, at=DAY * DAY_MS + 60_000)) is None
    assert pace(Bill("model", [], today=today, at=(DAY + 2) * DAY_MS)) is None


def test_what_caches_gave_is_said() -> None:
    assert "from caches 50% of input" in plain(summary(Bill("model", [row(cached=2_000)]), 118, UNICODE)[0])
    assert "50%" in plain(cells(row(cached=2_000), 412_700, 118, UNICODE))


def test_what_caching_saved_is_said_and_in_no_other_sum() -> None:
    found = total([row(saved=70_000), row("b", 100, saved=5)])
    assert (found.saved, found.settled) == (70_005, 412_800)
    assert "saved $0.0700" in plain(summary(Bill("model", [row(saved=70_000)]), 118, UNICODE)[0])
    assert "saved" not in plain(summary(Bill("model", [row()]), 118, UNICODE)[0])
    wide = plain(cells(row(saved=70_000), 412_700, 118, UNICODE))
    assert wide.index("$0.0700") + 7 == plain(head("model", 118)).index("SAVED") + 5
    assert "SAVED" not in plain(head("model", 108))


@pytest.mark.parametrize("width", [58, 78, 108, 118])
@pytest.mark.parametrize("group", GROUPS)
def test_rows_and_head_fill_the_width_in_the_same_columns(width: int, group: str) -> None:
    found = next(g for g in GROUPS if g == group)
    drawn = plain(cells(row(reserved=9_000, at_most=5_000, unpriced=4), 412_700, width, UNICODE))
    heading = plain(head(found, width))
    assert len(drawn) == len(heading) == width
    assert drawn.index("$0.4127") + 7 == heading.index("SETTLED") + 7
    assert "$0.0090" in drawn


def test_a_call_under_way_without_a_reservation_shows() -> None:
    assert "~" in plain(cells(row(in_flight=1), 1, 118, UNICODE))


def test_simulated_money_says_so() -> None:
    assert "sim" in plain(title(Bill("model", [], simulated=True), 118, UNICODE))
    assert "sim" not in plain(title(Bill("model", []), 118, UNICODE))


def test_hostile_keys_are_cleaned() -> None:
    assert "\x1b" not in plain(cells(row("a\x1b[31m"), 1, 118, UNICODE))
