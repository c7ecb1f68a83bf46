"""The key `cache`: who may have it, what it inherits, what is wrong with it."""

from __future__ import annotations

import pytest

from aethermind.definitions.schema import workflow_json_schema
from aethermind.domain.workflow import CachePolicy
from tests.definitions.helpers import refused, step, workflow

DAY_MS = 86_400_000


@pytest.mark.parametrize(
    "written,meant",
    [("true", True), ("false", False), ("7d", 7 * DAY_MS), ("1h30m", 5_400_000), ('"1ms"', 1)],
)
def test_of_a_step(written: str, meant: CachePolicy) -> None:
    found = workflow(f"  - {{id: a, prompt: hi, cache: {written}}}\n").steps[0].cache
    assert found == meant
    assert (found is True) == (written == "true"), "one millisecond is not for ever"


def test_nothing_is_cached_unless_it_is_said() -> None:
    assert workflow("  - {id: a, prompt: hi}\n").steps[0].cache is None


def test_the_nearest_word_counts() -> None:
    flow = workflow(
        """\
  - {id: plain, prompt: hi}
  - {id: own, prompt: hi, cache: false}
  - {id: of_agent, agent: writer, prompt: hi}
  - {id: own_before_agent, agent: writer, prompt: hi, cache: 1h}
  - {id: silent_agent, agent: reader, prompt: hi}
  - {id: command, run: [date]}
  - id: group
    cache: true
    steps:
      - {id: inner, prompt: hi}
      - {id: before_agent, agent: writer, prompt: hi}
      - {id: not_here, prompt: hi, cache: false}
      - id: deep
        steps: [{id: innermost, prompt: hi}]
""",
        head="defaults: {cache: 1d}\nagents: {writer: {cache: 2d}, reader: {description: x}}\n",
    )
    found = {
        path: step(flow, path).cache
        for path in (
            "plain",
            "own",
            "of_agent",
            "own_before_agent",
            "silent_agent",
            "command",
            "group",
            "group/inner",
            "group/before_agent",
            "group/not_here",
            "group/deep/innermost",
        )
    }
    assert found == {
        "plain": DAY_MS,
        "own": False,
        "of_agent": 2 * DAY_MS,
        "own_before_agent": 3_600_000,
        "silent_agent": DAY_MS,
        "command": None,
        "group": None,
        "group/inner": True,
        "group/before_agent": True,
        "group/not_here": False,
        "group/deep/innermost": True,
    }


@pytest.mark.parametrize(
    "line",
    [
        "run: [date], cache: true",
        "python: m:f, cache: false",
        "value: 1, cache: 7d",
        "fail: it is over, cache: true",
        "ask: {message: x}, cache: true",
        "approval: {message: x}, cache: true",
        "workflow: other.yaml, cache: true",
    ],
)
def test_steps_that_call_no_model_have_none(line: str) -> None:
    column = len("  - {id: a, ") + line.rindex("cache") + 1
    assert refused(f"  - {{id: a, {line}}}\n") == (
        f"f.yaml:3:{column}: a `{line.partition(':')[0]}` step has no `cache` "
        "(it belongs to `prompt`, `steps` steps)"
    )


@pytest.mark.parametrize(
    "line,fragment",
    [
        ("prompt: x, cache: 5", "f.yaml:3:31: `cache` should be true or false or text, not the number 5"),
        ("prompt: x, cache: '5'", "f.yaml:3:31: the duration 5 has no unit (write 5s, or ms, m, h)"),
        ("prompt: x, cache: 0s", "f.yaml:3:31: `cache` cannot be 0 (cache: false switches it off)"),
        ("prompt: x, cache: 2y", "f.yaml:3:31: 2y is no duration"),
        ("prompt: x, cache: 400d", "f.yaml:3:31: 400d is longer than a year"),
        ("prompt: x, cache: {ttl: 7d}", "`cache` should be true or false or text, not a mapping"),
        ("prompt: x, cache: ", "`cache` is empty"),
        ("steps: [{id: b, run: [date]}], cache: true", "and no step in here makes any"),
    ],
)
def test_what_is_wrong_is_said_at_its_place(line: str, fragment: str) -> None:
    assert fragment in refused(f"  - {{id: a, {line}}}\n")


def test_editors_know_it() -> None:
    parts = workflow_json_schema()["$defs"]
    have = {name for name, part in parts.items() if "cache" in part.get("properties", {})}
    assert have == {"AgentSurface", "DefaultsSurface", "GroupStep", "PromptStep"}
    assert {option["type"] for option in parts["PromptStep"]["properties"]["cache"]["anyOf"]} == {
        "boolean",
        "string",
    }
