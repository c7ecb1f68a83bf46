"""kill -9 in the middle of everything, and going on: nothing is done twice, nobody survives."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import aethermind, effects
from tests.e2e.models import Answer, Gate, Models, models
from tests.e2e.running import running
from tests.e2e.waiting import gone, is_alive, lines, until
from tests.servers.wires import Counts

WORKFLOW = """\
name: crash
defaults: {model: "ollama:llama-local"}
steps:
  - {id: paid, prompt: "<<paid>>"}
  - {id: built, run: [sh, -c, "echo built >> effects.txt; echo b"]}
  - {id: think, prompt: "<<think>> {{ paid }}", settings: {max_tokens: 500}}
  - id: deploy
    depends_on: [built]
    run: [sh, family.sh, deploy]
  - id: again
    depends_on: [built]
    on_in_doubt: retry
    run: [sh, family.sh, again]
  - {id: last, run: [sh, -c, "echo last >> effects.txt; echo l"], depends_on: [deploy, again]}
outputs: {all: "{{ paid }} {{ think }} {{ deploy }} {{ again }} {{ last }}"}
"""
# A command with a child in its group, one in a session of its own and one that nobody is the parent of any
# more; none of them hears SIGTERM or SIGHUP. With `free` in the directory it ends at once.
FAMILY = """\
echo $1 >> effects.txt
if [ -e free ]; then echo "$1 done"; exit; fi
trap '' TERM HUP
FOREVER='
import os, signal, sys
for number in (signal.SIGTERM, signal.SIGHUP): signal.signal(number, signal.SIG_IGN)
if "session" in sys.argv[2]: os.setsid()
if "orphan" in sys.argv[2] and os.fork(): os._exit(0)
open(sys.argv[1], "a").write(f"{os.getpid()}\\n")
while True: signal.pause()
'
for kind in child session session-orphan; do PYTHON -I -S -c "$FOREVER" pids.txt $kind & done
echo $$ >> pids.txt
while :; do wait; done
"""
CONFIG = """\
[prices."ollama:llama-local"]
input = 2
output = 8
"""
FAMILY_SIZE = 4


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def served(gate: Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Models]:
    """The models; `think` stops in the middle of its answer."""
    (tmp_path / "crash.yaml").write_text(WORKFLOW)
    (tmp_path / "family.sh").write_text(FAMILY.replace("PYTHON", shlex.quote(sys.executable)))
    (tmp_path / "config.toml").write_text(CONFIG)
    answers = {
        "paid": Answer("P", Counts(input=100, output=10)),
        "think": Answer("thought through", Counts(input=200, output=20), gate=gate),
    }
    monkeypatch.setenv("AETHERMIND_CONFIG", str(tmp_path / "config.toml"))
    with models(answers) as (asked, _):
        yield asked
    for pid in map(int, lines(tmp_path / "pids.txt")):
        if is_alive(pid) and is_ours(pid):  # it should not have survived, and does not survive the test
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def is_ours(pid: int) -> bool:
    """Not somebody who was given the number since."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return b"pids.txt" in command or b"family.sh" in command


def summary(printed: str) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """The run, and its steps by id, of what `show --json` prints, or last of all `resume --json`."""
    found = json.loads(printed.splitlines()[-1])
    found = found.get("summary", found)
    return found["run"], {step["id"]: step for step in found["steps"]}


def whole_family(directory: Path) -> list[str] | None:
    """The pids of both commands and of all that descends from them, once all are there."""
    found = lines(directory / "pids.txt")
    return found if len(found) == 2 * FAMILY_SIZE else None


def test_kill_minus_nine_and_going_on(served: Models, gate: Gate, tmp_path: Path) -> None:
    with running("run", "crash.yaml", "--trust", "--json", cwd=tmp_path) as started:
        gate.wait()
        pids = until(lambda: whole_family(tmp_path))
        started.out.event("CallStarted", step="think")
        family = [int(pid) for pid in pids]
        assert all(map(is_alive, family))
        started.kill()
    assert gone(family, seconds=2) == []
    assert sorted(effects(tmp_path)) == ["again", "built", "deploy"]
    run, _ = summary(aethermind("show", "last", "--json").stdout)
    assert run["status"] == "interrupted"

    # It goes on as far as it can: the prompt is asked once more, `again` runs again, `deploy` waits.
    gate.open()
    (tmp_path / "free").touch()
    done = aethermind("resume", "last", "--json", cwd=tmp_path)
    assert done.returncode == 5
    (line,) = done.stderr.splitlines()
    run, steps = summary(done.stdout)
    assert sorted(effects(tmp_path)) == ["again", "again", "built", "deploy"]
    assert served.asked == ["paid", "think", "think"]
    assert run["status"] == "parked"
    assert {name: step["status"] for name, step in steps.items()} == {
        "paid": "succeeded",
        "built": "succeeded",
        "think": "succeeded",
        "deploy": "in_doubt",
        "again": "succeeded",
        "last": "pending",
    }
    assert [asked_about["step"] for asked_about in run["waiting_for"]] == ["deploy"]

    # What the lost call may have cost is told apart from what the others did cost.
    lost, repeated = steps["think"]["attempts"]
    assert (lost["status"], lost["possibly_billed_twice"], lost["usage"]) == ("lost", True, None)
    assert (repeated["status"], repeated["possibly_billed_twice"]) == ("succeeded", False)
    assert repeated["model_calls"][0]["text"] == "thought through"
    (call,) = lost["model_calls"]
    assert call["status"] == "lost"
    assert call["reserved_micro_usd"] >= 500 * 8  # at least all the output it was allowed
    assert run["at_most_micro_usd"] == call["reserved_micro_usd"]
    assert run["cost_micro_usd"] == (100 * 2 + 10 * 8) + (200 * 2 + 20 * 8)

    # The line to type, typed.
    typed = shlex.split(line[line.index("aethermind answer") :].partition(" (")[0])
    done = aethermind(*typed[1:], cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "P thought through deploy done again done l\n")
    assert "at most $" in done.stderr
    assert sorted(effects(tmp_path)) == ["again", "again", "built", "deploy", "deploy", "last"]
    assert served.asked == ["paid", "think", "think"]
    run, steps = summary(aethermind("show", "last", "--json").stdout)
    assert run["status"] == "succeeded"
    assert [attempt["status"] for attempt in steps["deploy"]["attempts"]] == ["lost", "succeeded"]
    assert run["at_most_micro_usd"] == call["reserved_micro_usd"]
    (row,) = json.loads(aethermind("costs", "--by", "run", "--json").stdout)["items"]
    assert row["cost_micro_usd"] == run["cost_micro_usd"]
    assert row["usage"] == run["usage"]
