from __future__ import annotations

import msgspec
import pytest

from aethermind import wire
from aethermind.domain import events as e
from aethermind.domain import views
from aethermind.domain.run import Run
from aethermind.domain.workflow import Command, StepDef, WorkflowDef
from tests.tui.histories import RATE_LIMIT, Script, failed, research, wide

RUN_FIELDS = {
    "id",
    "workflow",
    "status",
    "inputs",
    "outputs",
    "priority",
    "created_at",
    "finished_at",
    "duration_ms",
    "usage",
    "cost_micro_usd",
    "unpriced_calls",
    "at_most_micro_usd",
    "simulated",
    "budget_micro_usd",
}
USAGE_FIELDS = {
    "input_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
}
STEP_FIELDS = {"id", "kind", "status", "depends_on", "output", "attempts"}
ATTEMPT_FIELDS = {
    "n",
    "status",
    "started_at",
    "finished_at",
    "error",
    "usage",
    "cost_micro_usd",
    "model_calls",
}


def in_doubt() -> Script:
    """A run whose only command was under way when the engine died."""
    definition = WorkflowDef(
        name="deploy",
        steps=(
            StepDef(id="ship", action=Command(argv=("make", "ship"))),
            StepDef(id="tell", action=Command(argv=("mail",))),
        ),
    )
    script = Script(definition, inputs={}, models={})
    script.begin(10, "ship")
    script.begin(20, "tell")
    script.succeed(30, "tell", "sent")
    script.add(60_000, e.AttemptLost(step="ship", attempt=1, resolution="ask"))
    fields = {"choice": {"type": "string", "enum": ["retry", "skip", "fail"]}}
    script.add(
        60_010, e.AskOpened(step="ship", attempt=1, about="in_doubt", message="ship it again?", fields=fields)
    )
    return script


# ------------------------------------------------------------------------------ show --json


@pytest.mark.parametrize("run", [research(until="live").run, research(until="end").run, failed().run])
def test_the_object_has_every_promised_field_also_null_ones(run: Run) -> None:
    found = views.run_object(run)
    assert set(found) == {"run", "steps"}
    assert set(found["run"]) >= RUN_FIELDS
    assert set(found["run"]["usage"]) == USAGE_FIELDS
    assert found["steps"]
    for step in found["steps"]:
        assert set(step) >= STEP_FIELDS
        for attempt in step["attempts"]:
            assert set(attempt) >= ATTEMPT_FIELDS
    msgspec.json.encode(found)


def test_usage_and_cost_add_up_over_the_attempts() -> None:
    run = research(until="end").run
    found = views.run_object(run)
    attempts = [attempt for step in found["steps"] for attempt in step["attempts"]]
    for name in USAGE_FIELDS:
        assert found["run"]["usage"][name] == sum(a["usage"][name] for a in attempts if a["usage"])
    assert found["run"]["usage"]["input_tokens"] > 0
    assert found["run"]["cost_micro_usd"] == sum(a["cost_micro_usd"] or 0 for a in attempts)
    assert found["run"]["unpriced_calls"] == 1
    calls = [call for attempt in attempts for call in attempt["model_calls"]]
    assert len(calls) == run.tally.calls
    assert sum(call["price_source"] == "unpriced" for call in calls) == 1


def test_a_price_that_nobody_knows_is_null_and_never_zero() -> None:
    found = views.run_object(research(until="end").run)
    attempt = next(s for s in found["steps"] if s["id"] == "sections[2]")["attempts"][0]
    assert attempt["cost_micro_usd"] is None
    assert attempt["usage"]["output_tokens"] == 650


