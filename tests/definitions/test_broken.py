from __future__ import annotations

import time
from pathlib import Path

import pytest

from aethermind.definitions.loader import load_file
from aethermind.domain.errors import InvalidError
from tests.broken.generated import generated

CORPUS = Path(__file__).parent.parent / "broken"
EXPECTED = [line.split("\t") for line in (CORPUS / "expected.tsv").read_text(encoding="utf-8").splitlines()]
GENERATED = generated()


def test_the_corpus_is_whole() -> None:
    assert {name for name, _, _ in EXPECTED} == {p.name for p in CORPUS.glob("*.yaml")}
    assert len(EXPECTED) >= 45


@pytest.mark.parametrize("name,place,message", EXPECTED, ids=[e[0] for e in EXPECTED])
def test_broken_file(name: str, place: str, message: str, tmp_path: Path) -> None:
    path = CORPUS / name
    with pytest.raises(InvalidError) as caught:
        load_file(path, cwd=tmp_path)
    error = caught.value
    assert f"{error.line_no}:{error.column}" == place
    assert error.message.startswith(message)
    assert error.exit_code == 2
    assert error.line().startswith(f"{path}:{place}: ")
    assert len(error.line().splitlines()) == 1
    assert error.line().isprintable()


@pytest.mark.parametrize("name", GENERATED)
def test_generated_broken_file(name: str, tmp_path: Path) -> None:
    content, place, fragment = GENERATED[name]
    path = tmp_path / f"{name}.yaml"
    path.write_bytes(content)
    before = time.process_time()
    with pytest.raises(InvalidError) as caught:
        load_file(path, cwd=tmp_path)
    assert time.process_time() - before < 10, "seconds of CPU, generously"
    error = caught.value
    assert f"{error.line_no}:{error.column}" == place
    assert fragment in error.message
    assert len(error.line()) < 600
    assert len(error.line().splitlines()) == 1
