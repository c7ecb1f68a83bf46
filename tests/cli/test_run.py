"""`run` in one process: inputs, targets, plans, and what is refused."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import Said

HELLO = """\
name: hello
inputs:
  who: string
  times: {type: integer, default: 1, minimum: 1}
  mood: good|bad?
steps:
  - {id: greet, value: "{{ inputs.who }} x{{ inputs.times }} {{ inputs.mood }}"}
outputs: {text: "{{ greet }}"}
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", list(sys.path))
    for name in ("flows", "pyflow"):  # modules that tests write
        monkeypatch.delitem(sys.modules, name, raising=False)
    (tmp_path / "hello.yaml").write_text(HELLO)
    return tmp_path


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Somebody at a terminal who types this."""

    def typing(text: str) -> None:
        monkeypatch.setattr("aethermind.cli.streams.can_ask", lambda: True)
        monkeypatch.setattr("sys.stdin", io.StringIO(text))

    return typing


# ------------------------------------------------------------------------------ inputs


def test_inputs_from_everywhere(here: Path, said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "in.json").write_text('{"who": "file", "times": 3, "mood": "good"}')
    (here / "who.txt").write_text("Ada")
    assert said("run", "hello.yaml", "--inputs", "in.json", "-q") == (0, "file x3 good\n", "")
    assert (
        said("run", "hello", "--inputs", "in.json", "-i", "who=@who.txt", "-i", "times=2", "-q")[1]
        == "Ada x2 good\n"
    )
    assert said("run", "hello", "-i", "who=@@who", "-q")[1] == "@who x1 \n"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("dürch".encode())))
    assert said("run", "hello", "-i", "who=-", "-q")[1] == "dürch x1 \n"


@pytest.mark.parametrize(
    "arguments, code, told",
    [
        ([], 2, "missing input: who (-i who="),
        (["-i", "who"], 2, "-i 'who' (write name=value, name=@file or name=-)"),
        (["-i", "who=x", "--priority", "1001"], 2, "'--priority'"),
        (["-i", "whu=x"], 2, "there is no input `whu` (did you mean `who`?)"),
        (["-i", "who=x", "-i", "times=many"], 2, "input `times`: 'many' is not a whole number"),
        (["-i", "who=x", "-i", "times=0"], 2, "input `times`"),
        (["-i", "who=x", "-i", "mood=so so"], 2, "input `mood`"),
        (["-i", "who=@nobody.txt"], 3, "nobody.txt does not exist"),
        (["-i", "who=@latin.txt"], 2, "latin.txt:1: not UTF-8"),
        (["-i", "who=-", "-i", "mood=-"], 2, "stdin was already given to who"),
        (["--inputs", "no.json"], 3, "no.json does not exist"),
        (["--inputs", "bad.json"], 2, "bad.json:2:1: not JSON"),
        (["--inputs", "list.json"], 2, "inputs are one JSON object"),
        (["-i", "who=x", "--budget", "-1"], 2, "cannot be negative"),
        (["-i", "who=x", "--limit", "0"], 2, "--limit"),
        (["-i", "who=x", "--set", "steps"], 2, "write a.path.in.the.file=value"),
        (["-i", "who=x", "--set", "stepz.greet.value=1"], 2, "unknown key `stepz`"),
        (["-i", "who=x", "--detach", "--plain"], 2, "--detach waits for nothing"),
        (["-i", "who=x", "--tui"], 2, "--tui needs a terminal"),
        (["-i", "who=x", "--tui", "-q"], 2, "leave the other one out"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_line(
    arguments: list[str], code: int, told: str, here: Path, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "latin.txt").write_bytes(b"caf\xe9")
    (here / "bad.json").write_text('{"who":\n}')
    (here / "list.json").write_text("[1]")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"x")))
    got, out, err = said("run", "hello.yaml", *arguments)
    assert (got, out) == (code, "")
    assert told in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "target, code, told",
    [
        ("hallo", 3, "there is no workflow `hallo` (did you mean `hello`?)"),
        ("nowhere.yaml", 3, "there is no file nowhere.yaml"),
        ("broken.yaml", 2, "broken.yaml:3:13: "),
        ("no_such_module:flow", 3, "there is no module `no_such_module`"),
        ("flows:nothing", 3, "`flows` has no `nothing`"),
        ("flows:number", 2, "is no Workflow but int"),
    ],
)
def test_a_target_that_cannot_be_run(target: str, code: int, told: str, here: Path, said: Said) -> None:
    (here / "broken.yaml").write_text('name: b\nsteps:\n  - {id: a, promt: "hi"}\n')
    (here / "flows.py").write_text("number = 1\n")
    got, _, err = said("run", target)
    assert got == code
    assert told in err
    assert err.count("\n") == 1


def test_a_workflow_written_in_python(here: Path, said: Said) -> None:
    (here / "pyflow.py").write_text(
        "from aethermind import Workflow\n"
        "flow = Workflow('twice', inputs={'n': 'integer'})\n"
        "@flow.step\n"
        "async def double(ctx): return ctx.inputs['n'] * 2\n"
        "@flow.step(depends_on=['double'])\n"
        "async def again(ctx): return ctx.steps['double'].output * 2\n"
    )
    assert said("run", "pyflow:flow", "-i", "n=5", "-q") == (0, "20\n", "")
    assert said("retry", "last", "--from", "again", "-q") == (0, "20\n", "")


def test_set_and_limit_change_the_run(here: Path, said: Said) -> None:
    (here / "wide.yaml").write_text(
        "name: wide\nsteps:\n"
        "  - {id: items, value: [1, 2, 3, 4]}\n"
        "  - {id: each, for_each: '{{ items }}', value: '{{ item * 10 }}'}\n"
        "outputs: {all: '{{ each }}'}\n"
    )
    assert json.loads(said("run", "wide", "-q")[1]) == [10, 20, 30, 40]
    assert json.loads(said("run", "wide", "-q", "--limit", "2")[1]) == [10, 20]
    assert json.loads(said("run", "wide", "-q", "--set", "steps.items.value=[7]")[1]) == [70]


# ------------------------------------------------------------------------------ asking


def test_missing_inputs_are_asked_for_until_they_fit(
    here: Path, said: Said, person: Callable[[str], None]
) -> None:
    text = HELLO.replace("{type: integer, default: 1, minimum: 1}", "{type: integer, minimum: 1, maximum: 9}")
    (here / "hello.yaml").write_text(text)
    person("Ada\nmany\n12\n4\n")
    code, out, err = said("run", "hello.yaml", "-q")
    assert (code, out) == (0, "Ada x4 \n")
    assert err.count("times (a whole number from 1 to 9)") == 3


def test_an_end_of_answers_is_no_traceback(here: Path, said: Said, person: Callable[[str], None]) -> None:
    person("")
    code, out, err = said("run", "hello.yaml")
    assert (code, out) == (130, "")
    assert "Traceback" not in err


SHELL = "name: shell\nsteps: [{id: a, run: [echo, hi]}]\n"


def test_a_file_that_starts_programs_is_refused_until_it_is_trusted(here: Path, said: Said) -> None:
    file = here / "shell.yaml"
    file.write_text(SHELL)
    code, out, err = said("run", "shell.yaml")
    assert (code, out) == (4, "")
    assert "shell.yaml is not trusted, and it starts programs: " in err
    assert "(aethermind trust shell.yaml, or --trust)" in err
    assert json.loads(said("runs", "--json")[1])["items"] == []  # nothing was recorded
    assert said("run", "shell.yaml", "--trust", "-q")[:2] == (0, "hi\n")
    assert said("run", "shell.yaml")[0] == 4  # that was for once
    assert said("trust", "shell.yaml")[0] == 0
    assert said("run", "shell.yaml", "-q")[:2] == (0, "hi\n")
    file.write_text(SHELL.replace("hi", "ho"))
    assert said("run", "shell.yaml", "-q")[0] == 4  # another content


def test_a_person_is_asked_once_about_a_file(here: Path, said: Said, person: Callable[[str], None]) -> None:
    (here / "shell.yaml").write_text(SHELL)
    person("\n")  # no is what an empty line means
    assert said("run", "shell.yaml")[0] == 4
    person("y\n")
    code, out, err = said("run", "shell.yaml", "-q")
    assert (code, out) == (0, "hi\n")
    assert "step `a` runs `echo hi`" in err
    person("")
    assert said("run", "shell.yaml", "-q") == (0, "hi\n", "")


def test_a_directory_of_ones_own_is_trusted_with_all_that_is_in_it(here: Path, said: Said) -> None:
    own = here / "own"
    own.mkdir(mode=0o777)
    own.chmod(0o777)
    assert said("trust", "own")[0] == 4
    own.chmod(0o755)
    assert said("trust", "own")[0] == 0
    (own / "shell.yaml").write_text(SHELL)
    assert said("run", "own/shell.yaml", "-q")[:2] == (0, "hi\n")
    assert said("trust", "nowhere")[0] == 3


def test_the_samples_are_trusted(said: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`release-notes` starts git: in a directory that is no repository it fails, but it is not refused."""
    monkeypatch.chdir(tmp_path)
    assert said("run", "release-notes", "--sim", "-q")[0] == 1