def test_usage_that_nobody_counted_is_null_and_none_is_zero() -> None:
    script = wide(2)
    script.call(100, "each[0]")
    script.add(200, e.AttemptLost(step="each[0]", attempt=1, resolution="retry", possibly_billed_twice=True))
    steps = {step["id"]: step for step in views.run_object(script.run)["steps"]}
    assert steps["each[0]"]["attempts"][0]["usage"] is None  # its call was lost
    assert steps["list"]["attempts"][0]["usage"] == dict.fromkeys(USAGE_FIELDS, 0)  # it makes no call
    steps = {step["id"]: step for step in views.run_object(research(until="live").run)["steps"]}
    refused = steps["gather/scrape"]["attempts"][0]
    assert refused["model_calls"][0]["error"]["kind"] == "rate_limit"
    assert refused["usage"] == dict.fromkeys(USAGE_FIELDS, 0)
    assert refused["cost_micro_usd"] is None


def test_times_are_iso_and_durations_milliseconds() -> None:
    found = views.run_object(failed().run)["run"]
    assert found["created_at"] == "2026-01-05T05:20:00.000Z"
    assert found["finished_at"] == "2026-01-05T05:20:07.010Z"
    assert found["duration_ms"] == 7_010
    assert views.run_object(research(until="live").run)["run"]["duration_ms"] is None


@pytest.mark.parametrize("at", [0, 1_767_594_000_123, 999])
def test_iso_agrees_with_the_codec(at: int) -> None:
    assert views.iso(at) == wire.iso(at)


def test_instances_have_paths_and_the_dependencies_of_their_step() -> None:
    steps = {step["id"]: step for step in views.run_object(research(until="end").run)["steps"]}
    assert steps["sections[1]"]["depends_on"] == ["gather"]
    assert steps["sections[1]"]["item"] == "sun"
    assert steps["polish#2/judge"]["depends_on"] == ["polish#2/text"]
    assert steps["polish#2"]["depends_on"] == ["sections"]
    assert steps["gather/scrape"]["depends_on"] == []
    assert steps["polish"]["kind"] == "steps"


def test_failed_attempts_keep_their_error() -> None:
    steps = {step["id"]: step for step in views.run_object(research(until="end").run)["steps"]}
    errors = [attempt["error"] for attempt in steps["gather/scrape"]["attempts"]]
    assert [error["kind"] for error in errors] == ["rate_limit"] * 3
    assert errors[0]["hint"] == RATE_LIMIT.hint
    assert errors[2]["hint"] is None  # said, though null


def test_who_knows_better_overrides_the_status() -> None:
    run = research(until="live").run
    assert views.run_object(run)["run"]["status"] == "running"
    assert views.run_object(run, status="interrupted")["run"]["status"] == "interrupted"


def test_what_a_run_waits_for_is_said() -> None:
    run = in_doubt().run
    assert [node.path for node in views.open_questions(run)] == ["ship"]
    asked = views.run_object(run)["run"]["waiting_for"]
    assert [(q["step"], q["about"], q["message"]) for q in asked] == [("ship", "in_doubt", "ship it again?")]
    assert views.open_questions(research(until="live").run) == []


def test_what_was_decided_is_not_what_a_step_waits_for_later() -> None:
    script = in_doubt()
    script.add(61_000, e.AskAnswered(step="ship", values={"choice": "retry"}, by="ada"))
    script.add(61_000, e.AttemptStarted(step="ship", attempt=2, kind="run"))
    script.add(
        61_001, e.BudgetHeld(step="ship", attempt=2, scope="run", needed_micro_usd=2, available_micro_usd=1)
    )
    (node,) = views.open_questions(script.run)
    assert (node.status, views.question_object(node)["about"]) == ("waiting_budget", "budget")


def test_requests_are_shown_only_when_asked_for() -> None:
    node = research(until="end").run.nodes["plan"]
    plain, full = views.step_object(node), views.step_object(node, requests=True)
    assert "request" not in plain["attempts"][0]["model_calls"][0]
    assert full["attempts"][0]["model_calls"][0]["request"]["messages"][0]["role"] == "user"


# ------------------------------------------------------------------------------ outputs


def test_an_output_or_else_a_step_is_found_by_name() -> None:
    run = research(until="end").run
    assert views.output_named(run, "brief") == run.outputs["brief"]
    assert views.output_named(run, "polish#2/judge") == '{"score": 9}'
    with pytest.raises(KeyError):
        views.output_named(run, "breif")
    assert views.outputs(failed().run) == {}
