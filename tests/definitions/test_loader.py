from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from aethermind.definitions.loader import (
    Defaults,
    LoadedWorkflow,
    definition_hash,
    load_file,
    step_hash,
)
from aethermind.domain.workflow import (
    Budget,
    Command,
    Fail,
    Prompt,
    PythonCall,
    Repeat,
    Retry,
    Value,
    WorkflowDef,
    prompt_config,
)
from tests.definitions.helpers import load, put, refusal, step, workflow


def test_the_smallest_file() -> None:
    loaded = load(
        'name: hi\nsteps: [{id: greet, prompt: "Say hi to {{ inputs.who }}"}]\ninputs: {who: string}\n'
    )
    flow = loaded.definition
    assert (flow.name, list(flow.inputs), flow.source) == ("hi", ["who"], "f.yaml")
    assert flow.steps[0].action == Prompt(template="Say hi to {{ inputs.who }}")
    assert flow.steps[0].retry == Retry(max_attempts=4)
    assert flow.steps[0].timeout_ms == 600_000
    assert (loaded.needs_trust, loaded.env_names, loaded.sim, loaded.files) == ((), (), {}, {})


def test_json_is_yaml_too() -> None:
    assert (
        load('{"name": "j", "steps": [{"id": "a", "value": {"x": [1, null, "n"]}}]}').definition.name == "j"
    )


def test_all_kinds_that_work_now() -> None:
    flow = workflow(
        """\
  - id: cmd
    run: [sh, -c, "exit $1", x, "{{ inputs.n }}"]
    ok_codes: [0, 3]
    env: {TOKEN: $TOKEN, MODE: fast}
    cwd: sub
    stdin: text
    output: {n: integer}
    on_error: continue
    on_in_doubt: retry
  - id: py
    python: my.tools:search
    with: {q: "{{ cmd.n }}", list: [1]}
    output: [string]
  - {id: val, value: {a: ["{{ py }}"]}, save: out/x.json}
  - {id: stop, fail: "no {{ val }}", when: false}
  - {id: again, run: [date], repeat: {max: 5, every: 10s}, retry: {max_attempts: 2}, timeout: 5s}
  - {id: many, for_each: "{{ py }}", max_parallel: 2, max_items: 50, prompt: {file: p.md}}
""".replace("prompt: {file: p.md}", 'prompt: "{{ item }} {{ index }}"'),
        "inputs: {n: {type: integer, default: 1}}\n",
    )
    command = step(flow, "cmd").action
    assert isinstance(command, Command)
    assert command.argv == ("sh", "-c", "exit $1", "x", "{{ inputs.n }}")
    assert (command.ok_codes, command.cwd, command.stdin) == ((0, 3), "sub", "text")
    assert command.env == {"TOKEN": "$TOKEN", "MODE": "fast"}
    assert command.output_schema is not None
    assert (step(flow, "cmd").on_error, step(flow, "cmd").on_in_doubt) == ("continue", "retry")
    assert step(flow, "cmd").retry == Retry(), "a command is retried only if it says so"
    call = step(flow, "py").action
    assert call == PythonCall(
        target="my.tools:search",
        arguments={"q": "{{ cmd.n }}", "list": [1]},
        output_schema={"type": "array", "items": {"type": "string"}},
    )
    assert step(flow, "py").retry == Retry()
    assert step(flow, "val").action == Value(value={"a": ["{{ py }}"]})
    assert step(flow, "val").save == "out/x.json"
    assert step(flow, "val").timeout_ms is None
    assert step(flow, "stop").action == Fail(reason="no {{ val }}")
    assert step(flow, "stop").when == "false"
    again = step(flow, "again")
    assert again.repeat == Repeat(max=5, every_ms=10_000)
    assert (again.retry.max_attempts, again.timeout_ms) == (2, 5_000)
    many = step(flow, "many")
    assert (many.for_each, many.max_parallel, many.max_items) == ("{{ py }}", 2, 50)


# --- inheritance -------------------------------------------------------------------------------

