"""In a pipe, from a directory with a virtual environment of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.cli.program import aethermind, quick

WORKFLOW = """\
name: measure
inputs: {diff: string}
steps:
  - id: counted
    python: measuring:count
    with: {diff: "{{ inputs.diff }}"}
  - id: judged
    prompt: "Judge {{ counted.added }} lines."
    settings: {sim: {reply: "fine"}}
outputs: {counted: "{{ counted }}", judged: "{{ judged }}"}
"""
# In the directory, importing what only its virtual environment has.
MODULE = """\
import sys
import labkit

def count(diff):
    print("counting", len(diff), "characters")
    return {**labkit.count(diff), "prefix": sys.prefix}
"""
PACKAGE = """\
def count(diff):
    lines = [line for line in diff.splitlines() if not line.startswith(("+++", "---"))]
    signs = [line[:1] for line in lines]
    return {"added": signs.count("+"), "removed": signs.count("-")}
"""


def project(directory: Path) -> Path:
    """A git repository with an uncommitted change and a `.venv` of its own."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", ".venv"], cwd=directory, check=True)
    (packages,) = (directory / ".venv").glob("lib/python3*/site-packages")
    (packages / "labkit.py").write_text(PACKAGE)
    (directory / "measuring.py").write_text(MODULE)
    (directory / "measure.yaml").write_text(WORKFLOW)
    (directory / ".gitignore").write_text("*\n!shop.py\n")
    (directory / "shop.py").write_text("def total(cart):\n    return sum(cart)\n\n\nNAME = 'Lädchen'\n")
    git = ["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.test", "-c", "init.defaultBranch=main"]
    subprocess.run([*git, "init", "-q"], cwd=directory, check=True)
    subprocess.run([*git, "add", "shop.py"], cwd=directory, check=True)
    subprocess.run([*git, "commit", "-qm", "A shop"], cwd=directory, check=True)
    (directory / "shop.py").write_text(
        "def total(cart):\n    return max(cart)\n\n\nNAME = 'Lädchen №1'\nX = 1\n"
    )
    return directory


def piped(directory: Path, *arguments: str) -> tuple[int, str, str]:
    """`git diff | aethermind …`, through a real pipe."""
    diff = subprocess.Popen(["git", "diff"], cwd=directory, stdout=subprocess.PIPE)
    done = subprocess.run(
        [sys.executable, "-m", "aethermind", *arguments],
        cwd=directory,
        stdin=diff.stdout,
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )
    assert diff.stdout is not None
    diff.stdout.close()
    assert diff.wait(10) == 0
    assert "Traceback" not in done.stdout + done.stderr
    return done.returncode, done.stdout, done.stderr


def test_a_diff_is_reviewed(tmp_path: Path) -> None:
    quick("review-diff", project(tmp_path), faster=200)
    code, out, err = piped(tmp_path, "run", "review-diff", "-i", "diff=-", "--sim")
    assert code == 0, err
    assert out.startswith("# ")
    assert "✓ succeeded" in err
    shown = json.loads(aethermind("show", "last", "--json").stdout)
    diff = subprocess.run(["git", "diff"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert "Lädchen №1" in diff
    assert shown["run"]["inputs"]["diff"] == diff


def test_a_python_step_runs_in_the_directorys_own_environment(tmp_path: Path) -> None:
    code, out, err = piped(project(tmp_path), "run", "measure", "-i", "diff=-", "--sim", "-q", "--trust")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert found["judged"] == "fine"
    counted = found["counted"]
    assert (counted["added"], counted["removed"]) == (3, 2)
    assert Path(counted["prefix"]) == tmp_path / ".venv"
    assert "counting" in aethermind("logs", "last").stdout
    # Not ours: this process has no such package, so nothing but the .venv can have given it.
    elsewhere = aethermind("run", "measure", "-i", "diff=x", "--sim", "--trust", cwd=moved(tmp_path))
    assert elsewhere.returncode == 1
    assert "labkit is not installed" in elsewhere.stderr


def moved(directory: Path) -> Path:
    """The same files beside no `.venv`."""
    other = directory / "elsewhere"
    other.mkdir()
    for name in ("measure.yaml", "measuring.py"):
        (other / name).write_bytes((directory / name).read_bytes())
    return other
