"""Answers of before on real SDKs and a local server, one process after the other."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from tests.cli.program import aethermind
from tests.e2e.models import KEYS, Answer, models
from tests.servers.wires import Counts

WORKFLOW = """\
name: cached
defaults: {cache: 7d}
steps:
  - {id: gpt, model: "openai:gpt-6-luna", prompt: "<<gpt>> What is new?"}
  - {id: llama, model: "ollama:llama", prompt: "<<llama>> What is new?"}
outputs: {all: "{{ gpt }} {{ llama }}"}
"""
ANSWERS = {
    name: Answer(f"Nothing, says {name}.", Counts(input=1_000, output=100), thought="Hm.")
    for name in ("gpt", "llama")
}


def ran(cwd: Path, *options: str, **env: str) -> dict[str, Any]:
    done = aethermind("run", "cached.yaml", "--yes", "--json", *options, cwd=cwd, **env)
    assert done.returncode == 0, done.stderr
    summary: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])["summary"]
    return summary


def calls(summary: dict[str, Any]) -> dict[str, Any]:
    return {step["id"]: step["attempts"][-1]["model_calls"][-1] for step in summary["steps"]}


def test_each_model_is_asked_once_for_each_key(tmp_path: Path) -> None:
    (tmp_path / "cached.yaml").write_text(WORKFLOW)
    with models(ANSWERS) as (served, server):
        first = ran(tmp_path)
        assert sorted(served.asked) == sorted(ANSWERS)
        second = ran(tmp_path)
        assert sorted(served.asked) == sorted(ANSWERS), "nothing was sent again"
        assert second["run"]["outputs"] == first["run"]["outputs"]
        assert second["run"]["cost_micro_usd"] == 0
        for name, call in calls(second).items():
            before = calls(first)[name]
            assert call["cached_from"]["run"] == first["run"]["id"]
            assert (call["text"], call["reasoning"]) == (before["text"], before["reasoning"])
            assert call["saved_micro_usd"] == (before["cost_micro_usd"] or 0)

        served.asked.clear()
        third = ran(tmp_path, OPENAI_API_KEY=KEYS["OPENAI_API_KEY"] + "x")
        assert served.asked == ["gpt"], "another account's answer is not ours"
        assert calls(third)["llama"]["cached_from"]["run"] == first["run"]["id"], "nor newer by its use"

        served.asked.clear()
        ran(tmp_path, "--no-cache")
        assert sorted(served.asked) == sorted(ANSWERS)

    # Nothing is sent, so it does not matter that nobody would answer any more.
    gone = {"OPENAI_BASE_URL": f"{server.url}/v1", "OLLAMA_HOST": server.url}
    assert ran(tmp_path, **KEYS, **gone)["run"]["cost_micro_usd"] == 0

    database = Path(os.environ["AETHERMIND_HOME"]) / "aethermind.db"
    held = database.read_bytes()
    for key in KEYS.values():
        assert key.encode() not in held
