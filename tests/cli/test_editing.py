"""Edited files, forks, comparisons and watching, with the real program."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import Said, Started, aethermind

FILE = """\
name: brief
inputs: {topic: {type: string, default: tides}}
agents: {writer: {model: fast}}
steps:
  - {id: plan, model: fast, prompt: "Plan {{ inputs.topic }}"}
  - {id: text, agent: writer, prompt: "Write from {{ plan }}"}
  - {id: framed, value: "<{{ text }}>"}
  - {id: loud, value: "{{ plan }}!"}
outputs: {brief: "{{ framed }}", loud: "{{ loud }}"}
"""
REPLIES = "steps: {plan: plan one, text: text one}\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AETHERMIND_HOME", str(tmp_path / "home"))
    (tmp_path / "brief.yaml").write_text(FILE)
    (tmp_path / "brief.sim.yaml").write_text(REPLIES)
    return tmp_path


def edit(path: Path, old: str, new: str) -> None:
    """As an editor saves: a new file in the place of the old one."""
    text = path.read_text()
    assert old in text
    beside = path.with_suffix(".part")
    beside.write_text(text.replace(old, new))
    beside.replace(path)


def started(stdout: str) -> list[str]:
    """The steps whose attempts were started, in a `--json` stream."""
    events = [json.loads(line) for line in stdout.splitlines()]
    return [e["data"]["step"] for e in events if e.get("type") == "AttemptStarted"]


def summary(stdout: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(stdout.splitlines()[-1])["summary"]
    return found


# ------------------------------------------------------------------------------ resume --edited


def test_an_edited_file_runs_what_changed_and_what_follows(here: Path) -> None:
    done = aethermind("run", "brief.yaml", "--sim", "--json")
    run_id = summary(done.stdout)["run"]["id"]
    same = aethermind("resume", run_id, "--edited", "-q")
    assert (same.returncode, same.stderr) == (0, "")
    assert "the file has not changed" in aethermind("resume", run_id, "--edited").stderr
    assert "changed" not in aethermind("resume", run_id).stderr

    edit(here / "brief.yaml", "Write from", "Write well from")
    told = aethermind("resume", run_id)
    assert (told.returncode, told.stderr.splitlines()[0]) == (
        0,
        "the file has changed since: --edited adopts it",
    )
    (elsewhere := here / "elsewhere").mkdir()
    done = aethermind("resume", run_id, "--edited", "--json", cwd=elsewhere)
    assert done.returncode == 0
    assert done.stderr == "keeps plan, loud; runs text, framed\n"
    assert started(done.stdout) == ["text", "framed"]
    found = summary(done.stdout)
    assert found["run"]["id"] == run_id
    assert {s["id"]: len(s["attempts"]) for s in found["steps"]} == {
        "plan": 1,
        "text": 2,
        "framed": 2,
        "loud": 1,
    }
    assert "changed" not in aethermind("resume", run_id).stderr  # it is adopted
    # Back to the text that the run was made from: that is an edit of what it adopted.
    (here / "brief.yaml").write_text(FILE)
    assert "the file has changed since" in aethermind("resume", run_id).stderr


def test_only_other_outputs_run_nothing(here: Path, said: Said) -> None:
    said("run", "brief.yaml", "--sim")
    edit(here / "brief.yaml", '"{{ loud }}"}', '"{{ loud }}!"}')
    code, out, err = said("resume", "last", "--edited")
    assert (code, json.loads(out)["loud"]) == (0, "plan one!!")
    assert err.startswith("keeps plan, text, framed, loud; runs nothing\n")


def test_a_failed_run_goes_on_with_its_mended_file(here: Path, said: Said) -> None:
    edit(here / "brief.yaml", 'value: "<{{ text }}>"', 'fail: "no frame for {{ text }}"')
    edit(here / "brief.yaml", 'brief: "{{ framed }}", ', "")
    assert said("run", "brief.yaml", "--sim")[0] == 1
    (here / "brief.yaml").write_text(FILE)
    code, out, err = said("resume", "last", "--edited")
    assert (code, json.loads(out)) == (0, {"brief": "<text one>", "loud": "plan one!"})
    assert err.splitlines()[0] == "keeps plan, text, loud; runs framed"


def test_settings_change_what_an_edited_run_does(here: Path, said: Said) -> None:
    said("run", "brief.yaml", "--sim")
    assert said("resume", "last", "--set", "steps.loud.value=x")[0] == 2
    code, out, err = said("resume", "last", "--edited", "--set", "steps.loud.value=quiet")
    assert (code, json.loads(out)["loud"]) == (0, "quiet")
    assert err.startswith("keeps plan, text, framed; runs loud\n")


def test_edits_that_cannot_be_adopted(here: Path, said: Said) -> None:
    said("run", "brief.yaml", "--sim")
    edit(here / "brief.yaml", "inputs: {", "inputs: {mood: string, ")
    code, _, err = said("resume", "last", "--edited")
    assert code == 2
    assert re.search(r"no value for: mood \(aethermind fork r_\w+ --at STEP --edited -i mood=…\)", err)
    (here / "brief.yaml").write_text(FILE.replace("value: ", "valu: "))
    code, _, err = said("resume", "last", "--edited")
    assert (code, len(err.splitlines())) == (2, 1)
    assert re.search(r"brief\.yaml:7:18: .*did you mean `value`", err), err
    assert "the file has changed since" in said("resume", "last")[2]
    (here / "brief.yaml").unlink()
    code, _, err = said("resume", "last", "--edited")
    assert (code, "brief.yaml" in err) == (3, True)
    assert said("resume", "last")[0] == 0


def test_an_edit_that_starts_programs_is_asked_about_again(here: Path, said: Said) -> None:
    said("run", "brief.yaml", "--sim")
    edit(here / "brief.yaml", 'value: "{{ plan }}!"', "run: [echo, hello]")
    for arguments in (
        ["resume", "last", "--edited"],
        ["fork", "last", "--at", "loud", "--edited"],
    ):
        code, out, err = said(*arguments)
        assert (code, out) == (4, "")
        assert "not trusted" in err
    code, out, _ = said("resume", "last", "--edited", "--trust")
    assert (code, json.loads(out)["loud"]) == (0, "hello")


def test_a_run_without_a_file_has_none_to_edit(here: Path, said: Said) -> None:
    (here / "sdk.py").write_text(
        "import asyncio\n"
        "from aethermind import AgentRuntime, Workflow\n"
        "flow = Workflow('noop')\n"
        "@flow.step\n"
        "async def a(ctx): return 1\n"
        "async def main():\n"
        f"    async with AgentRuntime(db={str(here / 'home' / 'aethermind.db')!r}) as runtime:\n"
        "        await runtime.execute_workflow(flow, inputs={})\n"
        "asyncio.run(main())\n"
    )
    import subprocess

    (here / "home").mkdir(mode=0o700)
    subprocess.run([sys.executable, "sdk.py"], check=True, timeout=40, cwd=here)
    for arguments in (["resume", "last", "--edited"], ["fork", "last", "--at", "a", "--set", "steps.a.x=1"]):
        code, _, err = said(*arguments)
        assert (code, "was not made from a file" in err) == (2, True), err


# ------------------------------------------------------------------------------ fork


def test_a_fork_takes_over_what_is_not_downstream(here: Path) -> None:
    old = summary(aethermind("run", "brief.yaml", "--sim", "--json").stdout)["run"]
    done = aethermind("fork", "last", "--at", "text", "--json", "--budget", "0.5")
    assert done.stderr == f"fork of {old['id']}: takes over plan, loud; runs text, framed\n"
    assert started(done.stdout) == ["text", "framed"]
    new = summary(done.stdout)["run"]
    assert new["id"] != old["id"]
    assert (new["status"], new["simulated"], new["budget_micro_usd"]) == ("succeeded", True, 500_000)
    assert new["outputs"] == old["outputs"]
    assert 0 < new["cost_micro_usd"] < old["cost_micro_usd"]
    assert json.loads(aethermind("show", old["id"], "--json").stdout)["run"] == old


def test_a_fork_with_other_inputs_outputs_and_models(here: Path, said: Said) -> None:
    said("run", "brief.yaml", "--sim")
    (here / "mine.txt").write_text("mine")
    code, out, err = said("fork", "last", "--at", "text", "--output", "text=@mine.txt")
    assert (code, json.loads(out)["brief"]) == (0, "<mine>")
    assert err.splitlines()[0].endswith("takes over plan, text, loud; runs framed")
    code, out, _ = said("fork", "last", "--at", "plan", "-i", "topic=moons", "--model", "smart", "--json")
    found = summary(out)
    assert (code, found["run"]["inputs"]) == (0, {"topic": "moons"})
    assert {call["model"] for s in found["steps"] for a in s["attempts"] for call in a["model_calls"]} == {
        "smart"
    }


def test_a_fork_of_an_edited_file(here: Path, said: Said) -> None:
    said("run", "brief.yaml", "--sim")
    edit(here / "brief.yaml", '"{{ plan }}!"', '"{{ plan }}?"')
    edit(here / "brief.yaml", "inputs: {", "inputs: {mood: string, ")
    (here / "brief.sim.yaml").write_text(REPLIES.replace("text one", "text two"))
    code, _, err = said("fork", "last", "--at", "text", "--edited")
    assert (code, "missing input: mood" in err) == (2, True)
    code, out, err = said("fork", "last", "--at", "text", "--edited", "-i", "mood=good")
    assert (code, json.loads(out)) == (0, {"brief": "<text two>", "loud": "plan one!"})
    assert err.splitlines()[1] == "changed, and taken over as it was: loud (--at runs it again)"
    code, out, err = said("fork", "last", "--at", "text", "--set", "steps.framed.value={{ text }}")
    assert (code, json.loads(out)["brief"]) == (0, "text two")
    assert "the file has changed since" not in err  # the fork was made of it


@pytest.mark.parametrize(
    "arguments, code, told",
    [
        (["--at", "tex"], 3, "has no step 'tex'"),
        ([], 2, "Missing option '--at'"),
        (["--at", "text", "--output", "txt=1"], 3, "there is no step 'txt' to give an output"),
        (["--at", "text", "--output", "text"], 2, "write step=value"),
        (["--at", "text", "--output", "framed=x"], 2, "framed is downstream of text"),
        (["--at", "text", "--output", "list=x"], 2, "--output list: this is no JSON (it is a list (JSON))"),
        (["--at", "text", "--output", 'list={"a": 1}'], 2, "--output list: "),
        (["--at", "text", "-i", "topik=x"], 2, "there is no input `topik` (did you mean `topic`?)"),
        (["--at", "text", "--set", "steps.nobody.value=1"], 2, "nobody"),
    ],
)
def test_wrong_forks(here: Path, said: Said, arguments: list[str], code: int, told: str) -> None:
    edit(here / "brief.yaml", "outputs:", "  - {id: list, for_each: [1], value: '{{ item }}'}\noutputs:")
    said("run", "brief.yaml", "--sim")
    got, out, err = said("fork", "last", *arguments)
    assert (got, out) == (code, "")
    assert told in err
    assert len(json.loads(said("runs", "--json")[1])["items"]) == 1


# ------------------------------------------------------------------------------ retry --from, diff


def test_retry_from_a_step_that_succeeded(here: Path, said: Said) -> None:
    said("run", "brief.yaml", "--sim")
    code, out, _ = said("retry", "last", "--from", "text", "--json")
    assert (code, started(out)) == (0, ["text", "framed"])


def test_two_runs_side_by_side(here: Path, said: Said) -> None:
    left = summary(said("run", "brief.yaml", "--sim", "--json")[1])["run"]
    right = summary(said("fork", "last", "--at", "text", "--output", "text=mine", "--json")[1])["run"]
    found = json.loads(said("diff", left["id"], right["id"], "--json")[1])
    assert found["runs"] == [left, right]
    assert found["outputs"] == [
        {"name": "brief", "same": False, "left": "<text one>", "right": "<mine>"},
        {"name": "loud", "same": True, "left": "plan one!", "right": "plan one!"},
    ]
    steps = {step["id"]: step for step in found["steps"]}
    assert list(steps) == ["plan", "text", "framed", "loud"]
    assert (steps["text"]["left"]["attempts"], steps["text"]["right"]["attempts"]) == (1, 0)
    assert steps["text"]["left"]["cost_micro_usd"] > 0
    assert steps["text"]["right"]["cost_micro_usd"] is None
    assert [steps[name]["left"]["output_same"] for name in steps] == [True, False, False, True]
    assert [name for name in steps if steps[name]["taken_over"]] == ["plan", "loud"]
    assert found["cost_micro_usd"] == [left["cost_micro_usd"], right["cost_micro_usd"]]
    assert found["duration_ms"] == [left["duration_ms"], right["duration_ms"]]

    code, out, _ = said("diff", left["id"], right["id"])
    assert code == 0
    assert f"--- brief ({left['id']})" in out
    assert "-<text one>\n+<mine>" in out
    assert f"fork of {left['id']}" in out
    assert "(sim: notional)" in out
    assert re.search(r"^text +succeeded +differs +1 → 0 ", out, re.MULTILINE)

    (here / "brief.sim.yaml").write_text(REPLIES.replace("text one", "text two"))
    other = summary(said("run", "brief.yaml", "--sim", "--json")[1])["run"]["id"]
    out = said("diff", left["id"], other)[1]
    assert [line.split()[0] for line in out.splitlines() if "differs" in line] == ["text", "framed"]
    assert not re.search(r"^(plan|loud) ", out, re.MULTILINE)
    assert "2 more steps the same" in out
    assert re.search(r"^loud ", said("diff", left["id"], other, "--all")[1], re.MULTILINE)

    code, out, _ = said("diff", left["id"], left["id"])
    assert (code, "4 steps the same" in out) == (0, True)
    assert said("diff", left["id"], "r_nobody")[0] == 3


def test_runs_of_different_workflows(here: Path, said: Said) -> None:
    (here / "other.yaml").write_text("name: other\nsteps: [{id: only, value: [1, 2]}]\n")
    said("run", "brief.yaml", "--sim")
    left = json.loads(said("runs", "--json")[1])["items"][0]["id"]
    said("run", "other.yaml")
    found = json.loads(said("diff", left, "last", "--json")[1])
    assert [step["left"] is None for step in found["steps"]] == [False] * 4 + [True]
    out = said("diff", left, "last")[1]
    assert "+[\n" in out
    assert "+  1,\n" in out
    assert re.search(r"^only +— → succeeded", out, re.MULTILINE)


# ------------------------------------------------------------------------------ run --watch


def test_watching_runs_what_a_saved_edit_changed(here: Path) -> None:
    (here / "p.md").write_text("Write from {{ plan }}")
    edit(here / "brief.yaml", 'prompt: "Write from {{ plan }}"', "prompt: {file: p.md}")
    watch = Started("run", "brief.yaml", "--sim", "--watch", cwd=here)
    watch.until("watching brief.yaml", "Ctrl-C ends")

    edit(here / "brief.yaml", "<{{ text }}>", "[{{ text }}]")
    watch.until("keeps plan, text, loud; runs framed")
    watch.until("watching")
    (here / "p.md").write_text("Write better from {{ plan }}")  # an included file
    watch.until("keeps plan, loud; runs text, framed")
    watch.until("watching")

    # An edit that can't be run: one line, and it goes on; a file that is missing is waited for, too.
    edit(here / "brief.yaml", "{file: p.md}", "{file: q.md}")
    assert re.match(r".*brief\.yaml:\d+:\d+: there is no file `q\.md`", watch.until("there is no file"))
    (here / "q.md").write_text("Write {{ plan }}!")
    watch.until("runs text, framed")
    watch.until("watching")

    # Other simulated replies: a new run, which takes over what they don't concern.
    (here / "brief.sim.yaml").write_text(REPLIES.replace("text one", "text two"))
    watch.until("fork of", "takes over plan, loud; runs text, framed")
    watch.until("watching")
    (here / "brief.sim.yaml").write_text(REPLIES.replace("text one", "text two") + "seed: 3\n")
    watch.until("takes over nothing; runs plan, text, framed, loud")
    watch.until("watching")

    # Nobody holds the data while it waits; a run that failed is its last state.
    assert aethermind("retry", "last", "--from", "loud").returncode == 0
    edit(here / "brief.yaml", 'value: "[{{ text }}]"', "fail: enough")
    edit(here / "brief.yaml", 'brief: "{{ framed }}", ', "")
    watch.until("failed")
    watch.until("watching")
    watch.signal(signal.SIGINT)
    code, out, _ = watch.end()
    assert code == 1
    texts = [json.loads(block)["brief"] for block in re.findall(r"^\{.*?^\}", out, re.MULTILINE | re.DOTALL)]
    assert texts == ["<text one>", *["[text one]"] * 3, *["[text two]"] * 2]
    runs = json.loads(aethermind("runs", "--json").stdout)["items"]
    assert len(runs) == 3


def test_watching_sees_what_was_saved_while_it_ran_and_ends_with_0(here: Path) -> None:
    os.mkfifo(here / "gate")
    (here / "gated.yaml").write_text(
        'name: gated\nsteps:\n  - {id: held, run: [cat, gate]}\n  - {id: said, value: "{{ held }} one"}\n'
    )
    watch = Started("run", "gated.yaml", "--watch", "--trust", "--json", cwd=here)
    gate = os.open(here / "gate", os.O_WRONLY)  # returns when `cat` reads
    edit(here / "gated.yaml", "one", "two")
    os.write(gate, b"held")
    os.close(gate)
    watch.until("keeps held; runs said")
    watch.until("watching")
    watch.signal(signal.SIGINT)
    code, out, _ = watch.end()
    assert code == 0
    told = [json.loads(line)["summary"]["run"]["outputs"] for line in out.splitlines() if "summary" in line]
    assert [next(iter(outputs.values())) for outputs in told] == ["held one", "held two"]


@pytest.mark.parametrize("arguments", [["--dry-run"], ["--tui"]])
def test_what_cannot_be_watched(here: Path, said: Said, arguments: list[str]) -> None:
    assert said("run", "brief.yaml", "--watch", *arguments)[0] == 2
