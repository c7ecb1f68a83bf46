"""Stand-ins for coding agents: executables that write what a test says and keep what they were given.

An act is `("out", text)`, `("err", text)`, `("wait",)` until killed, `("until", path)` until a file is there,
`("exit", code)`, `("kill",)` itself, `("leave", path)` a grandchild that holds the pipes and notes its pid,
`("file", path, text)`, `("deaf",)` to SIGTERM. It reads its input first, unless the first act is `("mute",)`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

Act = tuple[Any, ...]

_BODY = """
import json, os, signal, subprocess, sys, time
acts = json.loads({acts!r})
told = b"" if acts and acts[0] == ["mute"] else sys.stdin.buffer.read()
seen = {{"argv": sys.argv[1:], "env": dict(os.environ), "cwd": os.getcwd()}}
seen |= {{"stdin": told.decode(), "pid": os.getpid()}}
with open({seen!r} + ".part", "w") as file:
    json.dump(seen, file)
os.replace({seen!r} + ".part", {seen!r})
with open({starts!r}, "a") as file:
    file.write("start\\n")
for act, *rest in acts:
    if act in ("out", "err"):
        stream = sys.stdout if act == "out" else sys.stderr
        stream.buffer.write(rest[0].encode("utf-8", "surrogateescape"))
        stream.flush()
    elif act == "wait":
        while True:
            signal.pause()
    elif act == "until":
        while not os.path.exists(rest[0]):
            time.sleep(0.01)
    elif act == "exit":
        sys.stdout.flush()
        os._exit(rest[0])
    elif act == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif act == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    elif act == "leave":
        left = subprocess.Popen([sys.executable, "-I", "-S", "-c", "import signal; signal.pause()"])
        with open(rest[0], "w") as file:
            file.write(str(left.pid))
    elif act == "file":
        with open(rest[0], "w") as file:
            file.write(rest[1])
"""


class StandIn:
    """An executable `name` in `directory`."""

    def __init__(self, directory: Path, name: str, *acts: Act) -> None:
        directory.mkdir(exist_ok=True)
        self.path = directory / name
        self._seen = directory / f"{name}.seen.json"
        self._starts = directory / f"{name}.starts"
        self.acts(*acts)

    def acts(self, *acts: Act) -> None:
        """What it does from its next start on."""
        body = _BODY.format(acts=json.dumps(acts), seen=str(self._seen), starts=str(self._starts))
        self.path.write_text(f"#!{sys.executable} -IS\n{body}")
        self.path.chmod(0o755)

    @property
    def seen(self) -> dict[str, Any]:
        """What it was given at its last start."""
        found: dict[str, Any] = json.loads(self._seen.read_text())
        return found

    @property
    def starts(self) -> int:
        return self._starts.read_text().count("\n") if self._starts.exists() else 0


def lines(*events: Any) -> Act:
    """Events as JSON lines."""
    return ("out", "".join(json.dumps(event) + "\n" for event in events))


# --- Claude Code -----------------------------------------------------------------------------------

SESSION = "5c7d9f6e-0000-4000-8000-000000000001"


def claude_init(model: str = "claude-sonnet-5-5") -> dict[str, Any]:
    return {"type": "system", "subtype": "init", "session_id": SESSION, "model": model, "tools": ["Bash"]}


def claude_piece(message: str, *pieces: str) -> list[dict[str, Any]]:
    """A message in pieces, as `--include-partial-messages` brings it."""
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": {"id": message, "role": "assistant"}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *(
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}}
            for piece in pieces
        ),
        {"type": "content_block_stop", "index": 0},
    ]
    return [
        {"type": "stream_event", "event": event, "session_id": SESSION, "parent_tool_use_id": None}
        for event in events
    ]


def claude_says(message: str, *content: dict[str, Any], **fields: Any) -> dict[str, Any]:
    body = {"id": message, "role": "assistant", "type": "message", "content": list(content)}
    return {
        "type": "assistant", "message": body, "session_id": SESSION, "parent_tool_use_id": None, **fields
    }  # fmt: skip


def claude_uses(id_: str, name: str = "Bash", **arguments: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": id_, "name": name, "input": arguments}


def claude_tool(id_: str, text: str, *, is_error: bool = False) -> dict[str, Any]:
    block = {"type": "tool_result", "tool_use_id": id_, "content": text, "is_error": is_error}
    return {"type": "user", "message": {"role": "user", "content": [block]}, "session_id": SESSION}


def claude_end(result: str = "It works.", **fields: Any) -> dict[str, Any]:
    usage = {
        "input_tokens": 12,
        "cache_creation_input_tokens": 300,
        "cache_read_input_tokens": 5_000,
        "output_tokens": 80,
    }
    return {
        "type": "result", "subtype": "success", "is_error": False, "result": result, "num_turns": 2,
        "session_id": SESSION, "total_cost_usd": 0.0123456, "usage": usage, **fields,
    }  # fmt: skip


def claude_good(result: str = "It works.") -> Act:
    """A short good run, without tools."""
    return lines(claude_init(), claude_says("m1", {"type": "text", "text": result}), claude_end(result))


# --- Codex -----------------------------------------------------------------------------------------

THREAD = "0199a213-0000-7000-8000-000000000001"
CODEX_START = {"type": "thread.started", "thread_id": THREAD}
CODEX_USAGE = {
    "input_tokens": 4_000, "cached_input_tokens": 3_000, "output_tokens": 200, "reasoning_output_tokens": 64
}  # fmt: skip


def codex_item(kind: str, id_: str, *, state: str = "completed", **fields: Any) -> dict[str, Any]:
    return {"type": f"item.{state}", "item": {"id": id_, "type": kind, **fields}}


CODEX_END = {"type": "turn.completed", "usage": CODEX_USAGE}
