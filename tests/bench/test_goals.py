from __future__ import annotations

import pytest

from bench.engine.goals import Line, figure, median, quantile, table


def test_a_goal_says_by_how_much_it_was_missed() -> None:
    share = Line(part="W3", what="share", measured=0.17, unit="%", goal=0.4, at_least=True)
    assert share.verdict == "missed by 23 points"
    start = Line(part="start", what="run", measured=0.9, unit="s", goal=0.6)
    assert start.verdict == "missed, 1.50× off"
    peer = Line(part="W3", what="times", measured=10.0, unit="×", goal=30.0, at_least=True)
    assert peer.verdict == "missed, 3.00× off"


def test_a_goal_that_is_just_reached_is_met() -> None:
    assert Line(part="x", what="y", measured=2.0, goal=2.0).met is True
    assert Line(part="x", what="y", measured=2.0, goal=2.0, at_least=True).met is True
    assert Line(part="x", what="y", measured=2.1, goal=2.0).verdict.startswith("missed")


def test_a_line_without_a_goal_is_only_read() -> None:
    line = Line(part="W1", what="limit", measured=6_123.4, unit="/s")
    assert line.met is None
    assert line.verdict == ""
    assert line.as_json()["goal"] is None


@pytest.mark.parametrize(
    "value,unit,text",
    [
        (0.174, "%", "17%"),
        (6123.4, "/s", "6,123/s"),
        (4.056, "×", "4.06×"),
        (12.34, "KB", "12.3 KB"),
        (133.2, "ms", "133 ms"),
    ],
)
def test_figures(value: float, unit: str, text: str) -> None:
    assert figure(value, unit) == text


def test_quantiles_are_nearest_ranks() -> None:
    values = [float(n) for n in range(1, 101)]
    assert quantile(values, 0.5) == 50.0
    assert quantile(values, 0.99) == 99.0
    assert quantile(values, 0.999) == 100.0
    assert quantile([7.0], 0.95) == 7.0
    assert median([3.0, 1.0, 2.0]) == 2.0
    assert median([4.0, 1.0]) == 2.5


def test_the_table_has_a_row_for_each_line_and_columns_that_align() -> None:
    lines = [
        Line(part="W1", what="limit, process", measured=6_000, unit="/s"),
        Line(part="memory", what="idle run", measured=12.0, unit="KB", goal=15.0, note="500 runs"),
    ]
    rows = table(lines).splitlines()
    assert len(rows) == 3
    assert rows[0].index("what") == rows[1].index("limit") == rows[2].index("idle")
    assert rows[2].endswith("met  500 runs")
