"""Every route once, over the unix socket, as a script with curl would use it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from aethermind import wire
from aethermind.definitions.loader import load_text
from aethermind.domain.events import Submitter
from aethermind.engine.client import RunRequest
from aethermind.engine.queries import LogRow, RunRow
from aethermind.engine.rows import read_row, row_object, run_row
from tests.api.serving import ASK, HI, VALUE, Serving


def test_health_and_the_engine(served: Serving) -> None:
    health = served.get("/api/health").json
    assert health["status"] == "ok"
    assert health["protocol"] == 1
    engine = served.get("/api/engine").json
    assert engine["pid"] == health["pid"]
    assert engine["started_at"].endswith("Z")


def test_a_run_is_started_listed_shown_and_traced(served: Serving) -> None:
    run_id = served.start(HI, inputs={"who": "bo"})
    shown = served.settled(run_id)
    assert shown["run"]["status"] == "succeeded"
    assert shown["steps"][0]["id"] == "greet"
    listed = served.get("/api/runs?workflow=hi&status=succeeded&limit=1").json
    assert listed["items"][0]["id"] == run_id
    assert listed["items"][0]["duration_ms"] >= 0
    assert served.get(f"/api/runs/{run_id[:-1]}/id").status in {200, 422}
    assert served.get("/api/runs/last/id").json == {"id": run_id}
    trace = served.get(f"/api/traces/{run_id}").json
    assert [span["path"] for span in trace["spans"]] == ["greet"]
    calls = served.get(f"/api/runs/{run_id}/calls").json["items"]
    assert [call["model"] for call in calls] == ["smart"]
    assert served.get(f"/api/runs/{run_id}/partials").json == {"items": [], "next": None}


def test_events_come_in_pages_without_a_gap(served: Serving) -> None:
    run_id = served.start(HI)
    served.settled(run_id)
    whole = served.get(f"/api/runs/{run_id}/events").json
    assert whole["next"] is None
    paged: list[Any] = []
    after: int | None = 0
    while after is not None:
        page = served.get(f"/api/runs/{run_id}/events?after={after}&limit=2").json
        paged += page["items"]
        after = page["next"]
    assert paged == whole["items"]
    assert paged[0]["type"] == "RunCreated"
    one = served.get(f"/api/events?after={paged[0]['seq'] - 1}&stream=run/{run_id}&limit=1").json
    assert one["items"] == paged[:1]
    recorded = wire.decode_envelope(msgspec.json.encode(paged[0]))
    assert recorded.stream == f"run/{run_id}"


def test_a_whole_definition_is_submitted(served: Serving) -> None:
    request = RunRequest(
        definition=load_text(VALUE).definition,
        inputs={},
        submitter=Submitter(user="ana", cwd="/", interpreter="python"),
    )
    reply = served.http("POST", "/api/runs", raw=msgspec.json.encode(request))
    assert reply.status == 201
    assert served.settled(reply.json["id"])["run"]["outputs"] == {"a": 2}


def test_what_waits_is_answered_once_and_who_decided_is_told(served: Serving) -> None:
    run_id = served.start(ASK)
    assert served.settled(run_id)["run"]["status"] == "waiting_answer"
    said = {"step": "ok", "values": {"approved": True}}
    by = {"X-Aethermind-By": "ana via tty"}
    assert served.post(f"/api/runs/{run_id}/answer", said, headers=by).status == 200
    assert served.post(f"/api/runs/{run_id}/answer", said).status == 200
    other = served.post(f"/api/runs/{run_id}/answer", {"step": "ok", "values": {"approved": False}})
    assert (other.status, other.code) == (403, "DeniedError")
    assert "ana via tty" in other.json["detail"]
    assert served.settled(run_id)["run"]["status"] == "succeeded"


def test_pause_resume_cancel_and_retry(served: Serving) -> None:
    run_id = served.start(ASK)
    assert served.post(f"/api/runs/{run_id}/pause").status == 200
    assert served.post(f"/api/runs/{run_id}/resume", {}).status == 200
    assert served.post(f"/api/runs/{run_id}/budget", {"micro_usd": 5_000_000}).status == 200
    assert served.get(f"/api/runs/{run_id}").json["run"]["budget_micro_usd"] == 5_000_000
    assert served.post(f"/api/runs/{run_id}/cancel", {"reason": "enough"}).status == 200
    assert served.settled(run_id)["run"]["status"] == "cancelled"
    assert served.post(f"/api/runs/{run_id}/cancel").code == "InvalidError"
    assert served.post(f"/api/runs/{run_id}/retry").status == 200
    assert served.settled(run_id)["run"]["status"] == "waiting_answer"
    assert served.post(f"/api/runs/{run_id}/cancel", {"step": "nix"}).code == "NotFoundError"


def test_a_fork_and_an_edited_definition(served: Serving) -> None:
    run_id = served.start("name: two\nsteps: [{id: a, value: 1}, {id: b, value: '{{ a }}'}]\n")
    served.settled(run_id)
    forked = served.post(f"/api/runs/{run_id}/fork", {"at": "b", "outputs": {"a": 7}})
    assert forked.status == 201
    assert served.settled(forked.json["id"])["run"]["outputs"]["b"] == 7
    text = "name: two\nsteps: [{id: a, value: 1}, {id: b, value: '{{ a + 1 }}'}]\n"
    definition = msgspec.to_builtins(load_text(text).definition)
    kept = served.post(f"/api/runs/{run_id}/edited", {"definition": definition})
    assert kept.json == {"kept": ["a"]}
    assert served.post(f"/api/runs/{run_id}/resume-edited", {"definition": definition}).status == 200
    assert served.settled(run_id)["run"]["outputs"]["b"] == 2


def test_logs_costs_models_and_money(served: Serving) -> None:
    run_id = served.start(HI)
    served.settled(run_id)
    logs = served.get(f"/api/logs?run_id={run_id}&min_level=info&limit=5").json["items"]
    assert logs
    assert {row["run_id"] for row in logs} == {run_id}
    costs = served.get("/api/costs?by=run&simulated=true").json["items"]
    assert run_id in {row["key"] for row in costs}
    assert any("fast" in model["aliases"] for model in served.get("/api/models").json["items"])
    assert served.get("/api/lanes").status == 200
    assert served.post("/api/day-budget", {"micro_usd": 9_000_000}).status == 200
    assert served.get("/api/day-budget").json["cap"] == 9_000_000


def test_an_agent_lives_and_works(served: Serving) -> None:
    made = served.post("/api/agents", {"name": "poet", "model": "fast", "instructions": "Rhyme."})
    assert made.status == 201
    assert made.json["definition"]["instructions"] == "Rhyme."
    assert served.post("/api/agents", {"name": "poet", "model": "fast"}).status == 409
    changed = served.http("PUT", "/api/agents/poet", {"model": "smart", "instructions": "Short."})
    assert changed.json["definition"]["models"] == ["smart"]
    assert "poet" in {row["name"] for row in served.get("/api/agents").json["items"]}
    run = served.post("/api/agents/poet/execute", {"inputs": {"prompt": "the sea"}, "sim": True}).json
    assert served.settled(run["id"])["run"]["status"] == "succeeded"
    assert served.http("DELETE", "/api/agents/poet").status == 200
    assert served.get("/api/agents/poet").code == "NotFoundError"


def test_a_bad_agent_is_refused_with_what_is_wrong(served: Serving) -> None:
    refused = served.post("/api/agents", {"name": "poet", "modle": "fast"})
    assert refused.status == 422
    assert "modle" in refused.json["detail"]


def test_a_workflow_lives_and_runs(served: Serving) -> None:
    made = served.post("/api/workflows", {"text": HI.replace("name: hi", "name: greeting")})
    assert made.status == 201
    assert made.json["text"].startswith("name: greeting")
    again = {"name": "greeting", "steps": [{"id": "a", "value": "1"}]}
    assert served.post("/api/workflows", again).status == 409
    assert served.http("PUT", "/api/workflows/other", again).status == 422
    assert served.http("PUT", "/api/workflows/greeting", again).status == 200
    assert served.get("/api/workflows/greeting").json["definition"]["steps"][0]["id"] == "a"
    assert "greeting" in {row["name"] for row in served.get("/api/workflows?all=true").json["items"]}
    run = served.post("/api/workflows/greeting/execute", {"priority": 3, "budget_usd": 0.5}).json
    assert served.settled(run["id"])["run"]["budget_micro_usd"] == 500_000
    assert served.http("DELETE", "/api/workflows/greeting").status == 200
    assert served.post("/api/workflows/greeting/execute").code == "NotFoundError"


def test_a_bad_workflow_is_refused_with_its_place(served: Serving) -> None:
    refused = served.post("/api/workflows", {"text": "name: bad\nsteps: [{id: a, promt: x}]\n"}).json
    assert refused["code"] == "InvalidError"
    assert (refused["line"], refused["status"]) == (2, 422)
    assert "prompt" in refused["hint"]


def test_what_was_done_stands_in_the_audit_log(served: Serving) -> None:
    served.post("/api/trust", {"path": "/srv/flows"}, headers={"X-Aethermind-By": "bo%C3%AB via ssh"})
    assert served.get("/api/trust?path=/srv/flows/a.yaml").json == {"trusted": True}
    newest = served.get("/api/audit?limit=1").json["items"][0]
    assert (newest["who"], newest["origin"]) == ("boë", "ssh")
    feigned = {"X-Aethermind-By": "token ci via 10.0.0.7"}
    served.post("/api/trust", {"path": "/srv/flows"}, headers=feigned)
    newest = served.get("/api/audit?limit=1").json["items"][0]
    assert (newest["who"], newest["origin"]) == ("token ci", "10.0.0.7 (said)")
    assert served.get("/api/audit/verify").json["ok"] is True


def test_tokens_are_made_shown_once_and_revoked(served: Serving) -> None:
    vague = served.post("/api/tokens", {"name": "ci", "expires_at": "2099-01-01T00:00:00"})
    assert vague.status == 400, "whose midnight?"
    made = served.post("/api/tokens", {"name": "ci", "expires_at": "2099-01-01T00:00:00Z"})
    assert made.status == 201
    assert set(made.json) == {"id", "name", "token", "scope", "expires_at"}
    assert served.get("/api/runs", token=made.json["token"]).status == 200
    listed = served.get("/api/tokens")
    assert made.json["token"].encode() not in listed.body
    assert served.http("DELETE", f"/api/tokens/{made.json['id']}").status == 200
    assert served.get("/api/runs", token=made.json["token"]).status == 401


def test_metrics_are_prometheus_text(served: Serving) -> None:
    reply = served.get("/metrics")
    assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = reply.body.decode().splitlines()
    assert any(line.startswith("aethermind_events_recorded_total ") for line in lines)
    for line in lines:
        if not line.startswith("#"):
            float(line.rpartition(" ")[2])


def test_an_engine_inside_a_program_is_not_ended(served: Serving) -> None:
    assert served.post("/api/engine/stop").code == "DeniedError"


@pytest.mark.parametrize(
    "path", ["/api/runs/r_nix", "/api/runs/r_nix/events", "/api/runs/r_nix/calls", "/nix"]
)
def test_what_is_not_there(served: Serving, path: str) -> None:
    reply = served.get(path)
    assert reply.status == 404
    assert reply.headers["content-type"] == "application/problem+json"


def test_unknown_parameters_and_fields_are_refused(served: Serving) -> None:
    assert served.get("/api/runs?afer=3").status == 400
    assert served.get("/api/runs?limit=many").status == 400
    assert served.get("/api/runs?status=nix").status == 400
    assert served.post("/api/runs/r_x/cancel", {"stp": "a"}).status == 400
    reply = served.http("PUT", "/api/runs")
    assert (reply.status, reply.headers["allow"]) == (405, "GET, POST")


def test_rows_come_back_as_they_were() -> None:
    run = RunRow(id="r_1", workflow="w", status="running", created_at=1_767_225_600_123)
    assert read_row(RunRow, run_row(run)) == run
    log = LogRow(seq=1, at=5, run_id=None, level="info", message="m", metadata={"at": 3})
    assert read_row(LogRow, row_object(log)) == log


def test_a_run_takes_place_where_an_admin_says(served: Serving, tmp_path: Path) -> None:
    text = "name: where\nsteps: [{id: pwd, run: [pwd]}]\n"
    run_id = served.start(text, cwd=str(tmp_path))
    assert served.settled(run_id)["run"]["outputs"] == {"pwd": str(tmp_path)}
    for nowhere in ("relative", str(tmp_path / "nix"), "/\0"):
        refused = served.post("/api/runs/text", {"text": text, "cwd": nowhere})
        assert (refused.status, refused.code) == (422, "InvalidError")


def test_a_large_run_is_shown_and_traced(served: Serving) -> None:
    text = "name: large\nsteps: [{id: each, for_each: '{{ range(700) | list }}', value: '{{ item }}'}]\n"
    run_id = served.start(text)
    shown = served.settled(run_id)
    assert len(shown["steps"]) == 701
    (span,) = served.get(f"/api/traces/{run_id}").json["spans"]
    assert (span["path"], span["status"]) == ("each", "succeeded")
