from __future__ import annotations

from typing import Any

import pytest

from aethermind.infra.providers.sim_check import check_sim

GOOD: list[dict[str, Any]] = [
    {},
    {"plan": "text"},
    {"plan": ["a", {"b": 1}]},
    {"plan": {"any": "json", "reply-to": "x"}},
    {"steps": {"polish#2/judge": {"replies": ["a"], "errors": [429, "timeout", "drop", None], "delay": 1.5}}},
    {
        "seed": 1,
        "tokens_per_second": 60,
        "delay": "300ms",
        "steps": {"s": {"reply": None, "errors_at": {"s[1]": [503]}, "usage": {"input_tokens": 5}}},
    },
    {"steps": {"plan": {"reply": "x", "usage": None}}},
]


@pytest.mark.parametrize("data", GOOD)
def test_good_scripts(data: dict[str, Any]) -> None:
    assert check_sim(data) == []


@pytest.mark.parametrize(
    "data, problem",
    [
        ([], "a script is a mapping of steps to replies"),
        (None, "a script is a mapping of steps to replies"),
        ({"steps": []}, "steps: a mapping of steps to replies is wanted"),
        ({"steps": {}, "dealy": "1s"}, "dealy: unknown key (did you mean delay?)"),
        ({"delay": "soon", "plan": "x"}, "delay: 'soon' is no duration"),
        ({"tokens_per_second": 0}, "tokens_per_second: a positive number is wanted, not 0"),
        ({"seed": "x"}, "seed: a whole number is wanted, not 'x'"),
        ({"plan": []}, "plan: an empty list of replies"),
        (
            {"steps": {"plan": {"reply": "x", "erors": [429]}}},
            "steps.plan.erors: unknown key (did you mean errors?)",
        ),
        (
            {"steps": {"plan": {"reply": 1, "replies": [2]}}},
            "steps.plan: reply and replies exclude each other",
        ),
        ({"plan": {"replies": "x"}}, "plan.replies: a list with at least one reply is wanted"),
        ({"plan": {"errors": 429}}, "plan.errors: a list is wanted, such as [429, timeout]"),
        ({"plan": {"errors": [200]}}, "plan.errors[0]: a status from 400 to 599, timeout, drop or null"),
        ({"plan": {"errors": [429, "tiemout"]}}, "plan.errors[1]: a status"),
        ({"plan": {"errors": [True]}}, "plan.errors[0]: a status"),
        ({"plan": {"errors_at": [1]}}, "plan.errors_at: a mapping such as"),
        ({"plan": {"errors_at": {"plan[0]": [1]}}}, "plan.errors_at.plan[0][0]: a status"),
        ({"plan": {"usage": {"inputs": 1}}}, "plan.usage.inputs: unknown key (did you mean input_tokens?)"),
        ({"plan": {"usage": {"input_tokens": -1}}}, "plan.usage.input_tokens: a whole number from 0 on"),
        ({"plan": {"usage": 5}}, "plan.usage: a mapping of token counts is wanted"),
        ({"steps": {1: "x"}}, "steps.1: a step's name is text"),
    ],
)
def test_bad_scripts(data: object, problem: str) -> None:
    problems = check_sim(data)
    assert len(problems) == 1
    assert problems[0].startswith(problem)


def test_misspelt_steps_are_found_when_the_workflow_is_known() -> None:
    sim = {"steps": {"polish#2/judge": "x", "sections[1]": "y", "plann": "z"}}
    assert check_sim(sim, steps=["plan", "sections", "polish", "judge"]) == [
        "steps.plann: no such step (did you mean plan?)"
    ]
