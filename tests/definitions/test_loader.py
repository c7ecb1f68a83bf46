from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from aethermind.definitions import context
from aethermind.definitions.loader import (
    Defaults,
    LoadedWorkflow,
    definition_hash,
    load_file,
    load_text,
    step_hash,
)
from aethermind.domain.errors import DeniedError, InvalidError, NotFoundError
from aethermind.domain.workflow import (
    Budget,
    Command,
    Fail,
    Prompt,
    PythonCall,
    Repeat,
    Retry,
    SubWorkflow,
    Value,
    WorkflowDef,
    prompt_config,
)
from tests.definitions.helpers import load, refusal, refused, step, workflow


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


@pytest.mark.parametrize("model", ["ollama:llama3.2:3b", "groq:meta-llama/llama-4", "fast", "cli:claude"])
def test_names_of_models(model: str) -> None:
    assert workflow(f'  - {{id: a, prompt: hi, model: "{model}"}}\n').steps[0].action.models == (model,)  # type: ignore[union-attr]  # a prompt


# --- files -------------------------------------------------------------------------------------


def put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_prompt_files(tmp_path: Path) -> None:
    home, cwd = tmp_path / "flows", tmp_path / "project"
    put(home / "prompts/p.md", "Write about {{ a }}\n")
    agents = put(cwd / "AGENTS.md", "Use {{ mustache }} and {% tags %} as they are.\n")
    file = put(
        home / "w.yaml",
        "name: w\ninputs: {t: string}\n"
        "agents: {x: {instructions: [{file: AGENTS.md}, 'On {{ inputs.t }}.']}}\n"
        "steps:\n  - {id: a, value: 1}\n  - {id: b, agent: x, prompt: {file: prompts/p.md}}\n",
    )
    loaded = load_file(file, cwd=cwd)
    b = step(loaded.definition, "b")
    assert isinstance(b.action, Prompt)
    assert b.action.template == "Write about {{ a }}\n"
    assert b.references == ("a",)
    assert set(loaded.files) == {str(home / "prompts/p.md"), str(agents)}
    assert loaded.files[str(agents)] == hashlib.sha256(agents.read_bytes()).hexdigest()
    from aethermind.definitions.expressions import JinjaExpressions

    rendered = JinjaExpressions().text(loaded.definition.agents["x"].instructions, {"inputs": {"t": "tides"}})
    assert rendered == "Use {{ mustache }} and {% tags %} as they are.\n\nOn tides."


def test_what_is_wrong_in_a_prompt_file_is_shown_there(tmp_path: Path) -> None:
    put(tmp_path / "p.md", "First line.\nThen {{ nope }}.\n")
    file = put(tmp_path / "w.yaml", "name: w\nsteps: [{id: b, prompt: {file: p.md}}]\n")
    with pytest.raises(InvalidError) as caught:
        load_file(file, cwd=tmp_path)
    assert caught.value.line().startswith("p.md:2:9: unknown name `nope`")


@pytest.mark.parametrize(
    "name,fragment",
    [
        ("../secret.md", "leads outside"),
        ("/etc/passwd", "is absolute"),
        ("~/x", "is absolute"),
        ("link.md", "a link that leads outside"),
        ("dir/secret.md", "a link that leads outside"),
        ("gone.md", "there is no file `gone.md` (did you mean `done.md`?)"),
        ("folder", "is a directory"),
        ("pipe", "no regular file"),
        ("binary", "not UTF-8"),
        ("large", "larger than 1 MiB"),
        ("empty.md", "the prompt is empty"),
        ("loop", "no file"),
    ],
)
def test_prompt_files_that_are_refused(name: str, fragment: str, tmp_path: Path) -> None:
    put(tmp_path / "secret.md", "secret")
    home = tmp_path / "home"
    put(home / "done.md", "x")
    put(home / "empty.md", " \n")
    (home / "folder").mkdir()
    (home / "link.md").symlink_to(tmp_path / "secret.md")
    (home / "dir").symlink_to(tmp_path)
    (home / "loop").symlink_to(home / "loop")
    os.mkfifo(home / "pipe")
    (home / "binary").write_bytes(b"\xff\xfe")
    (home / "large").write_bytes(b"x" * (1 << 20) + b"x")
    file = put(home / "w.yaml", f"name: w\nsteps: [{{id: b, prompt: {{file: {name}}}}}]\n")
    with pytest.raises(InvalidError) as caught:
        load_file(file, cwd=home)
    assert fragment in caught.value.line()
    assert caught.value.line_no is not None


