"""The program from outside: what it prints where, what it records, how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.cli.program import Started, aethermind, effects, gate, quick


def events_of(stdout: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The event lines and the summary of `--json`."""
    *lines, last = [json.loads(line) for line in stdout.splitlines()]
    assert set(last) == {"summary"}
    return lines, last["summary"]


def test_the_research_sample_overlaps_and_everything_agrees_with_its_summary(tmp_path: Path) -> None:
    sample = quick("research-brief", tmp_path)
    done = aethermind("run", str(sample), "-i", "topic=tides", "--sim", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    events, summary = events_of(done.stdout)
    run = summary["run"]
    assert run["status"] == "succeeded"
    assert run["simulated"] is True
    assert run["inputs"]["topic"] == "tides"

    # Events: those of this run in order, from its creation to its end.
    assert {event["stream"] for event in events} == {f"run/{run['id']}"}
    assert [e["seq"] for e in events] == sorted({e["seq"] for e in events})
    facts = [event for event in events if event["type"] != "LogWritten"]
    assert [event["version"] for event in facts] == list(range(1, len(facts) + 1))
    assert (facts[0]["type"], facts[-1]["type"]) == ("RunCreated", "RunSucceeded")

    # Steps overlap where the DAG allows.
    spans = [
        (attempt["started_at"], attempt["finished_at"])
        for step in summary["steps"]
        for attempt in step["attempts"]
        if step["id"].startswith("research/")
    ]
    assert (
        sum(one[0] < other[1] and other[0] < one[1] for one in spans for other in spans if one < other) >= 3
    )

    # The 429 healed: a second attempt, and both are counted.
    retried = [step for step in summary["steps"] if len(step["attempts"]) == 2]
    assert [step["status"] for step in retried] == ["succeeded"]
    assert retried[0]["attempts"][0]["error"]["kind"] == "rate_limit"

    # Usage and cost add up over the attempts.
    attempts = [attempt for step in summary["steps"] for attempt in step["attempts"]]
    for name, total in run["usage"].items():
        assert total == sum(attempt["usage"][name] for attempt in attempts)
    assert run["usage"]["output_tokens"] > 0
    assert run["cost_micro_usd"] == sum(attempt["cost_micro_usd"] or 0 for attempt in attempts) > 0
    assert run["unpriced_calls"] == 0

    # show, the run list, logs and costs agree.
    assert json.loads(aethermind("show", "last", "--json").stdout) == summary
    (row,) = json.loads(aethermind("runs", "--json").stdout)["items"]
    for name in ("id", "status", "usage", "cost_micro_usd", "created_at", "finished_at", "duration_ms"):
        assert row[name] == run[name], name
    costs = json.loads(aethermind("costs", "--sim", "--json").stdout)["items"]
    assert sum(item["cost_micro_usd"] for item in costs) == run["cost_micro_usd"]
    for name, total in run["usage"].items():
        assert sum(item["usage"][name] for item in costs) == total
    assert json.loads(aethermind("costs", "--json").stdout)["items"] == []  # no real money
    logs = json.loads(aethermind("logs", "last", "--json").stdout)["items"]
    written = [event for event in events if event["type"] == "LogWritten"]
    assert [log["seq"] for log in logs] == [event["seq"] for event in written]
    assert any("429" in log["message"] for log in logs)
    tree = aethermind("show", run["id"][:5], "--tree").stdout
    for step in summary["steps"]:
        assert step["id"].rpartition("/")[2].rpartition("[")[0] in tree or step["id"] in tree


def test_quiet_gives_the_output_alone_ready_for_a_pipe(tmp_path: Path) -> None:
    sample = quick("research-brief", tmp_path)
    done = aethermind("run", str(sample), "--sim", "-q")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("# ")
    assert aethermind("show", "last", "--output", "brief").stdout.strip() == done.stdout.strip()


def test_several_outputs_in_a_pipe_are_one_json_object(tmp_path: Path) -> None:
    (tmp_path / "two.yaml").write_text(
        "name: two\nsteps: [{id: a, value: 1}, {id: b, value: [x]}]\noutputs: {a: '{{ a }}', b: '{{ b }}'}\n"
    )
    done = aethermind("run", "two.yaml", cwd=tmp_path)
    assert done.returncode == 0
    assert json.loads(done.stdout) == {"a": 1, "b": ["x"]}
    assert "✓ a" in done.stderr


def test_a_closed_stdout_stops_nothing(tmp_path: Path) -> None:
    sample = quick("research-brief", tmp_path)
    for arguments in (["--json"], []):
        reader, writer = os.pipe()
        os.close(reader)
        started = Started("run", str(sample), "--sim", *arguments, stdout=writer)
        os.close(writer)
        code, _, _ = started.end()
        assert code == 0
        row = json.loads(aethermind("runs", "--json", "--limit", "1").stdout)["items"][0]
        assert row["status"] == "succeeded"


def test_a_diff_in_a_pipe_becomes_an_input(tmp_path: Path) -> None:
    (tmp_path / "count.yaml").write_text(
        "name: count\ninputs: {text: string, note: string}\n"
        "steps: [{id: n, run: [wc, -l], stdin: '{{ inputs.text }}'}]\n"
        "outputs: {n: '{{ n }}{{ inputs.note }}'}\n"
    )
    (tmp_path / "note.txt").write_text("!")
    done = aethermind(
        "run",
        "count.yaml",
        "-i",
        "text=-",
        "-i",
        "note=@note.txt",
        "--trust",
        "-q",
        cwd=tmp_path,
        stdin="a\nb\n",
    )
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, ["2!"], "")


