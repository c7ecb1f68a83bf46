"""What the terminal sends, decoded: no byte ends the program, and a paste presses no keys."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual._xterm_parser import XTermParser
from textual.events import Key, Paste

from aethermind.tui.incoming import SHOWN, Incoming

START, END = b"\x1b[200~", b"\x1b[201~"


def _decoded(*chunks: bytes) -> str:
    incoming = Incoming()
    return "".join(incoming.decode(chunk) for chunk in chunks)


def test_a_byte_that_is_no_utf8_is_replaced() -> None:
    assert _decoded(b"a\xb1b") == "a\ufffdb"


def test_a_character_in_two_reads_is_one() -> None:
    assert _decoded(b"\xe2\x82", b"\xac") == "€"


def test_keys_are_handed_on_as_they_came() -> None:
    assert _decoded(b"\x1b", b"[A", b"\x1b[200") == "\x1b[A\x1b[200"


def test_after_a_paste_keys_are_keys_again() -> None:
    assert _decoded(START + b"\x1b[A" + END + b"\x1b[A") == f"\x1b[200~{SHOWN}[A\x1b[201~\x1b[A"


@given(
    st.binary(max_size=40).filter(lambda body: END not in body),
    st.lists(st.integers(0, 60), max_size=6),
)
def test_a_paste_is_one_text_wherever_the_reads_end(body: bytes, cuts: list[int]) -> None:
    raw = START + body + END + b"q"
    edges = [0, *sorted({min(cut, len(raw)) for cut in cuts}), len(raw)]
    text = _decoded(*(raw[a:b] for a, b in pairwise(edges)))
    assert text == _decoded(raw)
    assert text.startswith("\x1b[200~")
    assert text.endswith("\x1b[201~q")
    assert text.count("\x1b") == 2


@pytest.mark.parametrize("body", [b"one\x1b[31mred", b"\x1bq\x1b\x1b:", b"\xff\xfe\x00x"])
def test_no_key_comes_out_of_a_paste(body: bytes) -> None:
    messages = list(XTermParser().feed(Incoming().decode(START + body + END + b"q")))
    assert [type(m) for m in messages] == [Paste, Key]
    key = messages[1]
    assert isinstance(key, Key)
    assert key.key == "q"
