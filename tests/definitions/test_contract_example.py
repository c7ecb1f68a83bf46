"""The example of the documentation, in full syntax."""

from __future__ import annotations

from pathlib import Path

import pytest

from aethermind.definitions.loader import load_file
from aethermind.domain.workflow import Ask, Budget
from tests.definitions.helpers import step

EXAMPLE = """\
# yaml-language-server: $schema=…           (written by `aethermind new`)
name: research-brief
description: Research a topic from two sides and write a brief.
inputs:
  topic: string                              # string number integer boolean, [string], a|b|c, {k: type}, ?
  depth: {type: integer, default: 3, minimum: 1, maximum: 10}    # or JSON Schema
schemas: {verdict: {score: number, issues: [string]}}
defaults: {model: smart, timeout: 10m, retry: {max_attempts: 3, backoff: 1s}}
budget: {usd: 0.50, on_exceed: pause}        # pause | fail
agents:
  researcher:
    model: smart                             # alias or provider:model; a list is a fallback chain
    instructions: [{file: AGENTS.md}, You are a careful researcher.]
    settings: {max_tokens: 2000, reasoning: medium}
    tools:
      - files: {write: ask}                  # built in: read/search/edit below cwd
      - shell: ask                           # always | ask | never
      - python: mytools:search
      - mcp: {command: [uvx, some-server], env: {GITHUB_TOKEN: $GITHUB_TOKEN}, allowed: [fetch]}
      - mcp: {url: "https://host/mcp", headers: {Authorization: $MCP_AUTH}, approve: always}
  critic: {model: fast, instructions: Judge hard.}
steps:
  - id: plan
    agent: researcher
    prompt: "Plan {{ inputs.depth }} sections on {{ inputs.topic }}."
    output: {sections: [string]}
  - id: sections                             # fan-out over a list that a model made
    for_each: "{{ plan.sections }}"
    max_parallel: 4
    prompt: "Write the section {{ item }} of {{ inputs.topic }}."
  - id: polish                               # a group; repeat, for_each and when apply to the whole of it
    repeat: {until: "{{ judge.score >= 8 }}", max: 3}
    steps:
      - {id: text, prompt: "Join and improve.\\n{{ sections }}\\n{{ previous.judge.issues }}"}
      - {id: judge, agent: critic, prompt: "Score 0–10.\\n{{ text }}", output: verdict}
  - id: stats
    run: [wc, -w]                            # an argv list, never a shell string
    stdin: "{{ polish.text }}"
  - id: publish
    ask: {message: "Publish {{ stats }} words?", show: "{{ polish.text }}",
          fields: {choice: yes|no, note: string?}, timeout: 24h, on_timeout: fail}
  - id: file
    when: "{{ publish.choice == 'yes' }}"
    value: "{{ polish.text }}"
    save: brief.md                           # below cwd
outputs: {brief: "{{ file or polish.text }}"}
"""


@pytest.fixture
def example(tmp_path: Path) -> Path:
    (tmp_path / "AGENTS.md").write_text("Work with care.\n", encoding="utf-8")
    (tmp_path / "research.yaml").write_text(EXAMPLE, encoding="utf-8")
    return tmp_path / "research.yaml"


def test_the_whole_example_is_understood(example: Path) -> None:
    loaded = load_file(example)
    flow = loaded.definition
    assert [s.id for s in flow.steps] == ["plan", "sections", "polish", "stats", "publish", "file"]
    needs = {s.id: s.needs for s in flow.steps}
    assert needs == {
        "plan": (), "sections": ("plan",), "polish": ("sections",), "stats": ("polish",),
        "publish": ("stats", "polish"), "file": ("publish", "polish"),
    }  # fmt: skip
    assert flow.budget == Budget(micro_usd=500_000, on_exceed="pause")
    assert flow.agents["researcher"].instructions == "Work with care.\n\nYou are a careful researcher."
    kinds = [next(iter(tool)) for tool in flow.agents["researcher"].tools]
    assert kinds == ["files", "shell", "python", "mcp", "mcp"]
    judge = step(flow, "polish/judge")
    assert judge.references == ("text",)
    assert judge.action.output_schema["required"] == ["score", "issues"]  # type: ignore[union-attr,index]  # a prompt
    ask = step(flow, "publish").action
    assert isinstance(ask, Ask)
    assert ask.timeout_ms == 86_400_000
    assert ask.fields["choice"]["enum"] == ["yes", "no"]
    assert flow.outputs == {"brief": "{{ file or polish.text }}"}
    assert loaded.env_names == ("GITHUB_TOKEN", "MCP_AUTH")
    assert len(loaded.needs_trust) == 5
    assert all(s.retry.max_attempts == 3 for s in flow.steps[:2])
