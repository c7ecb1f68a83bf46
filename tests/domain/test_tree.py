from __future__ import annotations

import pytest

from aethermind.domain.run import Run
from aethermind.domain.tree import tree_of
from tests.tui.histories import research, wide


def lines(run: Run, limit: int = 1_000) -> list[str]:
    return [f"{'  ' * row.depth}{row.label} {row.status}" for row in tree_of(run, limit=limit).rows]


def test_the_tree_nests_and_labels_by_containment() -> None:
    assert lines(research(until="live").run) == [
        "plan succeeded",
        "gather succeeded",
        "  search_web succeeded",
        "  read_papers succeeded",
        "  scrape failed",
        "sections running",
        "  [0] succeeded",
        "  [1] succeeded",
        "  [2] running",
        "polish pending",
        "brief pending",
    ]


def test_notes_say_what_the_status_does_not() -> None:
    notes = {row.path: row.note for row in tree_of(research(until="live").run).rows}
    assert notes["gather/scrape"] == "try 3/3"
    assert notes["sections"] == "2/3"
    assert notes["polish"] == "←sections"
    done = {row.path: row.note for row in tree_of(research(until="end").run).rows}
    assert done["polish"] == "round 2/3"


def test_containers_sum_up_what_is_inside() -> None:
    rows = {row.path: row for row in tree_of(research(until="end").run).rows}
    inside = [rows[f"sections[{n}]"] for n in range(3)]
    assert rows["sections"].tokens == sum(row.tokens for row in inside)
    assert rows["sections"].cost_micro_usd == 42_000
    assert rows["sections"].unpriced == 1


@pytest.mark.parametrize("limit", [1, 3, 5, 12])
def test_a_tree_never_takes_more_rows_than_it_is_given(limit: int) -> None:
    run = wide(500, done=40).run
    tree = tree_of(run, limit=limit)
    assert len(tree.rows) <= limit
    shown = {row.path for row in tree.rows}
    if limit > 1:
        assert {"each", "each[40]"} <= shown  # what runs is shown first


def test_a_large_fan_out_shows_what_is_active_and_counts_the_rest() -> None:
    run = wide(500, done=40).run
    tree = tree_of(run, limit=20)
    assert [row.path for row in tree.rows] == ["list", "each", "each[40]", "sum"]
    assert tree.rows[1].note == "40/500"


def test_guides_close_where_nothing_follows_even_when_rows_are_left_out() -> None:
    rows = tree_of(research(until="live").run).rows
    more = {row.path: row.rails for row in rows}
    assert more["gather/read_papers"] == (True, True)
    assert more["gather/scrape"] == (True, False)
    assert more["brief"] == (False,)
    few = tree_of(research(until="live").run, limit=2).rows
    assert [row.path for row in few] == ["sections", "sections[2]"]
    assert few[-1].rails == (False, False)
