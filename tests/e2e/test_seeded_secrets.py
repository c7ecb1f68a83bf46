"""Fifteen kinds of secrets are in the environment and in use, and everything says them aloud: afterwards
nothing below the home directory, nor anything that leaves it, has one of them.

The model's server, the commands, the Python step, and the errors are real; each echoes what it was given.
"""

from __future__ import annotations

import base64
import json
import random
import string
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.program import COMMAND
from tests.servers.http import Reply, Request, in_thread
from tests.servers.wires import Chat, Responses

_chance = random.Random(20261122)


def _random(length: int, letters: str = string.ascii_letters + string.digits) -> str:
    return "".join(_chance.choices(letters, k=length))


def _part(length: int) -> str:
    return base64.urlsafe_b64encode(_random(length).encode()).decode().rstrip("=")


PEM_BODY = "\n".join(_random(64) for _ in range(6))
PASSWORD = _random(18)
SECRETS = {
    "OPENAI_API_KEY": f"sk-proj-{_random(40)}",
    "ANTHROPIC_API_KEY": f"sk-ant-api03-{_random(40)}",
    "GROQ_API_KEY": f"gsk_{_random(48)}",
    "GEMINI_API_KEY": f"AIza{_random(35)}",
    "AWS_SECRET_ACCESS_KEY": _random(40),
    "GITHUB_TOKEN": f"ghp_{_random(36)}",
    "GITLAB_PAT": f"glpat-{_random(20)}",
    "SLACK_BOT_TOKEN": f"xoxb-{_random(12, string.digits)}-{_random(24)}",
    "STRIPE_KEY": f"sk_live_{_random(24)}",
    "HF_TOKEN": f"hf_{_random(34)}",
    "SESSION": f"eyJ{_part(24)}.eyJ{_part(40)}.{_part(32)}",
    "DATABASE_URL": f"postgresql://reports:{PASSWORD}@db.internal:5432/reports",
    "SIGNING_KEY": f"-----BEGIN PRIVATE KEY-----\n{PEM_BODY}\n-----END PRIVATE KEY-----",
    "NPM_CONFIG_TOKEN": f"npm_{_random(36)}",
    "DEPLOY_TOKEN": _random(28, string.ascii_lowercase + string.digits),
}
TAKEN = [name for name in SECRETS if name not in {"OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GROQ_API_KEY"}]
"""By the steps; the others are keys of providers that are called."""
TRACES = {
    name: value.splitlines()[1:-1] if "\n" in value else [value]
    for name, value in SECRETS.items()
} | {"the password of DATABASE_URL": [PASSWORD]}  # fmt: skip
"""What must not be found: of a PEM key each of its lines."""

ENV = "{" + ", ".join(f"{name}: ${name}" for name in TAKEN) + "}"
WORKFLOW = f"""\
name: leaky
inputs: {{note: string}}
defaults: {{retry: {{max_attempts: 1}}}}
agents:
  chat: {{model: "groq:m-1"}}
steps:
  - {{id: command, run: [{sys.executable}, say.py], env: {ENV}}}
  - {{id: code, python: "says:values", env: {ENV}}}
  - {{id: fails, run: [{sys.executable}, say.py, fail], env: {ENV}, on_error: continue}}
  - {{id: raises, python: "says:raises", env: {ENV}, on_error: continue}}
  - id: echo
    agent: chat
    prompt: "Repeat all of this: {{{{ command }}}} {{{{ code }}}} {{{{ inputs.note }}}}"
  - {{id: openai, model: "openai:m-1", prompt: "Hello {{{{ command }}}}"}}
  - id: refused
    model: "anthropic:m-1"
    prompt: "Hello {{{{ echo }}}}"
    settings: {{max_tokens: 100}}
    on_error: continue
  - id: each
    for_each: "{{{{ code }}}}"
    run: [{sys.executable}, -c, "import sys; print(sys.argv[1])", "{{{{ item }}}}"]
  - {{id: look_alike, run: [{sys.executable}, look.py]}}
outputs: {{all: "{{{{ echo }}}} {{{{ code }}}} {{{{ each }}}} {{{{ openai }}}}"}}
"""
LOOK_ALIKE = f"sk-{_random(32)}"
"""Nobody loaded it: it may be anything, and a step may need it."""
SAY = f"""\
import json, os, sys
names = {TAKEN!r}
for name in names:
    print(name, os.environ[name])
    print(os.environ[name], file=sys.stderr)
print(json.dumps({{name: os.environ[name] for name in names}}))
if "fail" in sys.argv:
    sys.exit("refused: " + " ".join(os.environ[name] for name in names))
"""
SAYS = f"""\
import os
names = {TAKEN!r}
def values():
    return [os.environ[name] for name in names]
def raises():
    raise RuntimeError("bad " + "; ".join(values()))
"""
CONFIG = """\
[providers.groq]
kind = "openai"
base_url = "URL/groq/v1"
key_env = "GROQ_API_KEY"
[providers.groq.headers]
X-Team = "$TEAM_TOKEN"
[providers.groq.prices."m-1"]
input = 1
output = 1
"""