# ------------------------------------------------------------------------------ interrupting, going on


def test_ctrl_c_lets_steps_end_and_resume_goes_on(tmp_path: Path) -> None:
    pipe, target = gate(tmp_path)
    started = Started("run", str(target), "--trust", cwd=tmp_path)
    started.until("middle", "started")
    started.signal(signal.SIGINT)
    started.until("stopping")
    pipe.write_text("two\n")  # the step may still end
    code, out, err = started.end()
    assert (code, out) == (130, "")
    assert "to go on: aethermind resume r_" in err
    assert effects(tmp_path) == ["first", "middle"]
    (row,) = json.loads(aethermind("runs", "--json").stdout)["items"]
    assert row["status"] == "interrupted"

    done = aethermind("resume", "--json", cwd=tmp_path)
    assert done.returncode == 0
    events, summary = events_of(done.stdout)
    assert "RunCreated" not in {event["type"] for event in events}  # only what is new
    assert summary["run"]["outputs"] == {"all": "one two three"}
    assert effects(tmp_path) == ["first", "middle", "last"]

    again = aethermind("resume", cwd=tmp_path)
    assert (again.returncode, again.stdout) == (0, "one two three\n")
    assert effects(tmp_path) == ["first", "middle", "last"]


def test_a_second_ctrl_c_stops_at_once_and_a_command_in_flight_is_asked_about(tmp_path: Path) -> None:
    pipe, target = gate(tmp_path)
    started = Started("run", str(target), "--trust", cwd=tmp_path)
    started.until("middle", "started")
    with pipe.open("w"):  # opens when the child has opened its end: it runs now
        started.signal(signal.SIGTERM)
        started.until("stopping")
        started.signal(signal.SIGINT)
        code, out, err = started.end()
    assert (code, out) == (130, "")
    assert "stopped at once" in err

    done = aethermind("resume", "last", cwd=tmp_path)
    assert done.returncode == 5
    line = next(line for line in done.stderr.splitlines() if "aethermind answer" in line)
    typed = line[line.index("aethermind answer") :].split(" (")[0].split()[1:]
    (row,) = json.loads(aethermind("runs", "--json").stdout)["items"]
    assert row["status"] == "parked"
    shown = json.loads(aethermind("show", "last", "--json").stdout)
    assert [asked["step"] for asked in shown["run"]["waiting_for"]] == ["middle"]
    statuses = {step["id"]: step["status"] for step in shown["steps"]}
    assert statuses == {"first": "succeeded", "middle": "in_doubt", "last": "pending"}

    (tmp_path / "gate").unlink()
    (tmp_path / "gate").write_text("again\n")  # this time nothing to wait for
    done = aethermind(*typed, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "one again three\n")
    assert effects(tmp_path) == ["first", "middle", "middle", "last"]


