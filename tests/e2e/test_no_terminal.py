"""What `make run` starts, without and with a terminal: simulated whatever keys there are."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.cli.program import COMMAND, quick
from tests.e2e.models import models
from tests.e2e.terminal import terminal

MADE = ("run", "research-brief", "-i", "topic=the tides", "--sim", "--yes")
"""As the Makefile has it."""


def test_the_makefile_starts_this() -> None:
    makefile = Path(__file__).resolve().parents[2] / "Makefile"
    assert 'aethermind run research-brief -i topic="the tides" --sim --yes $$tui' in makefile.read_text()


def test_without_a_terminal_and_with_a_false_key(tmp_path: Path) -> None:
    quick("research-brief", tmp_path)
    with models({}) as (_, server):
        done = subprocess.run(
            [*COMMAND, *MADE],
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=40,
            check=False,
        )
        assert server.requests == []
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("# Tides: exact in time, local in height\n")
    trace = done.stderr.splitlines()
    for step in ("plan", "research/findings[0]", "analyze", "write"):
        started = next(n for n, line in enumerate(trace) if f"● {step}  started" in line)
        assert any(f"✓ {step} " in line for line in trace[started:])
    assert trace[-1].startswith("✓ succeeded in")
    assert "(sim: notional)" in trace[-1]
    assert "\x1b" not in done.stdout + done.stderr


def test_on_a_terminal_and_with_a_false_key(tmp_path: Path) -> None:
    quick("research-brief", tmp_path)
    with (
        models({}) as (_, server),
        terminal(*MADE, "--tui", cwd=tmp_path, columns=80, lines=24) as screen,
    ):
        screen.shows("SUCCEEDED", "sim")
        screen.shows("your own workflow")  # the card at the end of a run
        assert screen.leave() == 0
        assert server.requests == []
        assert screen.is_restored()
