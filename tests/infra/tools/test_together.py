"""One agent with every kind of tool mends a test, as a model would have it done."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.infra.tools.boxes import SERVER, http_server, kit
from tests.infra.tools.mcp_server import server

LIMITS = {"approve": "ask", "timeout_ms": 30_000}
TEST = "from sums import add\n\ndef test_add():\n    assert add(2, 2) == 4\n"


async def test_a_failing_test_is_mended(tmp_path: Path) -> None:
    (tmp_path / "sums.py").write_text("def add(a, b):\n    return a - b\n")
    (tmp_path / "test_sums.py").write_text(TEST)
    (tmp_path / "notes.py").write_text(
        'def lookup(word: str) -> dict:\n    "Look a word up."\n    return {"word": word}\n'
    )
    check = [sys.executable, "-c", "import test_sums; test_sums.test_add()"]
    async with kit(tmp_path) as made, http_server(server) as url:
        box = await made.open(
            {"files": {"read": "always", "write": "ask"}},
            {"shell": {**LIMITS, "max_output": 10_000, "allowed": [[sys.executable]]}},
            {"python": {**LIMITS, "call": "notes:lookup", "approve": "always", "effect": "pure"}},
            {"mcp": {**LIMITS, "command": SERVER, "env": {}, "allowed": ["add"]}},
            {"mcp": {**LIMITS, "url": url, "headers": {}, "allowed": ["add", "fetch"]}},
        )
        names = [spec.name for spec in box.specs]
        assert names[5:] == ["shell", "lookup", "add", "mcp_127_0_0_1_add", "fetch"]

        failed = await box.call("shell", {"argv": check})
        assert failed.is_error
        assert "AssertionError" in failed.text
        assert (await box.call("search_files", {"pattern": "def add"})).text == "sums.py:1: def add(a, b):"
        assert (await box.call("lookup", {"word": "sum"})).data == {"word": "sum"}
        assert (await box.call("add", {"a": 2, "b": 2})).text == "4"
        assert (await box.call("mcp_127_0_0_1_add", {"a": 2, "b": 2})).text == "4"
        assert (await box.call("fetch", {"url": "arithmetic"})).text == "the page arithmetic"
        edit = {"path": "sums.py", "old": "a - b", "new": "a + b"}
        preview = await box.preview("edit_file", edit)
        assert "-    return a - b\n+    return a + b" in preview.text
        await box.call("edit_file", edit, basis=preview.basis)
        assert not (await box.call("shell", {"argv": check})).is_error
