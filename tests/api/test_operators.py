"""What an operator may not: decide which programs run on the engine's machine."""

from __future__ import annotations

import pytest

from aethermind.api.library import Texts
from tests.api.serving import HI, Serving


def test_an_operator_sends_no_definition_and_chooses_no_directory(served: Serving) -> None:
    operator = served.token("operator")
    run_id = served.start(HI)
    definition = {"name": "x", "steps": [{"id": "a", "action": {"kind": "run", "argv": ["true"]}}]}
    forked = served.post(
        f"/api/runs/{run_id}/fork", {"at": "greet", "definition": definition}, token=operator
    )
    assert forked.status == 403
    assert served.post("/api/workflows/hi/execute", {"cwd": "/"}, token=operator).status == 403


@pytest.mark.parametrize("act", ["fork", "resume", "retry"])
def test_an_operator_does_not_choose_which_programs_a_name_means(served: Serving, act: str) -> None:
    run_id = served.start(HI)
    served.settled(run_id)
    body = {"at": "greet"} if act == "fork" else {}
    path, operator = f"/api/runs/{run_id}/{act}", served.token("operator")
    refused = [
        name
        for name in ("PATH", "HOME", "LC_ALL", "TOLD")
        if served.post(path, {**body, "env": {name: "/x"}}, token=operator).status == 403
    ]
    assert refused == ["PATH", "HOME", "LC_ALL"]


def test_an_operator_puts_no_coding_agent_in_a_models_place(
    served: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Texts, "programs", lambda self, model: (f"{model} starts agent",))
    run_id = served.start(HI)
    fork, body = f"/api/runs/{run_id}/fork", {"at": "greet", "model": "cli:agent"}
    assert served.post(fork, body, token=served.token("operator")).status == 403
    assert served.post(fork, body, token=served.token()).status != 403


def test_a_registered_coding_agent_is_trusted_first(served: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Texts, "programs", lambda self, model: (f"{model} starts agent",))
    definition = served.get("/api/runs/" + served.start(HI) + "/events").json["items"][0]["data"][
        "definition"
    ]
    put = served.http("PUT", "/api/workflows/hi", {"definition": definition, "trusted": False})
    assert put.status == 200, put.body
    execute = "/api/workflows/hi/execute", {"sim": True}
    refused = served.post(*execute, token=served.token("operator"))
    assert refused.status == 403
    assert "starts agent" in refused.json["detail"]
    trusted = {"path": "workflow:hi", "sha256": put.json["definition_hash"]}
    assert served.post("/api/trust", trusted).status == 200
    assert served.post(*execute, token=served.token("operator")).status == 201