def test_kill_minus_nine_loses_no_step_and_leaves_no_child(tmp_path: Path) -> None:
    pipe, target = gate(tmp_path)
    target.write_text(target.read_text().replace("cat gate", "echo $$ > child; cat gate"))
    started = Started("run", str(target), "--trust", cwd=tmp_path)
    started.until("middle", "started")
    with pipe.open("w"):  # opens when the child has opened its end: it runs now
        started.signal(signal.SIGKILL)
        started.end()
    done = aethermind("resume", cwd=tmp_path)
    assert done.returncode == 5
    child = int((tmp_path / "child").read_text())
    assert not alive(child)
    done = aethermind("answer", "last", "middle", "-i", "choice=skip", cwd=tmp_path)
    assert done.returncode == 0
    assert effects(tmp_path) == ["first", "middle", "last"]


def test_acting_on_a_run_that_nobody_drives(tmp_path: Path) -> None:
    pipe, target = gate(tmp_path)
    started = Started("run", str(target), "--trust", cwd=tmp_path)
    started.until("middle", "started")
    with pipe.open("w"):  # opens when the child has opened its end: it runs now
        started.signal(signal.SIGKILL)
        started.end()
    early = aethermind("answer", "last", "middle", "-i", "choice=skip", cwd=tmp_path)
    assert early.returncode == 2
    assert "(aethermind resume r_" in early.stderr
    done = aethermind("cancel", "last", "--step", "last", "--json", cwd=tmp_path)
    assert done.returncode == 0
    assert json.loads(done.stdout)["run"]["status"] == "interrupted"
    done = aethermind("pause", "last", "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["run"]["status"] == "paused"
    assert aethermind("cancel", "last", "--step", "lst", cwd=tmp_path).returncode == 3
    assert aethermind("resume", cwd=tmp_path).returncode == 5
    only = aethermind("answer", "last", "middle", "-i", "choice=fail", "--only", cwd=tmp_path)
    assert (only.returncode, only.stdout[:8]) == (0, "recorded")
    again = aethermind("answer", "last", "middle", "-i", "choice=retry", cwd=tmp_path)
    assert again.returncode == 4  # decided is decided
    done = aethermind("cancel", "last", "--reason", "enough", "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["run"]["status"] == "cancelled"
    assert aethermind("resume", cwd=tmp_path).returncode == 0
    assert effects(tmp_path) == ["first", "middle"]  # neither again nor further


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not state.exists() or ") Z " not in state.read_text()


def test_a_lost_terminal_stops_nothing(tmp_path: Path) -> None:
    pipe, target = gate(tmp_path)
    started = Started("run", str(target), "--trust", cwd=tmp_path)
    started.until("middle", "started")
    started.signal(signal.SIGHUP)
    pipe.write_text("two\n")
    code, out, _ = started.end()
    assert (code, out) == (0, "one two three\n")


def test_a_reader_that_stalls_does_not_hold_up_the_run(tmp_path: Path) -> None:
    """Events fill the pipe of a reader that does not read; the run ends all the same."""
    target = tmp_path / "wide.yaml"
    target.write_text(
        "name: wide\n"
        "steps:\n"
        "  - {id: list, value: '{{ range(600) | list }}'}\n"
        "  - {id: each, for_each: '{{ list }}', value: '{{ \"x\" * 400 }}'}\n"
        "  - {id: mark, run: [sh, -c, 'echo done > gate'], depends_on: [each]}\n"
    )
    os.mkfifo(tmp_path / "gate")
    started = Started("run", str(target), "--trust", "--json", cwd=tmp_path)
    assert (tmp_path / "gate").read_text() == "done\n"  # the run is at its last step; nothing was read yet
    code, out, _ = started.end()
    assert code == 0
    events, summary = events_of(out)
    assert len(events) > 1_200
    assert len(out) > 500_000  # far more than a pipe holds
    assert summary["run"]["status"] == "succeeded"


def test_looking_does_not_keep_others_from_running(tmp_path: Path) -> None:
    """A listing beside a run, and a run beside a follower of logs."""
    pipe, target = gate(tmp_path)
    started = Started("run", str(target), "--trust", cwd=tmp_path)
    started.until("middle", "started")
    (row,) = json.loads(aethermind("runs", "--json").stdout)["items"]
    assert row["status"] == "running"  # somebody drives it
    follower = subprocess.Popen(
        [sys.executable, "-m", "aethermind", "logs", "last", "-f"], stdout=subprocess.PIPE, text=True
    )
    pipe.write_text("two\n")
    assert started.end()[0] == 0
    out, _ = follower.communicate(timeout=40)
    assert follower.returncode == 0
    assert "three" in out