# ------------------------------------------------------------------------------ money


PAID = "name: paid\nsteps: [{id: a, prompt: Say hi., model: 'openai:gpt-5'}]\n"


def test_the_first_run_on_priced_models_is_asked_about(
    here: Path, said: Said, person: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "paid.yaml").write_text(PAID)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-not-a-real-key-000000")
    person("n\n")
    code, out, err = said("run", "paid.yaml")
    assert (code, out) == (4, "")
    assert "openai:gpt-5, estimated $" in err
    assert "go? [y/N]" in err
    assert "nothing was spent" in err
    assert json.loads(said("runs", "--json")[1])["items"] == []


def test_a_model_that_does_not_exist_is_refused_in_simulation_too(here: Path, said: Said) -> None:
    (here / "paid.yaml").write_text(PAID)
    code, out, err = said("run", "paid.yaml", "--sim", "--model", "bogus")
    assert (code, out) == (2, "")
    assert "bogus" in err


def test_a_missing_key_names_its_repair(here: Path, said: Said) -> None:
    (here / "paid.yaml").write_text(PAID)
    assert said("validate", "paid.yaml")[0] == 0
    code, _, err = said("run", "paid.yaml")
    assert code == 2
    assert "aethermind auth openai" in err
    assert said("run", "paid.yaml", "--sim", "-q")[0] == 0


