"""docs/api.md: every example does what the page says, against the real program."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "api.md"
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@contextmanager
def engine(home: str) -> Iterator[str]:
    """`aethermind serve` on this data directory; its address."""
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "aethermind",
            "--home",
            home,
            "serve",
            "--idle",
            "60s",
            "--tcp",
            "127.0.0.1:0",
        ],
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stderr is not None
        told = process.stderr.readline()
        found = re.search(r"http://(127\.0\.0\.1:\d+)", told)
        assert found is not None, told
        yield found[1]
        assert process.wait(timeout=30) == 0, "the page's last example ends it"
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            process.wait()
        if process.stderr is not None:
            process.stderr.close()


def script(watcher: Path) -> str:
    """The page's shell examples in one; the client of the WebSocket runs where it stands."""
    parts = ["set -euo pipefail"]
    for language, text in FENCE.findall(PAGE.read_text()):
        if language == "sh":
            parts.append(text)
        elif language == "python":
            watcher.write_text(text)
            parts.append(f'"{sys.executable}" "{watcher}" "$ASKS" > "{watcher}.out"')
    return "\n".join(parts)


def test_every_example_works(tmp_path: Path) -> None:
    for needed in ("bash", "curl"):
        if shutil.which(needed) is None:
            pytest.skip(f"this system lacks {needed}")
    watcher = tmp_path / "watch.py"
    with tempfile.TemporaryDirectory(prefix="ae") as home, engine(home) as server:
        done = subprocess.run(
            ["bash", "-c", script(watcher)],
            env=os.environ | {"AETHERMIND_HOME": home, "SERVER": server},
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    seen = Path(f"{watcher}.out").read_text().splitlines()
    assert seen[0].split()[1] == "RunCreated"
    assert [line.split()[1] for line in seen].count("AskAnswered") == 1
    assert seen[-1].split()[1] == "RunSucceeded"
    assert "aethermind_runs_live" in done.stdout
    assert '"ok":true' in done.stdout
