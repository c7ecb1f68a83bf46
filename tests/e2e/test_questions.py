"""A question waits as long as it has to, whatever happens to the program, and is decided once."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tests.cli.program import COMMAND, aethermind, effects
from tests.e2e.running import running
from tests.e2e.waiting import PATIENCE, until

ASKS = """\
name: asks
steps:
  - {id: before, run: [sh, -c, "echo before >> effects.txt"]}
  - id: colour
    ask: {message: Which colour?, fields: {choice: red|green}, timeout: 24h}
  - {id: slow, depends_on: [before], on_in_doubt: retry, run: [sh, -c, "echo slow >> effects.txt; cat gate"]}
  - {id: paint, run: [sh, -c, "echo paint >> effects.txt; echo $0", "{{ colour.choice }}"]}
outputs: {painted: "{{ paint }} by {{ colour.by }}", slow: "{{ slow }}"}
"""
LATE = """\
name: late
steps:
  - {id: failing, on_error: continue, ask: {message: Fail?, timeout: 100ms}}
  - {id: skipped, ask: {message: Skip?, timeout: 100ms, on_timeout: skip}}
  - id: assumed
    ask:
      message: Which?
      fields: {choice: {enum: [red, green], default: green}}
      timeout: 100ms
      on_timeout: default
  - {id: patient, ask: {message: Still there?, timeout: 24h}}
outputs: {all: ["{{ failing }}", "{{ skipped }}", "{{ assumed.choice }}", "{{ patient.answer }}"]}
"""


def shown() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(aethermind("show", "last", "--json").stdout)
    return found


def steps() -> dict[str, dict[str, Any]]:
    return {step["id"]: step for step in shown()["steps"]}


def test_it_waits_through_a_crash_and_a_restart(tmp_path: Path) -> None:
    (tmp_path / "asks.yaml").write_text(ASKS)
    os.mkfifo(tmp_path / "gate")
    with running("run", "asks.yaml", "--trust", "--json", cwd=tmp_path) as started:
        opened = started.out.event("AskOpened", step="colour")
        started.out.event("AttemptStarted", step="slow")
        until(lambda: "slow" in effects(tmp_path))
        started.kill()
    # It can be looked at, and is still open.
    (waiting,) = [w for w in shown()["run"]["waiting_for"] if w["step"] == "colour"]
    assert waiting["message"] == "Which colour?"
    with running("resume", "last", "--json", cwd=tmp_path) as again:
        again.out.event("AttemptStarted", step="slow")
        with (tmp_path / "gate").open("w") as gate:
            gate.write("done\n")
        assert again.end() == 5
    assert not [line for line in again.out.lines if '"AskOpened"' in line]  # nobody is asked a second time
    (waiting,) = shown()["run"]["waiting_for"]
    assert waiting["step"] == "colour"
    assert steps()["colour"]["attempts"][0]["status"] == "running"
    assert opened["data"]["expires_at"] > 0

    done = aethermind("answer", "last", "colour", "-i", "choice=red", "--json", cwd=tmp_path, LOGNAME="ada")
    assert done.returncode == 0
    outputs = json.loads(done.stdout.splitlines()[-1])["summary"]["run"]["outputs"]
    assert outputs == {"painted": "red by ada", "slow": "done"}
    assert sorted(effects(tmp_path)) == ["before", "paint", "slow", "slow"]


def test_it_expires_by_its_policy_while_nobody_runs(tmp_path: Path) -> None:
    (tmp_path / "late.yaml").write_text(LATE)
    done = aethermind("run", "late.yaml", cwd=tmp_path)
    assert done.returncode == 5
    # However long that took: what is overdue by now expires when somebody goes on, and not before its time.
    done = aethermind("resume", "last", "--json", cwd=tmp_path)
    assert done.returncode == 5
    summary = json.loads(done.stdout.splitlines()[-1])["summary"]
    assert [w["step"] for w in summary["run"]["waiting_for"]] == ["patient"]
    assert {step["id"]: step["status"] for step in summary["steps"]} == {
        "failing": "failed",
        "skipped": "skipped",
        "assumed": "succeeded",
        "patient": "waiting_answer",
    }
    late = aethermind("answer", "last", "assumed", "-i", "choice=red", cwd=tmp_path)
    assert late.returncode in {2, 4}
    assert late.stderr.count("\n") == 1
    done = aethermind("answer", "last", "patient", "-i", "answer=yes", "-q", cwd=tmp_path)
    assert (done.returncode, json.loads(done.stdout)) == (0, [None, None, "green", "yes"])


def test_two_terminals_that_answer_at_the_same_moment_decide_once(tmp_path: Path) -> None:
    (tmp_path / "asks.yaml").write_text(ASKS.replace("; cat gate", ""))
    assert aethermind("run", "asks.yaml", "--trust", cwd=tmp_path).returncode == 5

    def answering(who: str, choice: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*COMMAND, "answer", "last", "colour", "-i", f"choice={choice}"],
            cwd=tmp_path,
            env=os.environ | {"LOGNAME": who},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    answers = {"ada": "red", "bob": "green"}
    both = {who: answering(who, choice) for who, choice in answers.items()}
    said = {who: process.communicate(timeout=PATIENCE) for who, process in both.items()}
    codes = {who: process.returncode for who, process in both.items()}
    (winner,) = [who for who, code in codes.items() if code == 0]
    (loser,) = answers.keys() - {winner}
    assert json.loads(said[winner][0])["painted"] == f"{answers[winner]} by {winner}"
    assert codes[loser] in {4, 75}, said[loser]
    assert said[loser][1].count("\n") == 1
    if codes[loser] == 75:  # it came while the other one was at it, and is told who that is
        assert str(both[winner].pid) in said[loser][1]
        late = answering(loser, answers[loser])
        said[loser] = late.communicate(timeout=PATIENCE)
        assert late.returncode in {2, 4}
    assert f"decided by {winner}" in said[loser][1]
    # The same decision again is fine, and changes nothing.
    same = answering("carol", answers[winner])
    out, _ = same.communicate(timeout=PATIENCE)
    assert same.returncode == 0, out
    assert steps()["colour"]["output"]["by"] == winner
    assert effects(tmp_path).count("paint") == 1
