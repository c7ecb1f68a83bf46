from __future__ import annotations

import sys
from pathlib import Path

import pytest

from aethermind.infra.workspace import submitter_interpreter, user_name


def test_which_interpreter(tmp_path: Path) -> None:
    assert submitter_interpreter(str(tmp_path), None) == sys.executable
    assert submitter_interpreter(str(tmp_path), "python3.13") == "python3.13"
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("")
    assert submitter_interpreter(str(tmp_path), None) == sys.executable, "not executable"
    python.chmod(0o755)
    assert submitter_interpreter(str(tmp_path), "python3.13") == str(python)


def test_who_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    name = user_name()
    monkeypatch.setenv("USER", "somebody-else")
    monkeypatch.setenv("LOGNAME", "somebody-else")
    assert user_name() == name != ""
