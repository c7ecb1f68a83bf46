from __future__ import annotations

from aethermind.tui.behind import EVERY_S, Behind
from aethermind.tui.bridge import Frame
from aethermind.tui.context import Changes


def frame(node: str, *, run: str = "r_1", logs: int = 0) -> Frame:
    changes = Changes(run, frozenset({node}), frozenset(), logs)
    return Frame(runs=frozenset({run}), changes=changes, structure=frozenset({node}))


def test_nothing_is_held_back_from_a_screen_that_is_on_top() -> None:
    behind = Behind()
    for n in range(3):
        found = frame(f"s{n}")
        assert behind.take(found, n / 10, covered=False) == (found, 0.0)


def test_below_something_else_it_moves_on_once_a_second_with_all_that_came() -> None:
    behind = Behind()
    first = frame("a")
    assert behind.take(first, 10.0, covered=True) == (first, 0.0)
    assert behind.take(frame("b", logs=2), 10.25, covered=True) == (None, EVERY_S - 0.25)
    assert behind.take(Frame(whole=True), 10.5, covered=True) == (None, EVERY_S - 0.5)
    due, left = behind.take(frame("c", logs=3), 11.0, covered=True)
    assert due is not None
    assert due.changes is not None
    assert (due.changes.nodes, due.changes.logs, due.structure) == (frozenset("bc"), 5, frozenset("bc"))
    assert (due.whole, due.runs, left) == (True, frozenset({"r_1"}), 0.0)


def test_what_was_held_back_is_drawn_as_soon_as_nothing_covers_it() -> None:
    behind = Behind()
    behind.take(frame("a"), 0.0, covered=True)
    behind.take(frame("b"), 0.1, covered=True)
    due, _ = behind.take(Frame(), 0.2, covered=False)
    assert due is not None
    assert due.structure == {"b"}


def test_changes_of_a_run_that_is_not_open_any_more_are_let_go() -> None:
    behind = Behind()
    behind.take(frame("a"), 0.0, covered=True)
    behind.take(frame("b"), 0.1, covered=True)
    due, _ = behind.take(frame("c", run="r_2"), 0.2, covered=False)
    assert due is not None
    assert due.changes is not None
    assert (due.changes.run_id, due.changes.nodes, due.runs) == (
        "r_2",
        frozenset("c"),
        frozenset({"r_1", "r_2"}),
    )