def test_files_that_are_not_there_or_not_for_us(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        load_file(tmp_path / "none.yaml")
    with pytest.raises(InvalidError, match="directory"):
        load_file(tmp_path)
    if os.geteuid():
        (tmp_path / "closed.yaml").touch(mode=0)
        with pytest.raises(DeniedError):
            load_file(tmp_path / "closed.yaml")


def test_a_text_may_name_files_below_the_cwd_only(tmp_path: Path) -> None:
    put(tmp_path / "p.md", "hi")
    text = "name: w\nsteps: [{id: b, prompt: {file: p.md}}]\n"
    assert load_text(text, cwd=tmp_path).definition.steps[0].action.template == "hi"  # type: ignore[union-attr]  # a prompt
    with pytest.raises(InvalidError, match="no file"):
        load_text(text, cwd=tmp_path / "elsewhere")


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


# --- what is not there yet ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "line,what",
    [
        ('  - {id: a, ask: {message: "Go on?", fields: {choice: yes|no}, timeout: 24h}}\n', "ask"),
        ('  - {id: a, approval: {message: "Go on?"}}\n', "approval"),
        ("  - {id: a, prompt: hi, cache: true}\n", "cache"),
        ("  - {id: a, prompt: hi, cache: {ttl: 7d}}\n", "cache"),
        ("  - {id: a, prompt: hi, tools: [files]}\n", "tools"),
    ],
)
def test_not_yet(line: str, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert refused(line).endswith("not in this version yet")
    monkeypatch.delitem(context.NOT_YET, what)
    workflow(line)


def test_what_is_not_there_yet_is_said_last() -> None:
    lines = '  - {id: a, ask: {message: "Go on?"}}\n  - {id: b, value: "{{ nope }}"}\n'
    assert "unknown name `nope`" in refused(lines)


@pytest.mark.parametrize(
    "line", ["  - {id: a, prompt: hi, tools: []}\n", "  - {id: a, prompt: hi, cache: false}\n"]
)
def test_empty_forms_of_it_are_fine(line: str) -> None:
    workflow(line)


@pytest.mark.parametrize(
    "line,fragment",
    [
        ("ask: {mesage: x}", "unknown key `mesage`"),
        ("ask: {message: x, fields: {by: string}}", "cannot be the name of an answer"),
        ("ask: {message: x, fields: {a: strng}}", "is no type"),
        ("ask: {message: x, on_timeout: wait}", "cannot be 'wait'"),
        ("approval: x", "should be a mapping"),
        ("{prompt: x, tools: [{files: {write: maybe}}]}", "cannot be 'maybe'"),
        ("{prompt: x, tools: [hammer]}", "cannot be 'hammer'"),
        ("{prompt: x, tools: [{shell: ask, files: {}}]}", "exactly one of"),
        ("{prompt: x, tools: [{python: search}]}", "is no function"),
        ("{prompt: x, tools: [{mcp: {}}]}", "exactly one of `command` and `url`"),
        (
            "{prompt: x, tools: [{mcp: {command: [x], headers: {A: b}}}]}",
            "belongs to an MCP server with `url`",
        ),
        ("{prompt: x, tools: [{mcp: {url: x}}]}", "is no address"),
        ("{prompt: x, cache: {ttl: 5}}", "has no unit"),
    ],
)
def test_it_is_checked_all_the_same(line: str, fragment: str) -> None:
    body = line.strip("{}") if line.startswith("{prompt") else line
    if line.startswith("{prompt"):
        body = line[1:-1]
    assert fragment in refused(f"  - {{id: a, {body}}}\n")


# --- workflows in workflows --------------------------------------------------------------------


@pytest.fixture
def everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "NOT_YET", {})


