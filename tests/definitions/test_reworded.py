"""Another prompt in one step of a recorded definition."""

from __future__ import annotations

import pytest

from aethermind.definitions.loader import load_text
from aethermind.definitions.reworded import prompt_of, reworded
from aethermind.domain.errors import InvalidError, NotFoundError
from aethermind.domain.workflow import WorkflowDef
from aethermind.engine.adoption import kept

FILE = """
name: brief
inputs: {topic: string, tone: string?}
steps:
  - {id: plan, prompt: "Plan {{ inputs.topic }}", output: {parts: [string]}}
  - {id: facts, prompt: "Facts on {{ inputs.topic }}"}
  - id: research
    steps:
      - {id: parts, for_each: "{{ plan.parts }}", prompt: "Write {{ item }}"}
      - {id: joined, prompt: "Join {{ parts }}"}
  - {id: write, prompt: "Write up {{ research.joined }}"}
  - {id: count, value: "{{ write }}"}
"""


def definition() -> WorkflowDef:
    return load_text(FILE, "brief.yaml").definition


def test_only_this_step_and_what_follows_it_is_another() -> None:
    old = definition()
    new = reworded(old, "write", "Write it up shorter: {{ research.joined }}")
    assert prompt_of(new, "write") == "Write it up shorter: {{ research.joined }}"
    assert kept(old, new) == ("plan", "facts", "research")


def test_an_instance_counts_for_its_step_inside_a_group() -> None:
    old = definition()
    assert prompt_of(old, "research/parts[3]") == "Write {{ item }}"
    new = reworded(
        old, "research/parts[3]", "Write {{ item }}, part {{ index }} of {{ plan.parts | length }}"
    )
    assert (
        prompt_of(new, "research/parts") == "Write {{ item }}, part {{ index }} of {{ plan.parts | length }}"
    )
    assert kept(old, new) == ("plan", "facts")


def test_what_comes_before_it_may_be_used_and_is_waited_for() -> None:
    new = reworded(definition(), "write", "{{ plan.parts }} {{ steps.research.status }} {{ inputs.tone }}")
    write = next(step for step in new.steps if step.id == "write")
    assert write.needs == ("research", "plan")


def test_a_group_waits_for_what_a_step_in_it_uses_of_outside() -> None:
    text = FILE.replace("- id: research\n", "- id: research\n    depends_on: [facts]\n")
    new = reworded(load_text(text, "brief.yaml").definition, "research/joined", "{{ facts }} {{ parts }}")
    research = next(step for step in new.steps if step.id == "research")
    assert "facts" in research.references


@pytest.mark.parametrize(
    "path, template, said",
    [
        ("write", "{{ facts }}", "`facts` is not before this step"),
        ("write", "{{ reserch }}", "did you mean `research`"),
        ("plan", "{{ write }}", "`write` is not before this step"),
        ("write", "{{ item }}", "`item` is not before this step"),
        ("write", "{{ inputs.topick }}", "there is no input `topick` (did you mean `topic`?)"),
        ("write", "\n{{ research.joined ", "prompt:2"),
        ("write", "{{ research.joined | shout }}", "there is no filter `shout`"),
        ("write", "  \n", "the prompt is empty"),
        ("count", "x", "it is a value step"),
    ],
)
def test_what_can_not_be_is_said(path: str, template: str, said: str) -> None:
    with pytest.raises(InvalidError) as caught:
        reworded(definition(), path, template)
    assert said in caught.value.line()


def test_a_step_that_is_not_there() -> None:
    with pytest.raises(NotFoundError):
        prompt_of(definition(), "research/nothing")
