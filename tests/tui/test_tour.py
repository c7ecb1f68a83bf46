"""The tour shows every picture that is drawn; the pictures fetch nothing and name no machine."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "docs" / "pictures"
NAMES = {path.name for path in PICTURES.glob("*.svg")}


def test_the_tour_has_all_pictures_and_two_sentences_for_each() -> None:
    text = (ROOT / "docs" / "tour.md").read_text()
    shown = re.findall(r"!\[[^\]]+\]\(pictures/([^)]+)\)\n\n(.+)\n", text)
    assert [name for name, _ in shown] == list(dict.fromkeys(name for name, _ in shown))
    assert {name for name, _ in shown} == NAMES
    assert not [name for name, words in shown if len(re.findall(r"[.!?](?: |$)", words)) < 2]


def test_the_program_that_draws_them_draws_these() -> None:
    source = (ROOT / "docs" / "pictures.py").read_text()
    assert not [name for name in NAMES if f'"{name.removesuffix(".svg")}"' not in source]


def test_a_picture_fetches_nothing_and_names_no_machine() -> None:
    for path in PICTURES.glob("*.svg"):
        text = path.read_text()
        assert set(re.findall(r"https?://[\w.]+", text)) <= {"http://www.w3.org", "https://www.textualize.io"}
        assert "@font-face" not in text
        assert not re.search(r"/(tmp|root|Users|work)/", text), path.name
