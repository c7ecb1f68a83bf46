"""`models` and `doctor` about what may not be called just now, and `models --check` against a real server."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest

from tests.cli.program import Said
from tests.servers.http import Reply, Request, in_thread
from tests.servers.wires import Chat

CONFIG = """\
[providers.groq]
kind = "openai"
base_url = "URL/v1"
key_env = "GROQ_API_KEY"
[providers.gone]
kind = "openai"
base_url = "http://127.0.0.1:9/v1"
[models]
smart = "groq:m-1"
quick = "groq:m-9"
dead = "gone:x"
"""
FLOW = "name: f\nsteps: [{id: a, model: 'groq:m-1', prompt: hi, retry: {max_attempts: 1}}]\n"


async def vendor(request: Request, reply: Reply) -> None:
    if request.path == "/v1/models":
        listed = {"object": "list", "data": [{"id": "m-1"}, {"id": "m-2"}]}
        await reply.whole(200, json.dumps(listed).encode(), "application/json")
        return
    body = Chat().error("slow down", code="rate_limit_exceeded")
    await reply.whole(429, body, "application/json", retry_after="90")


def test_models_that_are_asked_and_one_that_may_not_be(
    tmp_path: Path, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = tmp_path / "config.toml"
    monkeypatch.setenv("AETHERMIND_CONFIG", str(config))
    monkeypatch.setenv("GROQ_API_KEY", "gsk-0123456789-abcdef")
    Path("f.yaml").write_text(FLOW)
    with in_thread(vendor) as server:
        config.write_text(CONFIG.replace("URL", server.url))
        rows = {row["id"]: row for row in json.loads(said("models", "--check", "--json")[1])["items"]}
        assert [rows["groq:m-1"][name] for name in ("reachable", "listed", "lane")] == [True, True, None]
        assert [rows["groq:m-9"][name] for name in ("reachable", "listed")] == [True, False]
        assert rows["groq:m-2"]["listed"] is True, "found at the endpoint"
        assert rows["gone:x"]["reachable"] is False
        assert rows["gone:x"]["problem"].startswith("cannot be reached")
        assert rows["groq:m-1"]["input_price"] is None
        assert rows["openai:gpt-6-luna"]["reachable"] is None, "no key: not asked"
        code, out, err = said("models", "--check")
        assert code == 0
        assert re.search(r"groq:m-1 .*yes .*unpriced +unpriced", out)
        assert "ollama" not in err, "nobody said that there is one"
        assert "gone at 127.0.0.1: cannot be reached" in err

        assert said("run", "f.yaml", "--yes", "-q")[0] == 1
        before = int(time.time() * 1000)
        found = json.loads(said("models", "--json")[1])["items"]
        lane = next(row["lane"] for row in found if row["id"] == "groq:m-1")
        assert (lane["state"], lane["why"]) == ("closed", "rate_limit")
        _, _, err = said("models")
        assert re.search(r"groq:m-1: the provider limits the rate: 429: .*; asked again in \d\d s", err)
        doctor = json.loads(said("doctor", "--json")[1])
        assert "limits the rate" in doctor["waits"]["groq:m-1"]
        assert int(time.time() * 1000) - before < 60_000
