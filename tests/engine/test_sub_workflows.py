"""Workflows inside workflows: their own inputs and names, one run, one stream."""

from __future__ import annotations

from typing import Any

from aethermind.domain.workflow import (
    AgentDef,
    Fail,
    InputDef,
    Prompt,
    Repeat,
    StepDef,
    SubWorkflow,
    Value,
    WorkflowDef,
)
from tests.engine.harness import Harness, workflow

INNER = WorkflowDef(
    name="inner",
    inputs={
        "n": InputDef(schema={"type": "integer"}),
        "plus": InputDef(schema={"type": "integer"}, required=False, default=10),
    },
    steps=(
        StepDef(id="a", action=Value(value="{{ inputs.n + inputs.plus }}")),
        StepDef(id="b", action=Value(value="{{ a * 2 }}"), references=("a",)),
    ),
    outputs={"total": "{{ b }}", "who": "{{ workflow.name }}"},
)


def deep(**fields: Any) -> StepDef:
    return StepDef(id="deep", action=SubWorkflow(workflow=INNER, arguments={"n": "{{ inputs.k }}"}), **fields)


async def test_it_has_its_own_inputs_and_names_and_gives_its_outputs() -> None:
    async with Harness() as h:
        run = await h.run(
            workflow(
                StepDef(id="a", action=Value(value="outer")),
                deep(),
                StepDef(id="c", action=Value(value="{{ deep.total }} {{ a }}"), references=("deep", "a")),
                outputs={"c": "{{ c }}", "who": "{{ deep.who }}"},
            ),
            {"k": 5},
        )
        assert run.outputs == {"c": "30 outer", "who": "inner"}
        assert {"deep/a", "deep/b"} <= set(run.nodes)


async def test_in_a_fan_out_and_a_repeat() -> None:
    async with Harness() as h:
        each = StepDef(
            id="each", action=SubWorkflow(workflow=INNER, arguments={"n": "{{ item }}"}), for_each=[1, 2]
        )
        again = StepDef(
            id="again",
            action=SubWorkflow(workflow=INNER, arguments={"n": "{{ previous.total or 1 }}"}),
            repeat=Repeat(until="{{ output.total > 50 }}", max=5),
        )
        run = await h.run(workflow(each, again))
        assert [out["total"] for out in run.outputs["each"]] == [22, 24]
        assert run.outputs["again"]["total"] == 64
        assert "each[1]/b" in run.nodes
        assert "again#2/a" in run.nodes


async def test_wrong_inputs_fail_the_step() -> None:
    async with Harness() as h:
        run = await h.run(workflow(deep()), {"k": "five"})
        assert run.status == "failed"
        assert run.error is not None
        assert "input n" in run.error.message


async def test_a_failure_inside_fails_it_unless_it_may_go_on() -> None:
    broken = WorkflowDef(name="broken", steps=(StepDef(id="x", action=Fail(reason="no")),))
    async with Harness() as h:
        run = await h.run(workflow(StepDef(id="deep", action=SubWorkflow(workflow=broken))))
        assert (run.status, run.error_step) == ("failed", "deep/x")
        tolerant = StepDef(id="deep", action=SubWorkflow(workflow=broken), on_error="continue")
        run = await h.run(
            workflow(tolerant, StepDef(id="after", action=Value(value=1), depends_on=("deep",)))
        )
        assert run.status == "succeeded"
        assert run.nodes["deep"].status == "failed"


async def test_its_agents_are_its_own() -> None:
    inner = WorkflowDef(
        name="inner",
        agents={"writer": AgentDef(name="writer", models=("fast",), instructions="Be brief.")},
        steps=(StepDef(id="t", action=Prompt(template="Go", agent="writer")),),
    )
    async with Harness() as h:
        run = await h.run(workflow(StepDef(id="deep", action=SubWorkflow(workflow=inner))))
        call = run.nodes["deep/t"].attempts[0].calls[0]
        assert (call.model, call.request["system"]) == ("fast", "Be brief.")
