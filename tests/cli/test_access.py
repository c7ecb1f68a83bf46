"""Tokens, the audit log, and what is registered, on the command line."""

from __future__ import annotations

import json
import os
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from aethermind.infra.stores.database import APPLICATION_ID, migrations, split
from tests.cli.program import Said

FILE = """\
name: hello
inputs: {who: string}
agents:
  writer: {model: "sim:fast", instructions: Plain.}
  other: {model: "sim:smart"}
steps:
  - {id: greet, agent: writer, prompt: "Say hi to {{ inputs.who }}"}
  - {id: words, run: [wc, -w], stdin: "{{ greet }}"}
outputs: {words: "{{ words }}"}
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hello.yaml").write_text(FILE)
    return tmp_path


def items(said: Said, *arguments: str) -> list[dict[str, Any]]:
    code, out, _ = said(*arguments, "--json")
    assert code == 0
    page = json.loads(out)
    assert set(page) == {"items", "next"}
    found: list[dict[str, Any]] = page["items"]
    return found


def test_a_token_from_its_making_to_its_end(said: Said) -> None:
    assert said("tokens", "list") == (0, "", "no tokens yet: aethermind tokens create NAME\n")
    code, out, _ = said("tokens", "create", "ci", "--scope", "operator", "--expires", "30d", "--json")
    made = json.loads(out)
    assert code == 0
    assert list(made) == ["id", "name", "token", "scope", "expires_at"]
    assert (made["name"], made["scope"]) == ("ci", "operator")
    assert re.fullmatch(rf"aeth_{made['id']}_[\w-]{{43}}", made["token"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]{12}Z", made["expires_at"])
    code, out, err = said("tokens", "create", "me")
    assert out.startswith("aeth_")
    assert out.count("\n") == 1, "the token, and nothing else"
    assert "(me, viewer), does not expire" in err
    assert [row["name"] for row in items(said, "tokens", "list")] == ["me", "ci"]
    assert said("tokens", "revoke", made["id"])[:2] == (0, f"revoked {made['id']}\n")
    _, shown, _ = said("tokens", "list")
    assert [line.split()[1:3] for line in shown.splitlines()[1:]] == [["me", "viewer"], ["ci", "operator"]]
    assert "revoked" in shown.splitlines()[2]
    secret = made["token"].removeprefix(f"aeth_{made['id']}_")
    assert secret not in shown
    home = Path(os.environ["AETHERMIND_HOME"])
    assert not any(secret.encode() in path.read_bytes() for path in home.iterdir() if path.is_file())
    code, _, err = said("tokens", "revoke", "nope")
    assert (code, err) == (3, "there is no token 'nope' (aethermind tokens list)\n")


@pytest.mark.parametrize(
    "arguments, told",
    [
        (("--scope", "root"), "root"),
        (("--expires", "soon"), "soon"),
        (("--expires", "0s"), "expired already"),
    ],
)
def test_a_token_that_makes_no_sense(said: Said, arguments: tuple[str, ...], told: str) -> None:
    code, out, err = said("tokens", "create", "x", *arguments)
    assert (code, out) == (2, "")
    assert told in err


def test_a_registered_workflow_runs_by_its_name_from_anywhere(
    here: Path, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, _, err = said("workflows", "put", "hello.yaml")
    assert (code, "is not trusted" in err) == (4, True), "it starts a program"
    assert said("workflows", "put", "hello.yaml", "--trust")[:2] == (0, "registered hello\n")
    assert said("agents", "put", "hello.yaml", "writer")[:2] == (0, "registered writer\n")
    assert said("agents", "put", "hello.yaml", "nobody")[0] == 3
    elsewhere = here / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    found = [row for row in items(said, "workflows") if row["origin"] == "registered"]
    assert [row["name"] for row in found] == ["hello"]
    code, out, err = said("run", "hello", "-i", "who=me", "--plain")
    assert (code, int(out) > 0) == (0, True)
    assert err.splitlines()[0] == "hello is registered: no file of that name is here"
    (row,) = items(said, "runs")
    assert row["source"] == "workflow:hello", "where it came from"
    # A file goes first, and may name a registered agent.
    (elsewhere / "hello.yaml").write_text(
        "name: mine\nsteps: [{id: a, agent: writer, prompt: hi}]\noutputs: {a: '{{ a }}'}\n"
    )
    assert said("run", "hello", "--sim", "-q")[0] == 0
    assert [row["workflow"] for row in items(said, "runs")] == ["mine", "hello"]
    code, out, _ = said("show", "last", "--json")
    assert json.loads(out)["steps"][0]["attempts"][0]["model_calls"][0]["model"] == "fast"
    (elsewhere / "hello.yaml").unlink()
    code, out, _ = said("agents", "show", "writer")
    assert json.loads(out)["definition"]["instructions"] == "Plain."
    code, out, _ = said("workflows", "show", "hello")
    assert json.loads(out)["text"] == FILE
    assert said("workflows", "remove", "hello")[0] == 0
    assert said("agents", "remove", "writer")[0] == 0
    code, _, err = said("run", "hello", "-i", "who=me")
    assert (code, "there is no workflow `hello`" in err) == (3, True)
    assert said("workflows", "show", "hello")[0] == 3
    told = [(row["act"], row["target"]) for row in items(said, "audit") if row["act"] != "run"]
    assert told[::-1] == [
        ("workflows put", "hello"),
        ("agents put", "writer"),
        ("workflows remove", "hello"),
        ("agents remove", "writer"),
    ]


def test_an_agent_that_is_changed_is_asked_about_again(here: Path, said: Said) -> None:
    """What a file is trusted with is the agent as it was then."""
    shell = "agents: {writer: {model: 'sim:fast', tools: [shell: never]}}"
    steps = "steps: [{id: a, agent: writer, prompt: hi}]"
    (here / "uses.yaml").write_text(f"name: uses\n{steps}\n")
    (here / "agent.yaml").write_text(f"name: agent\n{shell}\n{steps}\n")
    assert said("run", "uses.yaml", "--sim")[0] == 2, "nobody knows that agent"
    assert said("agents", "put", "agent.yaml")[0] == 0
    assert said("run", "uses.yaml", "--sim", "-q")[0] == 0
    (here / "agent.yaml").write_text(f"name: agent\n{shell.replace('never', 'ask')}\n{steps}\n")
    assert said("agents", "put", "agent.yaml")[0] == 0
    code, _, err = said("run", "uses.yaml", "--sim", "-q")
    assert code == 4
    assert "agent `writer` may use the shell" in err
    assert said("trust", "uses.yaml")[0] == 0
    assert said("run", "uses.yaml", "--sim", "-q")[0] == 0
    (here / "agent.yaml").write_text(f"name: agent\n{shell.replace('never', 'always')}\n{steps}\n")
    assert said("agents", "put", "agent.yaml")[0] == 0
    assert said("run", "uses.yaml", "--sim", "-q")[0] == 4


def test_a_database_of_an_older_version_is_looked_at_like_any_other(said: Said) -> None:
    home = Path(os.environ["AETHERMIND_HOME"])
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    database = home / "aethermind.db"
    with closing(sqlite3.connect(database, isolation_level=None)) as db:
        for number, file in migrations()[:3]:
            for statement in split(file.read_text(encoding="utf-8")):
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {number}")
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    database.chmod(0o600)
    assert items(said, "audit") == items(said, "tokens", "list") == items(said, "runs") == []


def test_the_audit_log_and_whether_it_was_changed(here: Path, said: Said) -> None:
    assert said("audit") == (0, "", "nobody has done anything yet\n")
    assert said("trust", ".")[0] == 0
    assert said("run", "hello.yaml", "--sim", "-i", "who=me", "-q")[0] == 0
    run, trust = items(said, "audit")
    assert (run["n"], run["act"], run["origin"], run["detail"]) == (2, "run", "cli", "hello, simulated")
    assert (trust["n"], trust["act"], trust["target"]) == (1, "trust", str(here.resolve()))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]{12}Z", run["at"])
    code, shown, err = said("audit", "--limit", "1")
    assert (code, shown.split()[:2], run["target"] in shown) == (0, ["N", "WHEN"], True)
    cursor = err.split()[-1]
    assert [row["n"] for row in items(said, "audit", "--cursor", cursor)] == [1]
    code, out, _ = said("audit", "verify")
    head = out.split()[-1]
    assert (code, head) == (0, run["hash"])
    assert said("audit", "verify", "--head", head)[0] == 0
    with closing(sqlite3.connect(Path(os.environ["AETHERMIND_HOME"]) / "aethermind.db")) as db:
        db.execute("DROP TRIGGER audit_stays")
        db.execute("DELETE FROM audit WHERE n = 2")
        db.commit()
    code, out, _ = said("audit", "verify")
    assert (code, "row 2: run " in out, "has no row" in out) == (1, True, True)
    code, out, _ = said("audit", "verify", "--json")
    verdict = json.loads(out)
    assert (code, verdict["ok"], verdict["checked"], verdict["first_bad"]) == (1, False, 1, 2)
    assert verdict["head"] == trust["hash"]
    assert said("db", "check")[0] == 1
