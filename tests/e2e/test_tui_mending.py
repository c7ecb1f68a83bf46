"""A run that failed is mended in the terminal UI: `M` opens the editor, what was done is not done again."""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path

import pytest

from tests.cli.program import aethermind, effects
from tests.e2e.terminal import terminal

FLOW = """\
name: three
steps:
  - id: first
    run: [sh, -c, "echo first >> effects.txt"]
  - id: middle
    run: [sh, -c, "echo middle >> effects.txt; exit {code}"]
    depends_on: [first]{more}
  - id: last
    run: [sh, -c, "echo last >> effects.txt"]
    depends_on: [middle]
"""
EDITOR = """\
#!{python}
# Writes down how it was called, and puts the next version in the file's place.
import pathlib, sys
here = pathlib.Path({here!r})
with (here / "calls").open("a") as calls:
    calls.write(" ".join(sys.argv[1:]) + "\\n")
turn = len((here / "calls").read_text().splitlines())
pathlib.Path(sys.argv[-1]).write_text((here / f"version{{turn}}").read_text())
"""


@pytest.fixture
def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Its directory: `calls`, and `version1`, `version2`, … that it saves."""
    here = tmp_path / "editor"
    here.mkdir()
    program = here / "vim"  # by this name it is told the line
    program.write_text(EDITOR.format(python=sys.executable, here=str(here)))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("VISUAL", str(program))
    return here


def test_a_failed_run_is_mended_by_one_key(tmp_path: Path, editor: Path) -> None:
    file = tmp_path / "three.yaml"
    file.write_text(FLOW.format(code=3, more=""))
    (editor / "version1").write_text(FLOW.format(code=0, more="\n    retrry: 3"))
    (editor / "version2").write_text(FLOW.format(code=0, more=""))
    with terminal("run", str(file), "--trust", "--tui", cwd=tmp_path, columns=80, lines=24) as screen:
        screen.shows("M", "mend the file")
        screen.press("M", lambda: "three.yaml:8:5" in screen.text, what="the problem")
        screen.shows("did you mean `retry`")
        screen.shows("8 |", "retrry: 3")
        screen.press("e", lambda: "keeps" in screen.text, what="the plan")
        screen.shows("keeps", "first")
        screen.shows("runs", "middle, last")
        screen.press("\r", lambda: "starts programs" in screen.text, what="the question of trust")
        screen.press("t", lambda: "✓ succeeded" in screen.text, what="the end")
        assert screen.leave() == 0
    assert effects(tmp_path) == ["first", "middle", "middle", "last"]
    assert (editor / "calls").read_text().splitlines() == [f"+5 {file}", f"+8 {file}"]
    run = json.loads(aethermind("show", "last", "--json").stdout)
    assert run["run"]["status"] == "succeeded"
    attempts = {step["id"]: [a["status"] for a in step["attempts"]] for step in run["steps"]}
    assert attempts["first"] == ["succeeded"]
    assert attempts["middle"][-1] == "succeeded"
