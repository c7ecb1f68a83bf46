"""Values of the wrong type, in plain words and at their place."""

from __future__ import annotations

import pytest

from aethermind.definitions.reading import fields_of, read
from aethermind.definitions.surface import STEP_KINDS, PromptStep, RetrySurface, WorkflowSurface
from tests.definitions.helpers import node, refusal, workflow


@pytest.mark.parametrize(
    "lines,expected",
    [
        ("name: 5", 'f.yaml:1:7: `name` should be text, not the number 5 (write it in quotes: "5")'),
        ("name: true", "f.yaml:1:7: `name` should be text, not the boolean true"),
        ("name:", "f.yaml:1:6: `name` is empty (it should be text)"),
        ("name: ' '", "f.yaml:1:7: `name` is empty"),
        ("name: [a]", "f.yaml:1:7: `name` should be text, not a list"),
        ("priority: 1.5", "f.yaml:1:11: `priority` should be a whole number, not the number 1.5"),
        ("priority: '5'", "f.yaml:1:11: `priority` should be a whole number, not the text '5'"),
        ("priority: 5000", "f.yaml:1:11: `priority` should be at most 1,000, not 5000"),
        ("agents: []", "f.yaml:1:9: `agents` should be a mapping, not a list"),
        ("agents: {a: 5}", "f.yaml:1:13: agent `a` should be a mapping, not the number 5"),
        ("defaults: {model: []}", "f.yaml:1:19: `model` is an empty list"),
        ("defaults: {model: {a: b}}", "f.yaml:1:19: `model` should be text or a list, not a mapping"),
        ("defaults: {model: [smart, 5]}", "f.yaml:1:27: `model[1]` should be text, not the number 5"),
        ("defaults: {timeout: [1]}", "f.yaml:1:21: a duration is wanted, not a list"),
        ("defaults: {settings: {top_p: 0}}", "f.yaml:1:30: `top_p` should be more than 0, not 0"),
        ("defaults: {settings: {reasoning: hi}}", "f.yaml:1:34: `reasoning` cannot be 'hi'"),
        ("<<: {a: 1}", "f.yaml:1:1: merge keys (`<<`) are not allowed (use `defaults:` or repeat the lines)"),
        ("token: x", "f.yaml:1:1: unknown key `token`"),
    ],
)  # fmt: skip
def test_wrong_values(lines: str, expected: str) -> None:
    rest = "" if lines.startswith("name") else "\nname: x"
    assert refusal(f"{lines}{rest}\nsteps: [{{id: a, value: 1}}]").line().startswith(expected)


def test_the_first_mistake_in_the_file_is_reported() -> None:
    assert refusal("zzz: 1\nname: 5\n").line().startswith("f.yaml:1:1: unknown key `zzz`")


def test_numbers_fit_where_numbers_are_wanted() -> None:
    flow = workflow("  - {id: a, prompt: hi, settings: {temperature: 1, seed: 0x10, stop: [x]}}\n")
    assert flow.steps[0].action.settings == {"temperature": 1.0, "seed": 16, "stop": ["x"]}  # type: ignore[union-attr]  # a prompt


def test_keys_are_those_of_the_file() -> None:
    assert {"with", "python"} <= set(fields_of(STEP_KINDS["python"]))
    assert "dependsOn" in fields_of(PromptStep)
    assert fields_of(WorkflowSurface)["steps"].required


def test_records_are_read() -> None:
    found = read(RetrySurface, node("{max_attempts: 2, backoff: 1s}"), "`retry`")
    assert found == RetrySurface(max_attempts=2, backoff="1s")


@pytest.mark.parametrize(
    "command,hint",
    [
        ("wc -l notes.txt", "[wc, -l, notes.txt]"),
        ("wc -l {{ inputs.file }}", '[wc, -l, "{{ inputs.file }}"]'),
        ("ls && date", '[sh, -c, "…"]'),
    ],
)
def test_a_command_line_is_shown_as_the_list_it_should_be(command: str, hint: str) -> None:
    text = f"name: x\nsteps:\n  - {{id: a, run: '{command}'}}"
    assert refusal(text).line().endswith(f"(an argv list, never a shell string: {hint})")