INHERITED = """\
name: inherit
defaults:
  model: [smart, fast]
  timeout: 2m
  retry: {max_attempts: 6, backoff: 2s}
  settings: {max_tokens: 9, seed: 1}
agents:
  plain: {instructions: Be plain.}
  own: {model: fast, timeout: 30s, retry: {max_attempts: 2}, settings: {max_tokens: 5}, max_concurrent: 1}
steps:
  - {id: none, prompt: hi}
  - {id: by_plain, agent: plain, prompt: hi, instructions: And short., settings: {seed: 9}}
  - {id: by_own, agent: own, prompt: hi}
  - {id: most, agent: own, prompt: hi, model: "sim:x", timeout: 1s, retry: {backoff: 1m}}
  - {id: cmd, run: [ls]}
  - {id: cmd_retry, run: [ls], retry: {max_backoff: 9s}}
  - id: group
    timeout: 7s
    retry: {max_attempts: 9}
    on_in_doubt: skip
    steps:
      - {id: inner, agent: own, prompt: hi}
      - {id: inner_cmd, run: [ls], on_in_doubt: ask}
"""


def test_inheritance_is_merged() -> None:
    flow = load(INHERITED).definition
    chain = ("smart", "fast")

    def facts(path: str) -> tuple[int | None, int, int]:
        found = step(flow, path)
        return found.timeout_ms, found.retry.max_attempts, found.retry.backoff_ms

    assert facts("none") == (120_000, 6, 2_000)
    assert facts("by_plain") == (120_000, 6, 2_000)
    assert facts("by_own") == (30_000, 2, 2_000)
    assert facts("most") == (1_000, 2, 60_000)
    assert facts("cmd") == (120_000, 1, 1_000)
    assert facts("cmd_retry") == (120_000, 6, 2_000)
    assert step(flow, "cmd_retry").retry.max_backoff_ms == 9_000
    assert step(flow, "most").retry.max_backoff_ms == 60_000
    assert facts("group/inner") == (7_000, 9, 2_000)
    assert facts("group/inner_cmd") == (7_000, 1, 1_000)
    assert facts("group") == (None, 1, 1_000)
    assert step(flow, "group/inner").on_in_doubt == "skip"
    assert step(flow, "group/inner_cmd").on_in_doubt == "ask"
    config = prompt_config(flow, step(flow, "none"))
    assert (config.models, config.settings) == (chain, {"max_tokens": 9, "seed": 1})
    config = prompt_config(flow, step(flow, "by_plain"))
    assert (config.models, config.settings) == (chain, {"max_tokens": 9, "seed": 9})
    assert config.instructions == "Be plain.\n\nAnd short."
    config = prompt_config(flow, step(flow, "most"))
    assert (config.models, config.settings) == (("sim:x",), {"max_tokens": 5, "seed": 1})
    assert flow.agents["own"].max_concurrent == 1


def test_the_defaults_of_the_installation() -> None:
    flow = load(
        "name: d\nsteps: [{id: a, prompt: hi}, {id: b, run: [ls]}]\n",
        defaults=Defaults(retries=0, timeout_ms=5),
    ).definition
    assert (step(flow, "a").retry.max_attempts, step(flow, "a").timeout_ms) == (1, 5)
    assert (step(flow, "b").retry, step(flow, "b").timeout_ms) == (Retry(), 5)


@pytest.mark.parametrize(
    "text,budget",
    [
        ("{usd: 0.50, on_exceed: fail}", Budget(micro_usd=500_000, on_exceed="fail")),
        ("{usd: 0}", Budget(micro_usd=0)),
        ("{usd: 0.1, unpriced: allow}", Budget(micro_usd=100_000, unpriced="allow")),
    ],
)
def test_budgets_are_exact(text: str, budget: Budget) -> None:
    assert workflow("  - {id: a, value: 1}\n", f"budget: {text}\n").budget == budget


# --- models ------------------------------------------------------------------------------------


def test_models_are_asked_about_at_their_place() -> None:
    def known(name: str) -> str | None:
        return None if name == "smart" else f"unknown model `{name}` (did you mean `smart`?)"

    text = 'name: m\nsteps: [{id: a, prompt: hi, model: [smart, "openai:gtp"]}]\n'
    assert load(text).definition.steps[0].action.models == ("smart", "openai:gtp")  # type: ignore[union-attr]  # a prompt
    error = refusal(text, known_models=known)
    assert error.line() == "f.yaml:2:44: unknown model `openai:gtp` (did you mean `smart`?)"


NO_HEAT = """\
name: m
defaults: {settings: {temperature: 0.5}}
agents:
  calm: {model: "a:x", settings: {temperature: 1}}
steps:
  - {id: one, prompt: hi, model: "b:x"}
"""


