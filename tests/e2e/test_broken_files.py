"""Broken workflow files through the program: exit 2, one line that says where, nothing else."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.broken.generated import generated
from tests.cli.program import aethermind

CORPUS = Path(__file__).parent.parent / "broken"
EACH = Path(__file__).with_name("each.py")
ONE_LINE = re.compile(r"[^:]+:\d+:\d+: .+")
PLACES = dict(
    line.split("\t")[:2] for line in (CORPUS / "expected.tsv").read_text(encoding="utf-8").splitlines()
)


@pytest.fixture
def broken(tmp_path: Path) -> dict[Path, str]:
    """Every broken file there is, and its `line:column`."""
    found = {CORPUS / name: place for name, place in PLACES.items()}
    for name, (content, place, _) in generated().items():
        path = tmp_path / f"{name}.yaml"
        path.write_bytes(content)
        found[path] = place
    assert len(found) > 100
    return found


def test_validate_tells_one_line_for_each_file(broken: dict[Path, str]) -> None:
    done = aethermind("validate", *map(str, broken))
    assert (done.returncode, done.stdout) == (2, "")
    told = done.stderr.splitlines()
    for line, (path, place) in zip(told, broken.items(), strict=True):
        assert ONE_LINE.fullmatch(line), line
        assert line.startswith(f"{path}:{place}: ")
        assert line.isprintable()


def test_run_refuses_each_and_leaves_nothing_behind(broken: dict[Path, str], tmp_path: Path) -> None:
    results = tmp_path / "results"
    results.mkdir()
    subprocess.run(
        [sys.executable, EACH, results],
        input="\n".join(json.dumps(["run", str(path), "--trust", "--sim"]) for path in broken),
        text=True,
        check=True,
        timeout=60,
    )
    for number, (path, place) in enumerate(broken.items()):
        found = {name: (results / f"{number}.{name}").read_text() for name in ("out", "err", "code")}
        assert (found["out"], found["code"]) == ("", "2"), path
        assert ONE_LINE.fullmatch(found["err"].removesuffix("\n")), found["err"]
        assert found["err"].startswith(f"{path}:{place}: ")
    assert not Path(os.environ["AETHERMIND_HOME"], "aethermind.db").exists()


@pytest.mark.parametrize("name", ["deep-brackets", "deep-mappings", "long-number", "nested-expression"])
def test_nothing_brings_a_whole_process_down(name: str, broken: dict[Path, str], tmp_path: Path) -> None:
    path = tmp_path / f"{name}.yaml"
    done = aethermind("run", path.name, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"{path.name}:{broken[path]}: ")
    assert ONE_LINE.fullmatch(done.stderr.removesuffix("\n"))