def test_a_run_that_its_budget_holds_waits_and_goes_on_with_a_higher_one(here: Path, said: Said) -> None:
    (here / "dear.yaml").write_text(
        "name: dear\nbudget: {usd: 0.000001}\nsteps: [{id: a, prompt: Say hi at length.}]\n"
    )
    code, out, err = said("run", "dear.yaml", "--sim", "-q")
    assert (code, out) == (5, "")
    run_id = json.loads(said("runs", "--json")[1])["items"][0]["id"]
    assert f"aethermind budget {run_id} USD" in err
    assert json.loads(said("show", "last", "--json")[1])["run"]["status"] == "waiting_budget"
    assert said("budget", "last", "0.000002", "-q")[0] == 5
    code, _, err = said("budget", "last", "0", "-q")
    assert code == 2
    assert "lets run" in err
    assert json.loads(said("show", "last", "--json")[1])["run"]["budget_micro_usd"] == 2
    assert said("budget", "last", "nothing", "-q")[0] == 2
    code, out, _ = said("budget", "last", "1", "-q")
    assert code == 0
    assert out.strip()
    assert json.loads(said("show", "last", "--json")[1])["run"]["budget_micro_usd"] == 1_000_000
    assert said("budget", "last", "2")[0] == 2  # it is over


# ------------------------------------------------------------------------------ plans