def program(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """As `aethermind` of the other tests, where a traceback of the user's own code may be shown."""
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


async def echo(request: Request, reply: Reply) -> None:
    """A server that says back who asked, with all headers, and what was asked."""
    said = json.dumps(dict(request.headers)) + request.body.decode()
    if "messages" in request.path:
        body = {"type": "error", "error": {"type": "authentication_error", "message": f"no: {said}"}}
        await reply.whole(401, json.dumps(body).encode(), "application/json")
        return
    wire = Responses() if request.path.endswith("/responses") else Chat()
    await reply.start(200, wire.content_type)
    await reply.send(*wire.chunks(said))
    await reply.end()


def leaks(data: bytes) -> list[str]:
    return [name for name, parts in TRACES.items() if any(part.encode() in data for part in parts)]


def test_nothing_that_is_kept_or_leaves_has_a_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, home = tmp_path / "work", tmp_path / "home"
    here.mkdir()
    (here / "leaky.yaml").write_text(WORKFLOW)
    (here / "look.py").write_text(f"print({LOOK_ALIKE!r})")
    (here / "say.py").write_text(SAY)
    (here / "says.py").write_text(SAYS)
    config = tmp_path / "config.toml"
    team = _random(30)
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TEAM_TOKEN", team)
    monkeypatch.setenv("AETHERMIND_HOME", str(home))
    monkeypatch.setenv("AETHERMIND_CONFIG", str(config))
    with in_thread(echo) as server:
        config.write_text(CONFIG.replace("URL", server.url))
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        note = f"the note of {SECRETS['DEPLOY_TOKEN']}"
        run = program("run", "leaky.yaml", "-i", f"note={note}", "--json", "--yes", "--trust", cwd=here)
        asked = b"".join(request.body for request in server.requests)
    assert run.stdout, run.stderr
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    summary = lines[-1]["summary"]
    status = {step["id"]: step["status"] for step in summary["steps"]}
    assert run.returncode == 0, run.stderr + str(status)
    assert {status[name] for name in ("command", "code", "echo", "openai", "each")} == {"succeeded"}
    assert {status[name] for name in ("fails", "raises", "refused")} == {"failed"}
    # All of it was really said: the mask stands where it was.
    outputs = {step["id"]: json.dumps(step["output"]) for step in summary["steps"]}
    for name in ("command", "code", "echo", "openai"):
        assert "[redacted]" in outputs[name], name
    assert LOOK_ALIKE in outputs["look_alike"], "what only looks like a key may be needed by what follows"
    warnings = [
        line["data"]
        for line in lines
        if line.get("type") == "LogWritten" and line["data"]["level"] == "warning"
    ]
    assert {line.get("step") for line in warnings if "held a secret" in line["message"]} >= {
        "command",
        "code",
    }
    assert leaks(asked) == [], "nor does one step's secret reach the model of another"

    shown = [run.stdout, run.stderr]
    run_id = summary["run"]["id"]
    for arguments in (
        ["export", run_id, "--output", str(tmp_path / "out.jsonl")],
        ["export", run_id, "--sim", "--output", str(tmp_path / "out.sim.yaml")],
        ["db", "backup", str(tmp_path / "copy.db")],
        ["show", run_id, "--json"],
        ["logs", run_id],
        ["doctor"],
        ["models"],
    ):
        done = program(*arguments, cwd=here)
        assert done.returncode in {0, 1}, done.stderr
        shown += [done.stdout, done.stderr]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"aethermind.db", "out.jsonl", "out.sim.yaml", "copy.db"}
    found = {str(path.relative_to(tmp_path)): leaks(path.read_bytes()) for path in files}
    assert not {name: names for name, names in found.items() if names}
    assert not [
        name for path in files if path != config and team.encode() in path.read_bytes() for name in [path]
    ]
    for text in shown:
        assert leaks(text.encode()) == []
