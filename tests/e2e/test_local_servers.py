"""A workflow on real SDKs and local servers: streaming, usage to the token, money known or unknown."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import aethermind
from tests.e2e.models import KEYS, Answer, Gate, models
from tests.e2e.running import running
from tests.e2e.terminal import terminal
from tests.servers.wires import Counts

WORKFLOW = """\
name: brief
inputs: {topic: string}
agents:
  planner: {model: "openai:gpt-local", instructions: You plan.}
  researcher: {model: "anthropic:claude-local", instructions: You are careful., settings: {max_tokens: 900}}
  counter: {model: "vault:m-1", settings: {reasoning: low}}
  critic: {model: "ollama:llama-local"}
steps:
  - id: plan
    agent: planner
    prompt: "<<plan>> Which sides has {{ inputs.topic }}?"
    output: {sides: [string]}
  - id: findings
    for_each: "{{ plan.sides }}"
    agent: researcher
    prompt: "<<{{ item }}>> Research it."
  - {id: facts, agent: counter, prompt: "<<facts>> Five numbers on {{ plan.sides }}."}
  - {id: myths, agent: critic, prompt: "<<myths>> What is wrong about {{ plan.sides }}?"}
  - id: write
    agent: planner
    prompt: "<<write>> Write it.\\n{{ findings }}\\n{{ facts }}\\n{{ myths }}"
outputs: {brief: "{{ write }}"}
"""
CONFIG = """\
[providers.vault]
kind = "openai"
base_url = "URL/v1"
api = "responses"
key_env = "VAULT_KEY"
[providers.vault.prices."m-1"]
input = 3.1
cached_input = 0.31
cache_write = 3.7
output = 12.7
"""
VAULT_KEY = "vault-test-0123456789-c5d"
INPUT, CACHED, WRITTEN, OUTPUT = map(Decimal, ("3.1", "0.31", "3.7", "12.7"))
"""Dollars per million tokens, as in the config."""

COUNTS = {
    "plan": Counts(input=1_201, cached=1_024, written=0, output=77, reasoning=13),
    "moon": Counts(input=2_311, cached=640, written=1_111, output=501, reasoning=200),
    "coast": Counts(input=2_313, cached=0, written=2_048, output=399, reasoning=0),
    "facts": Counts(input=907, cached=256, written=128, output=333, reasoning=287),
    "myths": Counts(input=811, output=59),
    "write": Counts(input=4_099, cached=3_072, written=512, output=1_013, reasoning=0),
}
STEPS = {"findings[0]": "moon", "findings[1]": "coast"}


def answers(**gates: Gate) -> dict[str, Answer]:
    texts = {"plan": json.dumps({"sides": ["moon", "coast"]}), "write": "# Tides\n\nAll of it, in the end."}
    return {
        name: Answer(
            texts.get(name, f"All that is known of the {name}, in brief"),
            counts,
            thought="Let me see." if counts.reasoning else "",
            gate=gates.get(name),
        )
        for name, counts in COUNTS.items()
    }


@pytest.fixture
def gate() -> Gate:
    return Gate()


def usage(name: str) -> dict[str, int]:
    counts = COUNTS[name]
    cached, written, reasoning = counts.cached, counts.written, counts.reasoning
    if name == "myths":  # Ollama tells no more than these two
        cached = written = reasoning = 0
    return {
        "input_tokens": counts.input,
        "cached_input_tokens": cached,
        "cache_write_tokens": written,
        "output_tokens": counts.output,
        "reasoning_tokens": reasoning,
    }


def _key_of(headers: Mapping[str, str]) -> str:
    """However this vendor's SDK sends it."""
    sent = headers.get("x-api-key") or headers.get("authorization") or ""
    return sent.removeprefix("Bearer ")


