"""What several tests of the screens begin with."""

from __future__ import annotations

from pathlib import Path

import pytest

from aethermind.tui.screens import dialog
from tests.tui.starting import KINDS, SHELL


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with workflows, and where one is; samples beside it."""
    monkeypatch.setattr(dialog, "GUARD_S", 0.0)
    samples = tmp_path / "samples"
    work = tmp_path / "work"
    for folder in (samples, work / "workflows"):
        folder.mkdir(parents=True)
    (work / "kinds.yaml").write_text(KINDS)
    (work / "notes.yaml").write_text("just: notes\n")
    (work / "kinds.sim.yaml").write_text("steps: {a: {reply: hello}}\n")
    (work / "workflows" / "shell.yaml").write_text(SHELL)
    (samples / "research-brief.yaml").write_text("name: research-brief\nsteps: [{id: a, prompt: hi}]\n")
    (samples / "kinds.yaml").write_text("name: other\nsteps: []\n")
    monkeypatch.chdir(work)
    return tmp_path
