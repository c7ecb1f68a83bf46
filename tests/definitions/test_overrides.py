from __future__ import annotations

from typing import Any

import pytest

from aethermind.definitions.loader import load_text
from aethermind.domain.errors import InvalidError

FLOW = """\
name: w
inputs: {topic: string}
agents: {writer: {model: fast, settings: {max_tokens: 10}}}
steps:
  - {id: plan, agent: writer, prompt: hi, timeout: 5s}
  - id: group
    steps:
      - {id: inner, run: [echo, a, b]}
"""


def load(**overrides: str) -> Any:
    paths = {key.replace("__", "."): value for key, value in overrides.items()}
    return load_text(FLOW, "f.yaml", overrides=paths).definition


def test_values_are_put_into_the_file() -> None:
    assert load(agents__writer__model="openai:gpt").agents["writer"].models == ("openai:gpt",)
    assert load(agents__writer__model="[smart, fast]").agents["writer"].models == ("smart", "fast")
    assert load(agents__writer__settings__max_tokens="20").agents["writer"].settings == {"max_tokens": 20}
    assert load(agents__writer__settings__seed="7").agents["writer"].settings["seed"] == 7
    assert load(steps__plan__timeout="1m").steps[0].timeout_ms == 60_000
    assert load(steps__0__timeout="1m").steps[0].timeout_ms == 60_000
    assert (
        load(steps__plan__prompt="{{ inputs.topic }}: no").steps[0].action.template
        == "{{ inputs.topic }}: no"
    )
    assert load(steps__plan__prompt="no").steps[0].action.template == "no"
    assert load(steps__plan__prompt="'5'").steps[0].action.template == "5"
    assert load(steps__group__steps__inner__run__2="c").steps[1].action.steps[0].action.argv == (
        "echo",
        "a",
        "c",
    )
    assert load(defaults__retry__max_attempts="2").steps[0].retry.max_attempts == 2
    assert load(steps__plan__retry="{max_attempts: 2}").steps[0].retry.max_attempts == 2
    assert load(budget__usd="0.25").budget.micro_usd == 250_000
    assert load(steps__plan__when="false").steps[0].when == "false"
    assert load(description="a: b").description == "a: b"


@pytest.mark.parametrize(
    "path,value,fragment",
    [
        (
            "agents.writr.model",
            "x",
            "--set agents.writr.model:1:1: `agents` has no `writr` (did you mean `writer`?)",
        ),
        ("agents.reader", "{}", "`agents` has no `reader`"),
        ("steps.paln.timeout", "1s", "`steps` has no `paln` (did you mean `plan`?)"),
        ("steps.7.timeout", "1s", "`steps` has no `7`"),
        ("steps.plan.prompt.x", "1", "`steps.plan.prompt` has nothing inside it"),
        ("steps.plan.timeout.x.y", "1", "`steps.plan.timeout` has nothing inside it"),
        ("agents.writer.modle", "x", "--set agents.writer.modle:1:1: unknown key `modle`"),
        ("agents.writer.model", "openai:", "--set agents.writer.model:1:1: `openai:` is no model"),
        ("steps.plan.timeout", "1:30", "1:30 is no duration"),
        ("steps.plan.when", "nope", "unknown name `nope`"),
        ("agents.writer.model", "[smart", "no valid YAML"),
        ("agents..model", "x", "this is no path"),
        ("", "x", "this is no path"),
        ("name", "\ud800", "not UTF-8"),
    ],
)
def test_what_cannot_be_put(path: str, value: str, fragment: str) -> None:
    with pytest.raises(InvalidError) as caught:
        load_text(FLOW, "f.yaml", overrides={path: value})
    assert fragment in caught.value.line()