def test_usage_and_cost_are_what_the_servers_said(
    gate: Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "brief.yaml").write_text(WORKFLOW)
    config = tmp_path / "config.toml"
    with models(answers(myths=gate)) as (asked, server):
        config.write_text(CONFIG.replace("URL", server.url))
        monkeypatch.setenv("AETHERMIND_CONFIG", str(config))
        monkeypatch.setenv("VAULT_KEY", VAULT_KEY)
        with running("run", "brief.yaml", "-i", "topic=tides", "--json", cwd=tmp_path) as started:
            # While the critic still streams, what others have finished is told.
            gate.wait()
            for step in (*STEPS, "facts"):
                started.out.event("AttemptSucceeded", step=step)
            assert not any(
                '"step":"myths"' in line and "AttemptSucceeded" in line for line in started.out.lines
            )
            assert "write" not in asked.asked
            gate.open()
            assert started.end() == 0, started.err.text
    assert started.err.text == ""
    summary = json.loads(started.out.lines[-1])["summary"]
    assert json.loads(aethermind("show", "last", "--json").stdout) == summary
    run = summary["run"]
    assert (run["status"], run["simulated"]) == ("succeeded", False)
    assert run["outputs"] == {"brief": "# Tides\n\nAll of it, in the end."}

    # To the token, in each call, attempt and sum.
    calls: dict[str, Any] = {}
    for step in summary["steps"]:
        for attempt in step["attempts"]:
            (calls[step["id"]],) = attempt["model_calls"]
            assert attempt["usage"] == calls[step["id"]]["usage"]
            assert attempt["cost_micro_usd"] == calls[step["id"]]["cost_micro_usd"]
    assert {step: call["usage"] for step, call in calls.items()} == {
        step: usage(STEPS.get(step, step)) for step in ("plan", *STEPS, "facts", "myths", "write")
    }
    assert run["usage"] == {name: sum(usage(asker)[name] for asker in COUNTS) for name in run["usage"]}
    assert {step: call["text"] for step, call in calls.items()} == {
        step: answers()[STEPS.get(step, step)].text for step in calls
    }
    assert calls["findings[0]"]["reasoning"] == calls["facts"]["reasoning"] == "Let me see."

    # Money: the user's own price, nothing for what runs here, and what nobody knows is unknown.
    counts = COUNTS["facts"]
    plain = counts.input - counts.cached - counts.written
    exact = plain * INPUT + counts.cached * CACHED + counts.written * WRITTEN + counts.output * OUTPUT
    cost = int(exact.quantize(Decimal(1), ROUND_HALF_EVEN))
    assert (calls["facts"]["cost_micro_usd"], calls["facts"]["price_source"]) == (cost, "config")
    assert (calls["myths"]["cost_micro_usd"], calls["myths"]["price_source"]) == (0, "local")
    for step in ("plan", *STEPS, "write"):
        assert (calls[step]["cost_micro_usd"], calls[step]["price_source"]) == (None, "unpriced"), step
    assert (run["cost_micro_usd"], run["unpriced_calls"], run["at_most_micro_usd"]) == (cost, 4, 0)
    (row,) = json.loads(aethermind("costs", "--by", "run", "--json").stdout)["items"]
    assert (row["cost_micro_usd"], row["unpriced_calls"], row["usage"]) == (cost, 4, run["usage"])
    assert json.loads(aethermind("costs", "--sim", "--json").stdout)["items"] == []

    # Each was asked once, through its own API, with its own key; no key is kept anywhere.
    assert sorted(asked.asked) == sorted(COUNTS)
    keys = {request.path: _key_of(request.headers) for request in server.requests}
    assert keys == {
        "/v1/chat/completions": KEYS["OPENAI_API_KEY"],
        "/v1/responses": VAULT_KEY,
        "/v1/messages": KEYS["ANTHROPIC_API_KEY"],
        "/api/chat": "",
    }
    assert all(request.json["stream"] is True for request in server.requests)
    kept = b"".join(
        path.read_bytes() for path in Path(os.environ["AETHERMIND_HOME"]).rglob("*") if path.is_file()
    )
    assert b"All that is known" in kept
    assert not [key for key in (*KEYS.values(), VAULT_KEY) if key.encode() in kept]


def test_what_streams_is_seen_before_it_ends(gate: Gate, tmp_path: Path) -> None:
    (tmp_path / "two.yaml").write_text(
        "name: two\ndefaults: {model: 'ollama:llama-local'}\nsteps:\n"
        '  - {id: quick, prompt: "<<plan>>"}\n'
        '  - {id: slow, prompt: "<<myths>> {{ quick }}"}\n'
        'outputs: {text: "{{ slow }}"}\n'
    )
    with (
        models(answers(myths=gate)),
        terminal("run", "two.yaml", cwd=tmp_path) as screen,
    ):
        screen.until(gate.reached.is_set)
        screen.shows("slow", "All that is known of")  # the first half of the answer
        assert "the myths, in brief" not in screen.text
        screen.shows("✓ quick")
        assert "✓ slow" not in screen.text
        gate.open()
        assert screen.end() == 0
        screen.shows("All that is known of the myths, in brief")
        screen.shows("succeeded in", "$0.0000", "2.0k in, 136 out")