@pytest.mark.parametrize(
    "step, place",
    [
        ('{id: a, prompt: hi, model: "a:y", settings: {temperature: 0}}', "7:50"),
        ('{id: a, prompt: hi, model: "a:y"}', "2:23"),
        ('{id: a, prompt: hi, model: [fast, "a:y"]}', "2:23"),
        ("{id: a, prompt: hi}", None),
        ("{id: a, agent: calm, prompt: hi}", "4:35"),
        ('{id: a, agent: calm, prompt: hi, model: "b:y"}', None),
        ('{id: a, steps: [{id: b, prompt: hi, model: "a:y"}]}', "2:23"),
    ],
)
def test_settings_that_a_model_does_not_take_are_refused_where_they_stand(
    step: str, place: str | None
) -> None:
    def taken(model: str, settings: Mapping[str, Any]) -> list[tuple[str, str, str | None]]:
        bad = model.startswith("a:") and "temperature" in settings
        return [("temperature", f"{model} is always cold", "leave it out")] if bad else []

    head = NO_HEAT if "calm" in step else NO_HEAT.replace("a:x", "b:x")
    if place is None:
        load(f"{NO_HEAT.replace('a:x', 'b:x')}  - {step}\n", known_settings=taken)
        return
    error = refusal(f"{head}  - {step}\n", known_settings=taken)
    assert error.line().startswith(f"f.yaml:{place}: a:")
    assert error.line().endswith("is always cold (leave it out)")


@pytest.mark.parametrize("model", ["ollama:llama3.2:3b", "groq:meta-llama/llama-4", "fast", "cli:claude"])
def test_names_of_models(model: str) -> None:
    assert workflow(f'  - {{id: a, prompt: hi, model: "{model}"}}\n').steps[0].action.models == (model,)  # type: ignore[union-attr]  # a prompt


# --- trust, environment, hashes ----------------------------------------------------------------


def test_what_needs_trust_is_said() -> None:
    loaded = load(
        "name: t\nsteps:\n  - {id: a, run: [rm, -rf, /], env: {K: $KEY}}\n"
        "  - {id: b, python: m:f, env: {K: $KEY, L: $LANG}}\n"
        "  - id: g\n    steps:\n      - {id: c, run: [ls]}\n"
    )
    assert loaded.needs_trust == (
        "step `a` runs `rm -rf /`",
        "step `b` calls Python `m:f`",
        "step `c` runs `ls`",
    )
    assert loaded.env_names == ("KEY", "LANG")


def test_the_content_hash_covers_included_files(tmp_path: Path) -> None:
    put(tmp_path / "p.md", "one")
    file = put(tmp_path / "w.yaml", "name: w\nsteps: [{id: b, prompt: {file: p.md}}]\n")
    first = load_file(file)
    put(tmp_path / "p.md", "two")
    second = load_file(file)
    assert first.sha256 == second.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert first.content_hash != second.content_hash
    plain = load("name: w\nsteps: [{id: b, value: 1}]\n")
    assert plain.content_hash == plain.sha256


def test_hashes_of_definitions_and_steps() -> None:
    def flow(agent: str, prompt: str = "hi") -> WorkflowDef:
        return load(
            f"name: w\nagents: {{x: {{instructions: {agent}}}}}\n"
            f"steps: [{{id: a, agent: x, prompt: {prompt}}}]\n"
        ).definition

    one, same, other = flow("one"), flow("one"), flow("two")
    assert definition_hash(one) == definition_hash(same) != definition_hash(other)
    assert step_hash(one.steps[0]) == step_hash(other.steps[0])
    assert step_hash(one.steps[0], one) == step_hash(same.steps[0], same) != step_hash(other.steps[0], other)
    assert step_hash(one.steps[0]) != step_hash(flow("one", "ho").steps[0])


def test_a_definition_survives_the_codec() -> None:
    flow = load(INHERITED).definition
    assert msgspec.json.decode(msgspec.json.encode(flow), type=WorkflowDef) == flow


def test_the_loaded_workflow_is_data() -> None:
    loaded = load("name: w\nsteps: [{id: b, value: 1}]\n")
    again: Any = msgspec.json.decode(msgspec.json.encode(loaded), type=LoadedWorkflow)
    assert again == loaded
