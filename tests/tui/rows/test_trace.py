from __future__ import annotations

import random
from time import perf_counter

from hypothesis import given, settings
from hypothesis import strategies as st

from aethermind.domain.events import RunReopened
from aethermind.domain.run import Run
from aethermind.domain.state import Node
from aethermind.domain.workflow import Group, Value, WorkflowDef
from aethermind.tui.rows.trace import (
    FOLD_ABOVE,
    STRUCTURAL,
    CallRef,
    TraceRows,
    failed_steps,
    key_of,
    with_above,
)
from tests.tui.histories import Script, failed, research, step, wide


def keys(rows: TraceRows) -> list[str]:
    return [key_of(row) for row in rows.rows]


def at(rows: TraceRows, key: str) -> int:
    index = rows.index_of_key(key)
    assert index is not None
    return index


def test_rows_nest_and_siblings_go_by_start() -> None:
    rows = TraceRows(research().run)
    assert keys(rows) == [
        "",
        "plan",
        "gather",
        "gather/search_web",
        "gather/read_papers",
        "gather/scrape",
        "sections",
        "sections[0]",
        "sections[1]",
        "sections[2]",
        "polish",
        "brief",
    ]


def test_calls_stand_below_their_step_when_it_is_unfolded() -> None:
    rows = TraceRows(research().run)
    rows.toggle(at(rows, "gather/read_papers"))
    index = at(rows, "gather/read_papers")
    assert keys(rows)[index : index + 3] == [
        "gather/read_papers",
        "gather/read_papers!1.1",
        "gather/read_papers!1.2",
    ]
    call = rows.rows[index + 2]
    assert isinstance(call, CallRef)
    assert rows.depth(call) == 3
    rows.toggle(index)
    assert "gather/read_papers!1.1" not in keys(rows)


def test_folding_hides_all_below_and_remembers_what_was_open_there() -> None:
    rows = TraceRows(research().run)
    rows.toggle(at(rows, "gather/read_papers"))
    before = keys(rows)
    rows.toggle(at(rows, "gather"))
    assert not [k for k in keys(rows) if k.startswith("gather/")]
    rows.toggle(at(rows, "gather"))
    assert keys(rows) == before


def test_rails_tell_whether_more_follows() -> None:
    rows = TraceRows(research().run)
    rails = {key: rows.rails(rows.rows[i]) for i, key in enumerate(keys(rows))}
    assert rails[""] == []
    assert rails["plan"] == [True]
    assert rails["gather/scrape"] == [True, False]
    assert rails["sections[0]"] == [True, True]
    assert rails["brief"] == [False]


def test_a_large_fan_out_begins_folded() -> None:
    assert "each[0]" in keys(TraceRows(wide(FOLD_ABOVE).run))
    assert "each[0]" not in keys(TraceRows(wide(FOLD_ABOVE + 1).run))


def test_items_that_are_groups_begin_folded_where_there_are_many() -> None:
    inner = Group(steps=(step("a", Value(value=1)), step("b", Value(value=1), "a")))
    definition = WorkflowDef(name="nested", steps=(step("each", inner, for_each="{{ x }}"),))
    for count, shown in ((4, 14), (5, 7)):
        script = Script(definition)
        script.expand(1, "each", items=range(count))
        for index in range(count):
            script.expand(2, f"each[{index}]")
        assert len(TraceRows(script.run).rows) == shown


def test_an_item_that_starts_early_moves_up() -> None:
    script = wide(4, done=1)
    rows = TraceRows(script.run)
    script.begin(9_000, "each[3]")
    assert rows.apply(["each[3]"]) == [(at(rows, "each"), 5, 5)]
    assert [k for k in keys(rows) if k.startswith("each[")] == ["each[0]", "each[1]", "each[3]", "each[2]"]


def test_what_starts_in_order_moves_nothing() -> None:
    script = wide(4, done=1)
    rows = TraceRows(script.run)
    script.begin(9_000, "each[2]")
    assert rows.apply(["each[2]"]) == []


def test_reveal_unfolds_what_is_above() -> None:
    rows = TraceRows(research(until="end").run)
    rows.set_all(opened=False)
    assert keys(rows) == ["", "plan", "gather", "sections", "polish", "brief"]
    index = rows.reveal("polish#2/judge")
    assert index is not None
    assert keys(rows)[index] == "polish#2/judge"
    assert rows.reveal("nowhere") is None


def test_only_some_with_what_is_above_them() -> None:
    run = research().run
    rows = TraceRows(run)
    rows.only = with_above(run, lambda node: "scrape" in node.path)
    rows.rebuild()
    assert keys(rows) == ["", "gather", "gather/scrape"]
    assert rows.rails(rows.rows[2]) == [False, False]
    rows.only = None
    rows.rebuild()
    assert len(keys(rows)) == 12


def test_failed_steps_in_the_order_of_the_tree() -> None:
    assert [n.path for n in failed_steps(research().run)] == ["gather/scrape"]
    assert failed_steps(wide(3).run) == []


@settings(max_examples=60)
@given(st.integers(0, 2**32), st.integers(0, 25))
def test_rows_kept_up_to_date_are_those_made_anew(seed: int, toggles: int) -> None:
    """Whatever is folded while a run goes on, splicing gives what a rebuild would."""
    rng = random.Random(seed)
    history = research(until="end").history
    run = Run("r_8f21")
    run.fold(history[0])
    rows = TraceRows(run)
    left = toggles
    for recorded in history[1:]:
        run.fold(recorded)
        if isinstance(recorded.event, STRUCTURAL):
            rows.apply([recorded.event.step])
        if left and rng.random() < 0.3:
            left -= 1
            rows.toggle(rng.randrange(len(rows.rows)))
        seen = keys(rows)
        assert len(set(seen)) == len(seen)
        again = TraceRows(run)
        again._decided = dict(rows._decided)
        again.rebuild()
        assert sorted(seen) == sorted(keys(again))
        for index, row in enumerate(rows.rows):
            if isinstance(row, Node):
                assert rows.index_of(row) == index


def test_ten_thousand_steps_fold_quickly() -> None:
    rows = TraceRows(wide(10_000, done=5_000).run)
    index = at(rows, "each")
    times = []
    for _ in range(6):
        begin = perf_counter()
        rows.toggle(index)
        times.append(perf_counter() - begin)
    assert len(rows.rows) == 4
    assert min(times[::2]) < 0.010  # unfolding; the best of three, for a busy machine


def test_a_step_that_starts_costs_nothing_much_among_ten_thousand() -> None:
    script = wide(10_000, done=5_000)
    rows = TraceRows(script.run)
    rows.toggle(at(rows, "each"))
    times = []
    for index in range(5_001, 5_011):
        script.begin(100_000, f"each[{index}]")
        begin = perf_counter()
        assert rows.apply([f"each[{index}]"]) == []
        times.append(perf_counter() - begin)
    assert min(times) < 0.001


def test_a_reopened_run_shows_what_it_does_now() -> None:
    script = failed()
    rows = TraceRows(script.run)
    script.add(60_000, RunReopened(steps=("build",), generation=2))
    script.begin(60_100, "build")
    rows.rebuild()
    assert keys(rows) == ["", "fetch", "build", "ship"]
    build = rows.rows[2]
    assert isinstance(build, Node)
    assert (build.status, len(build.attempts)) == ("running", 2)
