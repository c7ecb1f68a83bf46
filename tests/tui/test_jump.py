from __future__ import annotations

import pytest

from aethermind.tui.jump import LETTERS, labels


@pytest.mark.parametrize("count", [0, 1, 26, 27, 676, 700])
def test_labels_differ_and_none_begins_another(count: int) -> None:
    found = labels(count)
    assert len(set(found)) == count
    assert len({len(label) for label in found}) <= 1


def test_few_places_need_one_key() -> None:
    assert labels(3) == list(LETTERS[:3])
    assert labels(27)[:2] == ["ff", "fj"]
