"""db check, rebuild, backup, prune; export and import."""

from __future__ import annotations

import io
import json
import os
import sqlite3
import stat
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import click
import pytest

from aethermind.cli import db as commands
from aethermind.cli import streams
from aethermind.infra import bundle
from aethermind.infra.stores.lease import Lease
from tests.cli.program import Said, aethermind

KEY = "sk-abcdefghijklmnopqrstuvwx"
HI = """\
name: hi
inputs: {who: string}
steps:
  - {id: greet, prompt: "Say hi to {{ inputs.who }}"}
  - {id: shout, run: [sh, -c, "tr a-z A-Z; echo ran >> effects"], stdin: "{{ greet }}"}
outputs: {greeting: "{{ shout }}"}
"""


@pytest.fixture
def home() -> Path:
    return Path(os.environ["AETHERMIND_HOME"])


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: Said) -> str:
    """A run with a reply, a command and a key in its input; its id."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hi.yaml").write_text(HI)
    (tmp_path / "hi.sim.yaml").write_text("steps: {greet: hello there}\n")
    code, out, _ = said("run", "hi.yaml", "-i", f"who=Ada with {KEY}", "--sim", "--trust", "--json")
    assert code == 0
    found: str = json.loads(out.splitlines()[-1])["summary"]["run"]["id"]
    return found


def shown(said: Said, *arguments: str) -> Any:
    code, out, err = said(*arguments)
    assert (code, err) == (0, "")
    return json.loads(out)


def sql(home: Path, statement: str) -> None:
    with closing(sqlite3.connect(home / "aethermind.db")) as db:
        db.execute(statement)
        db.commit()


def unfinished(path: Path, target: Path) -> Path:
    """The bundle as it would be, had its engine been killed before the last event."""
    history = bundle.read(path).history[:-1]
    _, lines = bundle.write(history, version="0.1.0", exported_at=1, redact=str)
    target.write_bytes(b"".join(lines))
    return target


# --- db ----------------------------------------------------------------------------------------


def test_check_finds_what_is_wrong_and_rebuild_mends_it(ran: str, home: Path, said: Said) -> None:
    code, out, err = said("db", "check")
    assert (code, err) == (0, "")
    assert out.startswith(f"✓ {home / 'aethermind.db'}: 1 run, ")
    assert out.endswith(": no problems\n")
    assert shown(said, "db", "check", "--json")["ok"] is True
    sql(home, "UPDATE runs SET workflow = 'other'")
    code, out, err = said("db", "check")
    assert (code, err) == (1, "")
    assert out.startswith("✗ projections: table runs is not what the log says")
    assert out.endswith("(aethermind db rebuild)\n")
    code, out, _ = said("db", "check", "--json")
    assert code == 1
    (problem,) = json.loads(out)["problems"]
    assert (problem["check"], problem["repair"]) == ("projections", "aethermind db rebuild")
    code, out, _ = said("db", "rebuild")
    assert code == 0
    rows = {line.split()[0]: line for line in out.splitlines()[1:]}
    assert rows["runs"].endswith("changed")
    assert rows["calls"].endswith("as it was")
    tables = shown(said, "db", "rebuild", "--json")["tables"]
    assert {"runs", "attempts", "calls", "costs", "agents"} <= {table["table"] for table in tables}
    assert not any(table["changed"] for table in tables)
    assert said("db", "check")[0] == 0


def test_backup_is_for_its_owner_and_replaces_nothing_unasked(ran: str, home: Path, said: Said) -> None:
    lease = Lease.acquire(home, "aethermind.db.lease")  # as a living engine has
    code, out, err = said("db", "backup", "copy.db")
    lease.release()
    assert (code, out) == (0, "copy.db\n")
    assert "everything up to seq" in err
    assert stat.S_IMODE(Path("copy.db").stat().st_mode) == 0o600
    code, _, err = said("db", "backup", "copy.db")
    assert (code, err) == (2, f"{Path.cwd() / 'copy.db'} exists already (--force replaces it)\n")
    assert shown(said, "db", "backup", "copy.db", "--force", "--json")["file"] == str(Path.cwd() / "copy.db")
    # It is a database like any other.
    Path("home2").mkdir(mode=0o700)
    Path("copy.db").rename("home2/aethermind.db")
    assert said("db", "check", "--home", "home2")[0] == 0
    assert said("show", ran, "--output", "greeting", "--home", "home2")[1] == "HELLO THERE\n"


def test_what_writes_needs_the_database_for_itself(ran: str, home: Path, said: Said) -> None:
    lease = Lease.acquire(home, "aethermind.db.lease")
    for arguments in (("db", "rebuild"), ("db", "prune", "--yes"), ("import", "b.jsonl")):
        Path("b.jsonl").write_text(said("export", ran)[1])
        code, out, err = said(*arguments)
        assert (code, out) == (75, "")
        assert f"the engine with pid {os.getpid()} owns the data" in err
    lease.release()


def test_without_a_database_there_is_nothing_to_look_after(said: Said, tmp_path: Path) -> None:
    for verb in (["check"], ["rebuild"], ["backup", str(tmp_path / "b.db")], ["prune"]):
        code, out, err = said("db", *verb)
        assert (code, out) == (3, "")
        assert err.startswith("there is no database at ")
        assert err.count("\n") == 1


def test_prune_says_its_age_and_removes_nothing_without_a_word(ran: str, said: Said) -> None:
    help_ = said("db", "prune", "--help")[1]
    assert "older than 90 days" in help_
    assert "[default: 90d]" in help_
    assert said("db", "prune") == (0, "", "no run finished more than 90d ago\n")
    code, out, err = said("db", "prune", "--older-than", "0s")
    assert (code, out) == (4, "")
    assert err.startswith("not removed without a word: 1 run finished more than 0s ago: ")
    assert "(--yes, or --dry-run to look)" in err
    code, out, _ = said("db", "prune", "--older-than", "0s", "--dry-run")
    assert code == 0
    assert out.startswith("would remove 1 run finished more than 0s ago: ")
    found = shown(said, "db", "prune", "--older-than", "0s", "--dry-run", "--json")
    assert ([run["id"] for run in found["runs"]], found["removed"]) == ([ran], False)
    assert said("show", ran)[0] == 0
    assert said("db", "prune", "--older-than", "soon")[0] == 2


@pytest.mark.parametrize("answer", ["y\n", "n\n", "\n"])
def test_prune_asks_on_a_terminal(ran: str, said: Said, monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    monkeypatch.setattr(streams, "can_ask", lambda: True)
    monkeypatch.setattr(sys, "stdin", io.StringIO(answer))
    code, out, err = said("db", "prune", "--older-than", "0s")
    assert ran in err
    assert "Remove 1 run finished more than 0s ago" in err
    gone = answer.startswith("y")
    assert code == (0 if gone else 4)
    assert out.startswith("removed 1 run") is gone
    assert (said("show", ran)[0] == 3) is gone


def test_pruned_runs_are_gone_and_their_costs_stay(ran: str, said: Said) -> None:
    spent = shown(said, "costs", "--sim", "--json")
    assert spent["items"]
    code, out, _ = said("db", "prune", "--older-than", "0s", "-y")
    assert code == 0
    assert out.startswith("removed 1 run finished more than 0s ago: ")
    assert shown(said, "runs", "--json")["items"] == []
    assert said("show", ran)[0] == 3
    assert shown(said, "costs", "--sim", "--json") == spent
    assert shown(said, "costs", "--sim", "--by", "run", "--json")["items"] == []
    assert said("db", "check")[0] == 0


# --- export and import -------------------------------------------------------------------------


def test_a_run_goes_out_without_its_secrets_and_comes_in_whole(ran: str, said: Said) -> None:
    code, out, err = said("export", ran, "-o", "b.jsonl")
    assert (code, out) == (0, "b.jsonl\n")
    assert "texts without their secrets" in err
    assert stat.S_IMODE(Path("b.jsonl").stat().st_mode) == 0o600
    text = Path("b.jsonl").read_text()
    assert KEY not in text
    header = json.loads(text.splitlines()[0])
    assert (header["run"], header["status"]) == (ran, "succeeded")
    assert header["redacted"] > 0
    assert said("export", "last")[1].splitlines()[1:] == text.splitlines()[1:]
    code, _, err = said("export", ran, "-o", "b.jsonl")
    assert (code, err) == (2, "b.jsonl exists already (--force replaces it)\n")
    told = shown(said, "export", ran, "-o", "b.jsonl", "--force", "--json")
    assert told == {
        "file": "b.jsonl",
        "run": ran,
        "events": header["events"],
        "logs": header["logs"],
        "redacted": header["redacted"],
    }
    code, out, err = said("--home", "other", "import", "b.jsonl")
    assert (code, out) == (0, f"{ran}\n")
    assert err == f"succeeded, {header['events']} events, {header['logs']} log records\n"
    assert f"  imported ran elsewhere as {ran}\n" in said("--home", "other", "show", "last")[1]
    assert said("--home", "other", "show", "last", "--output", "greeting")[1] == "HELLO THERE\n"
    assert said("--home", "other", "logs", "last")[1]
    code, out, err = said("--home", "other", "import", "b.jsonl")
    assert (code, out, err) == (0, f"{ran}\n", "b.jsonl: this run is here already\n")
    assert shown(said, "--home", "other", "import", "b.jsonl", "--json")["known"] is True
    assert said("import", "b.jsonl")[1:] == (f"{ran}\n", "b.jsonl: this run is here already\n")
    assert said("--home", "other", "db", "check")[0] == 0


def test_a_bundle_goes_through_a_pipe(ran: str, tmp_path: Path) -> None:
    exported = aethermind("export", ran)
    assert exported.returncode == 0
    taken = aethermind("import", "-", "--home", str(tmp_path / "other"), stdin=exported.stdout)
    assert (taken.returncode, taken.stdout) == (0, f"{ran}\n")
    broken = aethermind("import", "-", "--home", str(tmp_path / "third"), stdin=exported.stdout[:-50])
    assert broken.returncode == 2
    assert broken.stderr.startswith("stdin:")


def test_keys_of_the_environment_are_neither_kept_nor_leave(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: Said
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "no-pattern-fits-this")  # a provider's key, though none is called
    monkeypatch.setenv("MY_TOKEN", "and-neither-this-one")  # a variable that the run takes
    monkeypatch.setenv("OTHER_TOKEN", "nobody-takes-4711-this")  # a variable that it doesn't take
    Path("v.yaml").write_text(
        "name: v\ninputs: {note: string}\nsteps:\n"
        "  - id: x\n"
        "    run: [sh, -c, 'echo no-pattern-fits-this $MY_TOKEN $1', sh, '{{ inputs.note }}']\n"
        "    env: {MY_TOKEN: $MY_TOKEN}\n"
    )
    _, out, err = said("run", "v.yaml", "-i", "note=nobody-takes-4711-this", "--trust", "--plain")
    assert out == "[redacted] [redacted] [redacted]\n"
    assert "the inputs hold a secret" in err
    bundle = said("export", "last")[1]
    kept = b"".join(
        path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path.name != "v.yaml"
    )
    for secret in ("no-pattern-fits-this", "and-neither-this-one", "nobody-takes-4711-this"):
        assert secret not in bundle
        assert secret.encode() not in kept


def test_a_bad_bundle_is_refused_with_its_line(ran: str, said: Said) -> None:
    said("export", ran, "-o", "b.jsonl")
    lines = Path("b.jsonl").read_text().splitlines(keepends=True)
    Path("b.jsonl").write_text("".join([*lines[:3], *lines[4:]]))
    code, out, err = said("--home", "other", "import", "b.jsonl")
    assert (code, out) == (2, "")
    assert err == "b.jsonl:4: version 4 is out of order: 3 should be here\n"
    assert shown(said, "--home", "other", "runs", "--json")["items"] == []
    Path("b.jsonl").write_text("name: hi\n")
    assert said("import", "b.jsonl")[2].startswith("b.jsonl:1: this is no bundle of a run")
    code, _, err = said("import", "none.jsonl")
    assert (code, err) == (3, "none.jsonl does not exist\n")
    assert said("export", "r_none")[0] == 3
    assert said("export", ran, "--json")[0] == 2


def test_an_imported_run_goes_on_only_by_word(
    ran: str, said: Said, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    said("export", ran, "-o", "b.jsonl")
    unfinished(Path("b.jsonl"), Path("cut.jsonl"))
    code, out, err = said("--home", "other", "import", "cut.jsonl")
    assert (code, out) == (0, f"{ran}\n")
    assert err.startswith("interrupted, ")
    assert err.endswith(f"to go on with it on this machine: aethermind resume {ran} --yes\n")
    for refused in (("resume", ran), ("resume",), ("budget", ran, "1")):
        code, _, err = said("--home", "other", *refused)
        assert code == 4, refused
        assert err == (
            f"run {ran} was imported: to go on starts its programs in {tmp_path} and calls its models"
            f" (aethermind resume {ran} --yes)\n"
        )
    assert shown(said, "--home", "other", "runs", "--json")["items"][0]["status"] == "interrupted"
    monkeypatch.setattr(streams, "can_ask", lambda: True)
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
    code, _, err = said("--home", "other", "resume", ran)
    assert code == 4
    assert err.endswith(f"run {ran} stays as it was imported\n")
    code, out, _ = said("--home", "other", "resume", ran, "--yes", "-q")
    assert (code, out) == (0, "HELLO THERE\n")
    assert Path("effects").read_text() == "ran\n", "what had ended elsewhere is not done again"
    assert said("--home", "other", "import", "cut.jsonl")[2] == "cut.jsonl: this run is here already\n"


def test_a_finished_imported_run_is_shown_but_not_retried(ran: str, said: Said) -> None:
    said("export", ran, "-o", "b.jsonl")
    said("--home", "other", "import", "b.jsonl")
    code, out, _ = said("--home", "other", "resume", ran, "-q")
    assert (code, out) == (0, "HELLO THERE\n")
    code, _, err = said("--home", "other", "retry", ran, "--from", "shout")
    assert code == 4
    assert f"aethermind resume {ran} --yes" in err
    assert said("--home", "other", "resume", ran, "--yes", "-q")[0] == 0
    code, out, _ = said("--home", "other", "retry", ran, "--from", "shout", "-q")
    assert (code, out) == (0, "HELLO THERE\n")


def test_recorded_replies_run_the_file_again_and_miss_loudly(ran: str, said: Said) -> None:
    code, out, _ = said("export", ran, "--sim", "-o", "hi.sim.yaml", "--force")
    assert (code, out) == (0, "hi.sim.yaml\n")
    assert KEY not in Path("hi.sim.yaml").read_text()
    assert said("export", ran, "--sim")[1] == Path("hi.sim.yaml").read_text()
    code, out, _ = said("run", "hi.yaml", "-i", f"who=Ada with {KEY}", "--sim", "--trust", "-q")
    assert (code, out) == (0, "HELLO THERE\n")
    code, _, err = said("run", "hi.yaml", "-i", "who=Grace", "--sim", "--trust", "-q")
    assert code == 1
    assert "no recorded reply fits step greet: its prompt has changed" in err


# --- help --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["check", "rebuild", "backup", "prune"])
def test_the_reference_and_the_help_know_every_option_of_db(name: str, said: Said) -> None:
    reference = (Path(__file__).resolve().parent.parent.parent / "docs" / "commands.md").read_text()
    assert f"`db {name}" in reference
    assert f"  {name} " in said("db", "--help")[1]
    help_ = said("db", name, "--help")[1]
    assert "--home DIR" in help_
    assert "--json" in help_
    for param in commands.command.commands[name].params:
        if isinstance(param, click.Option) and not param.hidden:
            assert param.help
            for option in param.opts:
                assert f"`{option}" in reference, option
