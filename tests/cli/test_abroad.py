"""Commands on another machine's engine: the same words, other files and other models."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import aethermind
from aethermind import bootstrap
from aethermind.api.server import Server
from aethermind.bootstrap.library import Files
from aethermind.domain.errors import DeniedError, NotFoundError
from aethermind.domain.workflow import StepDef, Value, WorkflowDef
from aethermind.infra.remote.client import RemoteClient
from tests.cli.program import Said
from tests.contract.clients import served

GROUND = """\
name: ground
steps: [{id: count, run: [wc, -l, notes.txt]}]
"""
TALK = """\
name: talk
inputs: {topic: string}
steps: [{id: said, prompt: "About {{ inputs.topic }}", model: "sim:fast"}]
"""


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An engine behind TCP, with a token in the environment."""
    with served() as engine:
        token = engine.thread.call(lambda client: client.create_token("ci", scope="admin")).result()
        there = bootstrap.load(bootstrap.Options(home=engine.home))
        server = Server(engine.thread, tcp=("127.0.0.1", 0), library=lambda: Files(there))
        server.start()
        assert server.tcp is not None
        monkeypatch.setenv("AETHERMIND_TOKEN", token.token)
        try:
            yield f"http://127.0.0.1:{server.tcp[1]}"
        finally:
            server.stop(0)


def test_a_run_over_there(target: str, said: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "talk.yaml").write_text(TALK)
    (tmp_path / "ground.yaml").write_text(GROUND)
    code, out, err = said("run", "talk.yaml", "-i", "topic=tides", "--connect", target, "--json", "--yes")
    assert code == 0, err
    summary = json.loads(out.splitlines()[-1])["summary"]["run"]
    assert summary["status"] == "succeeded"
    code, out, _ = said("--connect", target, "runs", "--json")
    (row,) = json.loads(out)["items"]
    assert (code, row["id"]) == (0, summary["id"])
    code, _, err = said("run", "ground.yaml", "--connect", target, "--trust")
    assert code == 2
    assert "ground works in this directory (step `count` runs `wc -l notes.txt`)" in err
    assert f"{target} has other files" in err
    monkeypatch.setenv("AETHERMIND_TOKEN", "aeth_0123456789ab_" + "x" * 43)
    code, _, err = said("runs", "--connect", target)
    assert (code, err.count("\n")) == (4, 1)
    assert "token is not valid" in err
    monkeypatch.delenv("AETHERMIND_TOKEN")
    code, _, err = said("runs", "--connect", target)
    assert (code, err.count("\n")) == (4, 1)
    assert "AETHERMIND_TOKEN" in err


def test_a_token_is_kept_for_its_engine(
    target: str, said: Said, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kept: dict[tuple[str, str], str] = {}
    monkeypatch.setattr(
        "keyring.set_password", lambda service, name, value: kept.update({(service, name): value})
    )
    monkeypatch.setattr("keyring.get_password", lambda service, name: kept.get((service, name)))
    monkeypatch.setattr("sys.stdin", io.StringIO(os.environ["AETHERMIND_TOKEN"] + "\n"))
    monkeypatch.delenv("AETHERMIND_TOKEN")
    assert said("auth", f"{target}/")[:2] == (0, f"the token of {target} is in the keyring\n")
    assert list(kept) == [("aethermind", target)]
    assert said("runs", "--connect", target, "--json")[:2] == (0, '{"items":[],"next":null}\n')
    assert said("auth", "ssh://box")[2] == "ssh://box needs no token (http(s)://host:port does)\n"


async def test_what_the_engine_knows_is_run_by_name(target: str) -> None:
    async with aethermind.connect(target) as client:
        assert isinstance(client, RemoteClient)
        kept = WorkflowDef(
            name="kept", description="for later", steps=(StepDef(id="a", action=Value(value=1)),)
        )
        await client.put_workflow(kept)
        known = {one.name: one for one in await client.workflows_there()}
        assert known["kept"].origin == "registered"
        assert known["research-brief"].origin == "samples"
        assert (await client.workflow_there("kept")).definition == kept
        assert "topic" in (await client.workflow_there("research-brief")).definition.inputs
        run = await client.wait(await client.execute("kept", {}, budget_micro_usd=2_000_000, by="ana"))
        assert (run.status, run.outputs, run.budget_micro_usd) == ("succeeded", {"a": 1}, 2_000_000)
        with pytest.raises(NotFoundError):
            await client.execute("nothing", {})
    async with aethermind.connect(target, read_only=True) as client:
        assert isinstance(client, RemoteClient)
        with pytest.raises(DeniedError, match="read-only"):
            await client.execute("kept", {})


def test_lists_are_of_the_engine_there(target: str, said: Said) -> None:
    code, out, _ = said("workflows", "--connect", target, "--json")
    assert code == 0
    assert {"research-brief", "interview"} <= {row["name"] for row in json.loads(out)["items"]}
    code, out, _ = said("--connect", target, "models", "--json")
    assert code == 0
    assert any("smart" in row["aliases"] for row in json.loads(out)["items"])
    code, _, err = said("db", "check", "--connect", target)
    assert (code, err.count("\n")) == (2, 1)
    assert "leave out --connect" in err
