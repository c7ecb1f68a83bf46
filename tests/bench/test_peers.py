from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench.peers import places


@pytest.mark.parametrize("name", places.PEERS)
def test_a_peer_is_pinned_by_version_and_hash_and_names_no_address(name: str) -> None:
    text = places.requirements(name).read_text()
    packages = re.findall(r"^([a-z0-9][a-z0-9._-]*)==\S+ *(?:;[^\\\n]*)?\\$", text, re.MULTILINE)
    assert packages
    assert text.count("==") >= len(packages)
    assert text.count("--hash=sha256:") >= len(packages)
    assert "://" not in text
    assert (places.requirements(name).parent / "drive.py").exists()


def test_an_environment_of_other_requirements_counts_as_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "CACHE", tmp_path)
    assert places.python("burr") is None
    places.directory("burr").mkdir(parents=True)
    places.stamp("burr").write_text("of other requirements")
    assert places.python("burr") is None
    places.stamp("burr").write_text(places.wanted("burr"))
    assert places.python("burr") == tmp_path / "peers" / "burr" / "bin" / "python"
