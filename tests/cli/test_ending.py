"""What a run's end says of money: what nobody knows is never nothing."""

from __future__ import annotations

import pytest

from aethermind.cli.ending import cost_line, waiting_line
from aethermind.domain import events as e
from aethermind.domain.errors import ErrorInfo
from aethermind.domain.usage import AT_MOST_RESERVED, Cost
from aethermind.domain.workflow import Ask, Prompt, StepDef, WorkflowDef
from tests.tui.histories import Script


def begun(*, reserved: int | None = 20_000) -> Script:
    script = Script(WorkflowDef(name="w", steps=(StepDef(id="a", action=Prompt(template="x")),)))
    script.begin(0, "a")
    script.call(10, "a", reserved=reserved)
    return script


def ended(script: Script, cost: Cost | None) -> Script:
    error = ErrorInfo(kind="server", message="no")
    script.add(20, e.CallFailed(step="a", attempt=1, call=1, error=error, usage=None, cost=cost))
    return script


def test_a_call_whose_end_nobody_saw_is_unknown_and_bounded() -> None:
    script = begun()
    script.add(20, e.AttemptLost(step="a", attempt=1, resolution="ask"))
    assert cost_line(script.run) == "unknown, at most $0.0200 for calls whose end nobody saw"


def test_a_call_that_broke_off_is_unknown_and_bounded() -> None:
    assert cost_line(ended(begun(), AT_MOST_RESERVED).run).startswith("unknown, at most $0.0200 for")


def test_without_a_reservation_it_is_unknown_too() -> None:
    script = begun(reserved=None)
    script.add(20, e.AttemptLost(step="a", attempt=1, resolution="ask"))
    assert cost_line(script.run) == "unknown"


def test_what_is_under_way_is_not_free() -> None:
    assert cost_line(begun().run) == "unknown, ~$0.0200 in flight"


def test_a_call_that_was_refused_cost_nothing() -> None:
    assert cost_line(ended(begun(), None).run) == "$0.0000"


def test_beside_a_known_cost_it_is_more() -> None:
    script = ended(begun(), Cost(micro_usd=500, source="config", saved_micro_usd=100))
    script.call(30, "a", reserved=9_000)
    script.add(40, e.AttemptLost(step="a", attempt=1, resolution="ask"))
    assert cost_line(script.run) == (
        "$0.0005, $0.0001 saved by caching, at most $0.0090 more for calls whose end nobody saw"
    )


def test_what_has_no_price_is_unpriced() -> None:
    assert cost_line(ended(begun(), Cost()).run) == "unpriced"


@pytest.mark.parametrize(
    "message, told",
    [("Publish?", "a asks: Publish? aethermind"), ("Your mood", "a asks: Your mood: aethermind")],
)
def test_what_is_asked_and_the_command_that_answers_are_told_apart(message: str, told: str) -> None:
    assert asked(message).startswith(f"{told} answer ")


def test_a_long_question_without_spaces_is_cut_too() -> None:
    assert "語" * 159 + "… aethermind" in asked("語" * 200)


def asked(message: str) -> str:
    script = Script(WorkflowDef(name="w", steps=(StepDef(id="a", action=Ask(message=message)),)))
    script.begin(0, "a")
    script.add(1, e.AskOpened(step="a", attempt=1, about="ask", message=message, fields={"b": {}}))
    return waiting_line(script.run, script.run.nodes["a"])
