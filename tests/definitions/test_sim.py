from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aethermind.definitions.loader import load_file, parse_sim
from aethermind.definitions.source import decode
from aethermind.domain.errors import InvalidError
from tests.definitions.helpers import load, refusal

FLOW = """\
name: w
steps:
  - {id: plan, prompt: hi}
  - {id: polish, steps: [{id: judge, prompt: hi}]}
"""


def script(text: str) -> dict[str, Any]:
    return parse_sim(decode(text.encode(), "w.sim.yaml"), {"plan", "polish", "judge", "polish/judge"})


def test_the_file_beside_the_workflow(tmp_path: Path) -> None:
    (tmp_path / "w.yaml").write_text(FLOW, encoding="utf-8")
    assert load_file(tmp_path / "w.yaml").sim == {}
    (tmp_path / "w.sim.yaml").write_text("seed: 3\nsteps: {plan: hello}\n", encoding="utf-8")
    assert load_file(tmp_path / "w.yaml").sim == {"seed": 3, "steps": {"plan": "hello"}}
    (tmp_path / "w.sim.yaml").write_text("steps: {paln: hello}\n", encoding="utf-8")
    with pytest.raises(InvalidError) as caught:
        load_file(tmp_path / "w.yaml")
    assert caught.value.line().endswith(
        "w.sim.yaml:1:9: the workflow has no step `paln` (did you mean `plan`?)"
    )


def test_all_forms() -> None:
    text = """\
seed: 1
delay: 200ms
tokens_per_second: 80
steps:
  plan: {reply: {sections: [a, b]}, delay: 1s, errors: [429, timeout, drop, null], usage: {input_tokens: 5}}
  polish/judge: [{score: 5}, {score: 9}]
  polish#2/judge: {replies: [a], errors_at: {"polish#2/judge": [500]}, tokens_per_second: 0.5, usage: null}
  judge: {any: json, reply_at: 3}
  plan[3]: 5
  plan[4]: [{tools: [{name: shell, arguments: {argv: [ls]}}, {name: look}], text: Let me see.}, {score: 1}]
  plan[5]: {replies: [[{tools: [{name: shell, arguments: "{broken"}]}, done], [1, 2]]}
  plan[6]: {tools: [{name: hammer, price: 3}], verdict: good}
  plan[7]: {reply: {tools: [hammer, saw]}}
"""
    data = script(text)
    assert data["steps"]["polish/judge"] == [{"score": 5}, {"score": 9}]
    assert script("plan: hi\nseed: 2\n") == {"plan": "hi", "seed": 2}
    assert script("") == {}


@pytest.mark.parametrize(
    "text,place,fragment",
    [
        ("- a", "1:1", "is a mapping"),
        ("steps: []", "1:8", "should be a mapping"),
        ("seed: one", "1:7", "whole number"),
        ("delay: 5", "1:8", "has no unit"),
        ("tokens_per_second: 0", "1:20", "above 0"),
        ("steps: {}\nspeed: 1", "2:1", "unknown key `speed`"),
        (
            "steps: {plan: {reply: a, dealy: 1s}}",
            "1:26",
            "unknown key `dealy` beside a reply (did you mean `delay`?)",
        ),
        ("steps: {plan: {reply: a, replies: [b]}}", "1:26", "exclude each other"),
        ("steps: {plan: {replies: []}}", "1:25", "at least one reply"),
        ("steps: {plan: []}", "1:15", "empty list"),
        ("steps: {plan: {reply: a, errors: 429}}", "1:34", "should be a list"),
        ("steps: {plan: {reply: a, errors: [200]}}", "1:35", "is no error"),
        ("steps: {plan: {reply: a, errors: [oops]}}", "1:35", "is no error"),
        ("steps: {plan: {reply: a, errors_at: [1]}}", "1:37", "should be a mapping"),
        ("steps: {plan: {reply: a, usage: {tokens: 1}}}", "1:34", "unknown key `tokens`"),
        ("steps: {plan: {reply: a, usage: {input_tokens: -1}}}", "1:48", "from 0 on"),
        ("steps: {plan: {reply: no}}", "1:23", "ambiguous"),
        (
            "steps: {plan: [{tools: [{name: a, argumnets: {}}]}]}",
            "1:35",
            "unknown key `argumnets` (did you mean `arguments`?)",
        ),
        ("steps: {plan: {reply: {tools: [{name: a}], texts: b}}}", "1:44", "unknown key `texts`"),
        ("steps: {plan: {replies: [[{tools: [{name: 7}]}]]}}", "1:43", "should be a text"),
        ("steps: {plan: {tools: [{name: a, arguments: [1]}]}}", "1:45", "should be a mapping"),
        ("plan: {tools: [{name: a}], text: [b]}", "1:34", "should be a text"),
    ],
)
def test_what_is_wrong_is_shown_there(text: str, place: str, fragment: str) -> None:
    with pytest.raises(InvalidError) as caught:
        script(text)
    assert caught.value.line().startswith(f"w.sim.yaml:{place}: ")
    assert fragment in caught.value.line()


def test_replies_in_settings_are_checked_too() -> None:
    text = "name: w\nsteps: [{id: a, prompt: hi, settings: {sim: %s}}]\n"
    settings = load(text % "{reply: [1, 2], delay: 1s}").definition.steps[0].action.settings  # type: ignore[union-attr]  # a prompt
    assert settings == {"sim": {"reply": [1, 2], "delay": "1s"}}
    assert "is no error" in refusal(text % "{reply: a, errors: [x]}").message
    assert "is no error" in refusal(text % "{steps: {a: {reply: a, errors: [x]}}}").message