@pytest.mark.usefixtures("everything")
def test_a_workflow_in_a_workflow(tmp_path: Path) -> None:
    put(tmp_path / "sub/p.md", "hi {{ inputs.q }}")
    put(
        tmp_path / "sub/other.yaml",
        "name: other\ninputs: {q: string, n: {type: integer, default: 1}}\n"
        "steps: [{id: x, prompt: {file: p.md}}, {id: r, run: [ls], env: {A: $A}}]\n"
        "outputs: {answer: '{{ x }}'}\n",
    )
    file = put(
        tmp_path / "w.yaml",
        "name: w\nsteps:\n  - {id: a, value: 1}\n"
        "  - {id: deep, workflow: ./sub/other.yaml, with: {q: '{{ a }}'}}\n"
        "  - {id: use, value: '{{ deep.answer }}'}\n",
    )
    loaded = load_file(file)
    deep = step(loaded.definition, "deep")
    assert isinstance(deep.action, SubWorkflow)
    assert deep.action.workflow.name == "other"
    assert deep.references == ("a",)
    assert loaded.env_names == ("A",)
    assert loaded.needs_trust == ("step `r` runs `ls` (of ./sub/other.yaml)",)
    assert len(loaded.files) == 2


@pytest.mark.usefixtures("everything")
@pytest.mark.parametrize(
    "line,fragment",
    [
        ("workflow: other.yaml, with: {p: 1}", "`other` has no input `p`"),
        ("workflow: other.yaml", "`other` needs `q` (with: {q: …})"),
        ("workflow: gone.yaml", "there is no file `gone.yaml`"),
        ("workflow: ../w.yaml", "leads outside"),
        ("workflow: self.yaml", "include each other: self.yaml → self.yaml"),
        ("workflow: ping.yaml", "include each other: ping.yaml → pong.yaml → ping.yaml"),
        ("workflow: '{{ x }}.yaml'", "cannot be a template"),
        ("workflow: wrong.yaml", "wrong.yaml:1:1: unknown key `nmae`"),
    ],
)
def test_workflows_that_cannot_be_included(line: str, fragment: str, tmp_path: Path) -> None:
    put(tmp_path / "other.yaml", "name: other\ninputs: {q: string}\nsteps: [{id: x, value: 1}]\n")
    put(tmp_path / "self.yaml", "name: s\nsteps: [{id: x, workflow: self.yaml}]\n")
    put(tmp_path / "ping.yaml", "name: s\nsteps: [{id: x, workflow: pong.yaml}]\n")
    put(tmp_path / "pong.yaml", "name: s\nsteps: [{id: x, workflow: ping.yaml}]\n")
    put(tmp_path / "wrong.yaml", "nmae: s\nsteps: [{id: x, value: 1}]\n")
    file = put(tmp_path / "w.yaml", f"name: w\nsteps: [{{id: deep, {line}}}]\n")
    with pytest.raises(InvalidError) as caught:
        load_file(file)
    assert fragment in caught.value.line()


@pytest.mark.usefixtures("everything")
def test_workflows_cannot_explode(tmp_path: Path) -> None:
    steps = ", ".join(f"{{id: s{n}, workflow: w%d.yaml}}" for n in range(10))
    for level in range(7):
        put(tmp_path / f"w{level}.yaml", f"name: w\nsteps: [{steps.replace('%d', str(level + 1))}]\n")
    put(tmp_path / "w7.yaml", "name: w\nsteps: [{id: x, value: 1}]\n")
    with pytest.raises(InvalidError, match="more than 100,000"):
        load_file(tmp_path / "w0.yaml")


def test_the_loaded_workflow_is_data() -> None:
    loaded = load("name: w\nsteps: [{id: b, value: 1}]\n")
    again: Any = msgspec.json.decode(msgspec.json.encode(loaded), type=LoadedWorkflow)
    assert again == loaded
