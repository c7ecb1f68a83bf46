"""What waits for a person: one row for each thing to decide."""

from __future__ import annotations

import pytest

from aethermind.domain import events as e
from aethermind.domain.workflow import Command, StepDef, WorkflowDef
from aethermind.tui.glyphs import UNICODE
from aethermind.tui.rows.cells import plain
from aethermind.tui.rows.inbox import Waiting, cells, head, ordered, waiting
from tests.tui import histories
from tests.tui.waits import approval, guarded, held, in_doubt

NOW = histories.T0 + 200_000


def test_an_approval_says_what_it_asks_and_since_when() -> None:
    (row,) = waiting(approval().run)
    assert (row.run_id, row.step, row.about) == ("r_ask", "publish", "approval")
    assert row.message == "Publish 312 words?"
    assert row.since == histories.T0 + 1_000


def test_what_is_in_doubt_says_so() -> None:
    (row,) = waiting(in_doubt().run)
    assert row.about == "in doubt"
    assert row.message == "The engine died while push ran."


@pytest.mark.parametrize("scope, about", [("run", "run budget"), ("day", "day budget")])
def test_a_held_step_says_whose_budget_it_waits_for_and_how_much(scope: str, about: str) -> None:
    (row,) = waiting(held(scope).run)
    assert row.about == about
    assert row.needed == 9_000
    assert "$0.0090" in row.message


def test_a_run_that_the_guard_paused_waits_even_where_no_step_is_held() -> None:
    (row,) = waiting(guarded().run)
    assert (row.step, row.about, row.message) == ("", "guard", "the same call 20 times")


def test_a_run_that_is_over_or_at_work_waits_for_nothing() -> None:
    assert waiting(histories.research().run) == []
    assert waiting(histories.failed().run) == []


def test_what_waits_longest_comes_first_and_the_undated_last() -> None:
    def at(run_id: str, since: int | None) -> Waiting:
        return Waiting(run_id, "w", "s", "question", "", since)

    found = ordered([at("r_c", None), at("r_b", 20), at("r_a", 10)])
    assert [row.run_id for row in found] == ["r_a", "r_b", "r_c"]


@pytest.mark.parametrize("width", [58, 78, 118])
def test_a_row_fills_its_width_and_says_the_step(width: int) -> None:
    (row,) = waiting(approval().run)
    drawn = plain(cells(row, width, NOW, UNICODE))
    assert len(drawn) == width
    assert "publish" in drawn
    assert "3m" in drawn
    assert "approval" in drawn
    assert plain(head(width)).startswith(" SINCE")


def test_simulated_ones_say_so() -> None:
    script = approval(simulated=True)
    assert "sim" in plain(cells(waiting(script.run)[0], 118, NOW, UNICODE))


def test_a_decided_question_is_gone() -> None:
    script = approval()
    script.add(2_000, e.AskAnswered(step="publish", values={"approved": True}, by="me"))
    assert waiting(script.run) == []


def test_a_definition_may_have_no_questions_at_all() -> None:
    definition = WorkflowDef(name="w", steps=(StepDef(id="a", action=Command(argv=("true",))),))
    assert waiting(histories.Script(definition, inputs={}, models={}).run) == []
