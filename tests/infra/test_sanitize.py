from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aethermind.infra.sanitize import clean, clean_line, is_clean, is_clean_line
from tests.hostile import HOSTILE, UNSAFE

# Surrogates included; and, half of the time, nothing but characters that mean trouble.
TROUBLE = st.text(
    st.sampled_from(
        "\x1b\x9b\r\n\t a[m]0\u2764\ufe0f\ufe0e\u200d\u200c\u0645\u0301\u0335\u202e\ud800\U0001f469\U000e0041"
    )
)
ANY = st.one_of(st.text(st.characters(exclude_categories=())), TROUBLE)


@given(ANY)
def test_nothing_unsafe_is_left(text: str) -> None:
    assert not UNSAFE.search(clean(text))
    line = clean_line(text)
    assert not UNSAFE.search(line)
    assert "\n" not in line
    assert "\t" not in line


@given(ANY)
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    once, line = clean(text), clean_line(text)
    assert clean(once) == once
    assert clean_line(line) == line
    assert clean_line(once) == line
    assert is_clean(once)
    assert is_clean_line(line)


@given(ANY)
def test_harmless_text_is_returned_itself(text: str) -> None:
    assert is_clean(text) == (clean(text) == text)
    assert is_clean_line(text) == (clean_line(text) == text)
    if is_clean(text):
        assert clean(text) is text
    if is_clean_line(text):
        assert clean_line(text) is text


@given(ANY)
def test_every_line_stays_a_line(text: str) -> None:
    assert clean(text).count("\n") == text.count("\n")


@pytest.mark.parametrize("text", HOSTILE)
def test_the_hostile_corpus(text: str) -> None:
    assert not UNSAFE.search(clean(text))
    assert not UNSAFE.search(clean_line(text))


def test_every_control_and_format_character_of_unicode_is_caught() -> None:
    kept = {
        char
        for char in map(chr, range(0x110000))
        if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and is_clean(char)
    }
    # Visible signs that Unicode files under format: number signs of Arabic, Syriac, Kaithi, hieroglyphs.
    visible = {
        *map(chr, range(0x600, 0x606)),
        "\u06dd",
        "\u070f",
        "\u0890",
        "\u0891",
        "\u08e2",
        "\U000110bd",
        "\U000110cd",
    }
    assert kept - visible - {chr(c) for c in range(0x13430, 0x13440)} == {"\n", "\t"}


@pytest.mark.parametrize(
    "text, shown",
    [
        ("plain\ttext\n", "plain\ttext\n"),
        ("\x1b[31mred", "\u241b[31mred"),
        ("\x00\x07\x7f", "\u2400\u2407\u2421"),
        ("\x9b31m", "\u27e8U+009B\u27e931m"),
        ("\u202egnp.exe", "\u27e8U+202E\u27e9gnp.exe"),
        ("pay\u200bpal", "pay\u27e8U+200B\u27e9pal"),
        ("\U000e0041", "\u27e8U+E0041\u27e9"),
        ("\ud800", "\u27e8U+D800\u27e9"),
        ("dos\r\n", "dos\n"),
        ("good\rEVIL", "good\u240dEVIL"),
        ("\r\r\n", "\u240d\n"),
        # dropped, as typography
        ("I \u2764\ufe0f it", "I \u2764 it"),
        ("\U0001f469\u200d\U0001f467", "\U0001f469\U0001f467"),
        ("\U0001f3f3\ufe0f\u200d\U0001f308", "\U0001f3f3\U0001f308"),
        ("\u0645\u06cc\u200c\u062e\u0648", "\u0645\u06cc\u062e\u0648"),
        # and the same characters where they hide something
        ("\u2764\ufe0f\ufe0f", "\u2764\u27e8U+FE0F\u27e9"),
        ("ab\u200dcd", "ab\u27e8U+200D\u27e9cd"),
        # accents: four stay
        ("e\u0301\u0302\u0303\u0304", "e\u0301\u0302\u0303\u0304"),
        ("e" + "\u0301" * 10, "e" + "\u0301" * 4 + "\u27e8+6\u27e9"),
        ("naïve Ünïcödé 你好 → ✓ ▌⣿", "naïve Ünïcödé 你好 → ✓ ▌⣿"),
    ],
)
def test_what_is_shown(text: str, shown: str) -> None:
    assert clean(text) == shown


def test_a_line_shows_its_breaks() -> None:
    assert clean_line("a\tb\r\nc\n") == "a b\u240ac\u240a"
