"""Files that a workflow names: prompts, instructions, other workflows."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from aethermind.definitions.loader import load_file, load_text
from aethermind.domain.errors import DeniedError, InvalidError, NotFoundError
from aethermind.domain.workflow import Prompt, SubWorkflow
from tests.definitions.helpers import put, step


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


# --- workflows in workflows --------------------------------------------------------------------


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


def test_workflows_cannot_explode(tmp_path: Path) -> None:
    steps = ", ".join(f"{{id: s{n}, workflow: w%d.yaml}}" for n in range(10))
    for level in range(7):
        put(tmp_path / f"w{level}.yaml", f"name: w\nsteps: [{steps.replace('%d', str(level + 1))}]\n")
    put(tmp_path / "w7.yaml", "name: w\nsteps: [{id: x, value: 1}]\n")
    with pytest.raises(InvalidError, match="more than 100,000"):
        load_file(tmp_path / "w0.yaml")
