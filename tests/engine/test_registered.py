"""Workflows and agents that are kept by name."""

from __future__ import annotations

import pytest

from aethermind.domain.errors import InvalidError, NotFoundError
from aethermind.domain.workflow import (
    AgentDef,
    Command,
    Function,
    Group,
    Prompt,
    PythonCall,
    StepDef,
    SubWorkflow,
    Value,
    WorkflowDef,
)
from aethermind.engine.registered import check_workflow, starts
from tests.engine.harness import Harness, workflow

ONE = StepDef(id="a", action=Value(value=1))
FLOW = workflow(ONE)


def step(step_id: str = "a", needs: tuple[str, ...] = (), **action: object) -> StepDef:
    return StepDef(id=step_id, action=Value(value=1), depends_on=needs)


async def test_a_workflow_is_put_replaced_and_removed() -> None:
    async with Harness() as h:
        first = await h.client.put_workflow(FLOW, by="ana", text="name: test", env_names=["A"], sim={"s": 1})
        assert (first.name, first.definition, first.text, first.env_names) == (
            "test",
            FLOW,
            "name: test",
            ("A",),
        )
        assert (first.sim, first.by, first.trusted, first.needs_trust) == ({"s": 1}, "ana", False, ())
        assert await h.client.workflow("test") == first
        other = workflow(ONE, description="Another")
        second = await h.client.put_workflow(other, trusted=True)
        assert (second.definition, second.trusted, second.text) == (other, True, None)
        assert second.definition_hash != first.definition_hash
        assert [row.name for row in await h.client.workflows()] == ["test"]
        await h.client.remove_workflow("test", by="ben")
        assert await h.client.workflows() == []
        for ask in (h.client.workflow, h.client.remove_workflow):
            with pytest.raises(NotFoundError, match="no workflow 'test' is registered"):
                await ask("test")
        told = [(row.act, row.who) for row in (await h.client.audit()).items]
        assert told == [("workflows remove", "ben"), ("workflows put", ""), ("workflows put", "ana")]


async def test_a_name_that_is_nearly_right_is_offered() -> None:
    async with Harness() as h:
        await h.client.put_workflow(FLOW)
        await h.client.put_agent("writer", AgentDef(name="writer"))
        with pytest.raises(NotFoundError) as refused:
            await h.client.workflow("tset")
        assert refused.value.hint == "did you mean test?"
        with pytest.raises(NotFoundError) as refused:
            await h.client.agent("writr")
        assert refused.value.hint == "did you mean writer?"


async def test_an_agent_is_put_replaced_and_removed() -> None:
    tools = ({"shell": {"approve": "ask"}}, {"files": {"write": "ask"}})
    async with Harness() as h:
        first = await h.client.put_agent("w", AgentDef(name="w", models=("fast",)), by="ana", env_names=["K"])
        assert (first.definition.models, first.by, first.env_names, first.logic) == (
            ("fast",),
            "ana",
            ("K",),
            False,
        )
        second = await h.client.put_agent("w", AgentDef(name="w", models=("smart",), tools=tools))
        assert second.definition.tools == tools
        assert second.needs_trust == ("agent `w` may use the shell",)
        assert await h.client.agent("w") == second
        (row,) = await h.client.agents()
        assert (row.name, row.model, row.registered) == ("w", "smart", True)
        await h.client.remove_agent("w")
        with pytest.raises(NotFoundError):
            await h.client.agent("w")
        for name, definition in (("w", AgentDef(name="x")), ("a b", AgentDef(name="a b"))):
            with pytest.raises(InvalidError):
                await h.client.put_agent(name, definition)


DEEP = Group(steps=(StepDef(id="x", action=Prompt(template="hi", agent="nobody")),))


@pytest.mark.parametrize(
    "definition, told",
    [
        (WorkflowDef(name="x"), "the workflow has no steps"),
        (WorkflowDef(name="", steps=(ONE,)), "can't be a workflow's name"),
        (WorkflowDef(name="../x", steps=(ONE,)), "can't be a workflow's name"),
        (WorkflowDef(name=".x", steps=(ONE,)), "can't be a workflow's name"),
        (workflow(step("a-b")), "'a-b' can't be a step's id"),
        (workflow(step(), step()), "two steps are called a"),
        (workflow(step(needs=("zz",))), "step a needs 'zz', which is no step beside it"),
        (workflow(step("a", ("b",)), step("b", ("c",)), step("c", ("a",))), "steps wait for each other: "),
        (workflow(step(needs=("a",))), "steps wait for each other: a → a"),
        (workflow(StepDef(id="g", action=Group(steps=()))), "step g has no steps"),
        (workflow(StepDef(id="g", action=DEEP)), "step x: there is no agent 'nobody'"),
        (workflow(StepDef(id="c", action=Command(argv=()))), "step c runs nothing"),
        (
            workflow(StepDef(id="s", action=SubWorkflow(workflow=workflow(step(), step())))),
            "two steps are called a",
        ),
        (workflow(ONE, agents={"w": AgentDef(name="x")}), "agent 'w' calls itself 'x'"),
    ],
)
async def test_a_definition_that_no_file_would_give_is_refused(definition: WorkflowDef, told: str) -> None:
    with pytest.raises(InvalidError) as refused:
        check_workflow(definition)
    assert told in str(refused.value)
    async with Harness() as h:
        with pytest.raises(InvalidError):
            await h.client.put_workflow(definition)
        assert (await h.client.audit()).items == []


async def test_functions_of_a_program_are_not_kept() -> None:
    async with Harness() as h:
        with pytest.raises(InvalidError, match="step f is a function of a program"):
            await h.client.put_workflow(workflow(StepDef(id="f", action=Function(name="x.f"))))


def test_what_a_definition_starts_is_read_from_it() -> None:
    mcp = ({"mcp": {"command": ["uvx", "it"]}}, {"mcp": {"url": "https://h/mcp"}})
    inner = workflow(StepDef(id="deep", action=PythonCall(target="m:f")))
    found = starts(
        workflow(
            StepDef(id="c", action=Command(argv=("rm", "-r", "{{ inputs.x }}"))),
            StepDef(id="g", action=Group(steps=(StepDef(id="s", action=SubWorkflow(workflow=inner)),))),
            StepDef(id="p", action=Prompt(template="hi", agent="w", tools=({"python": {"call": "m:g"}},))),
            StepDef(id="q", action=Prompt(template="hi", agent="w")),
            agents={
                "w": AgentDef(name="w", tools=mcp),
                "idle": AgentDef(name="idle", tools=({"shell": {"approve": "always"}},)),
            },
        )
    )
    assert found == (
        "step `c` runs `rm -r {{ inputs.x }}`",
        "step `deep` calls Python `m:f`",
        "step `p` may call Python `m:g`",
        "agent `w` starts the MCP server `uvx it`",
        "agent `w` may use the MCP server https://h/mcp",
    )
    assert starts(FLOW) == ()
