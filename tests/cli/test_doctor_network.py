"""`doctor --check` against servers on loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.cli.program import Said

GOOD = "key-that-is-good-0000"


class Vendor(BaseHTTPRequestHandler):
    """Lists models for whoever brings the good key; remembers what was asked."""

    asked: list[tuple[str, str]]

    def do_GET(self) -> None:
        self.asked.append((self.path, self.headers.get("x-api-key", "")))
        key = self.headers.get("authorization", "").removeprefix("Bearer ") or self.headers.get("x-api-key")
        self.send_response(200 if key == GOOD or self.path == "/api/tags" else 401)
        body = b'{"models": [{"name": "qwen3:latest"}], "data": []}'
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def vendor() -> Generator[ThreadingHTTPServer]:
    Vendor.asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Vendor)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_check_asks_who_is_configured_and_names_the_repair(
    vendor: ThreadingHTTPServer, said: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"http://127.0.0.1:{vendor.server_port}"
    config = tmp_path / "config.toml"
    config.write_text(
        f'[providers.groq]\nkind = "openai"\nbase_url = "{url}/v1"\nkey_env = "GROQ_KEY"\n'
        f'[providers.other]\nkind = "openai"\nbase_url = "{url}/v2"\nkey_env = "OTHER_KEY"\n'
    )
    for name, value in {
        "AETHERMIND_CONFIG": str(config),
        "GROQ_KEY": GOOD,
        "OTHER_KEY": "key-that-is-bad-00000",
        "ANTHROPIC_BASE_URL": url,
        "ANTHROPIC_API_KEY": GOOD,
        "OPENAI_BASE_URL": "http://127.0.0.1:1/v1",  # nobody listens there
        "OPENAI_API_KEY": GOOD,
        "OLLAMA_HOST": url,
    }.items():
        monkeypatch.setenv(name, value)
    code, out, err = said("doctor", "--check", "--json")
    found = json.loads(out)
    assert (code, err) == (1, "")
    assert "127.0.0.1: answers" in found["network"]["groq"]
    assert "127.0.0.1: answers" in found["network"]["anthropic"]
    assert "127.0.0.1: answers" in found["network"]["ollama"]
    problems = {item["problem"]: item["repair"] for item in found["problems"]}
    assert problems.pop("other: 401: the key …000 was refused") == "aethermind auth other"
    (unreachable,) = problems
    assert unreachable.startswith("openai: cannot be reached")
    assert {path for path, _ in Vendor.asked} == {"/v1/models", "/v2/models", "/api/tags"}
    assert ("/v1/models", GOOD) in Vendor.asked  # Anthropic's own header
    assert GOOD not in out


def test_without_check_nothing_is_asked(
    vendor: ThreadingHTTPServer, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLLAMA_HOST", f"http://127.0.0.1:{vendor.server_port}")
    code, out, _ = said("doctor", "--json")
    assert code == 0
    assert "network" not in json.loads(out)
    assert Vendor.asked == []