def test_a_dry_run_says_what_would_happen_and_does_nothing(here: Path, said: Said) -> None:
    code, out, _ = said("run", "research-brief", "--dry-run", "--sim")
    assert code == 0
    for words in ("research-brief: 10 steps", "findings", "for each, 4 at once", "simulated: nothing"):
        assert words in out
    (here / "shell.yaml").write_text(SHELL)
    code, out, _ = said("run", "shell.yaml", "--dry-run", "--json")
    plan = json.loads(out)["plan"]
    assert code == 0
    assert plan["needs_trust"] == ["step `a` runs `echo hi`"]
    assert [step["id"] for step in plan["steps"]] == ["a"]
    assert json.loads(said("runs", "--json")[1])["items"] == []


def test_a_dry_run_estimates_real_money(here: Path, said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-not-a-real-key-000000")
    code, out, _ = said("run", "research-brief", "--dry-run", "--json")
    assert code == 0
    found: dict[str, Any] = json.loads(out)["plan"]
    assert found["models"]["smart"][0].startswith("openai:")
    estimate = found["estimate"]
    assert 0 < estimate["low_micro_usd"] < estimate["high_micro_usd"]
    assert estimate["items_assumed"] is True  # how many questions the model will find is not known


# ------------------------------------------------------------------------------ how a run ends


FAILING = """\
name: failing
steps:
  - {id: good, value: 1}
  - {id: bad, fail: "no \\e[31mway", depends_on: [good]}
  - {id: after, value: 2, depends_on: [bad]}
"""


def test_a_failed_run_exits_1_and_can_be_retried(here: Path, said: Said) -> None:
    (here / "failing.yaml").write_text(FAILING)
    code, out, err = said("run", "failing.yaml")
    assert (code, out) == (1, "")
    assert "✗ bad  no ␛[31mway" in err
    assert "failed in " in err
    code, out, err = said("run", "failing.yaml", "-q")
    assert (code, out) == (1, "")
    assert err.count("\n") == 1
    assert "bad: no ␛[31mway" in err
    code, out, err = said("retry", "last", "--json")
    assert code == 1
    events = [json.loads(line) for line in out.splitlines()]
    assert events[0]["type"] == "RunReopened"
    assert events[-1]["summary"]["run"]["generation"] == 2
    assert len(next(s for s in events[-1]["summary"]["steps"] if s["id"] == "bad")["attempts"]) == 2
    assert said("retry", "last", "--from", "bda")[0] == 3


def test_resume_of_a_finished_run_shows_it_and_exits_0(here: Path, said: Said) -> None:
    (here / "failing.yaml").write_text(FAILING)
    said("run", "failing.yaml")
    code, out, _ = said("resume", "--json")
    assert code == 0
    (line,) = out.splitlines()
    assert json.loads(line)["summary"]["run"]["status"] == "failed"
    assert said("resume", "r_none")[0] == 3
    assert said("cancel", "last")[0] == 2
    assert said("pause", "last")[0] == 2
    assert said("answer", "last", "bad", "-i", "choice=retry")[0] == 2


def test_resume_takes_the_newest_run_that_is_unfinished(here: Path, said: Said) -> None:
    (here / "dear.yaml").write_text(
        "name: dear\nbudget: {usd: 0.000001}\nsteps: [{id: a, prompt: Say hi at length.}]\n"
    )
    assert said("run", "dear.yaml", "--sim", "-q")[0] == 5
    assert said("run", "hello.yaml", "-i", "who=x", "-q")[0] == 0
    code, _, err = said("resume", "-q")
    assert code == 5
    assert "aethermind budget" in err
    assert said("resume", "last", "-q")[:2] == (0, "x x1 \n")


def test_a_run_without_outputs_prints_nothing(here: Path, said: Said) -> None:
    (here / "none.yaml").write_text("name: none\nsteps: [{id: a, value: null}]\noutputs: {a: '{{ a }}'}\n")
    code, out, _ = said("run", "none.yaml", "-q")
    assert (code, out.strip()) == (0, "")
