"""Wrapping: what is laid out piece by piece is what is laid out at once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from aethermind.tui.screens.detail.lines import (
    BLANK,
    Line,
    Span,
    Wrapped,
    breaks,
    cut,
    line,
    plain,
    text_lines,
    wrap,
)

TEXT = st.text("ab  -\n語é", max_size=120)


def laid(text: str, width: int) -> Wrapped:
    found = Wrapped()
    found.wrap(width, soft=True)
    found.set_lines(text_lines(text))
    return found


@given(TEXT, st.integers(2, 30))
def test_no_row_is_wider_than_its_width_but_for_spaces_at_its_end(text: str, width: int) -> None:
    for row in laid(text, width).rows:
        assert cell_len(plain(row).rstrip(" ")) <= width


@given(TEXT, st.integers(2, 14))
def test_nothing_is_lost_or_added(text: str, width: int) -> None:
    found = laid(text, width)
    assert "\n".join(plain(a_line) for a_line in found.lines) == text
    for number, a_line in enumerate(found.lines):
        rows = [row for row, owner in zip(found.rows, found.owner, strict=True) if owner == number]
        assert "".join(map(plain, rows)) == plain(a_line)
        assert found.first[number] == found.owner.index(number)


@given(st.lists(st.text("ab -\n語", min_size=1, max_size=9), max_size=20), st.integers(2, 15))
def test_text_that_streams_in_lies_as_text_that_is_there(chunks: list[str], width: int) -> None:
    grown = Wrapped()
    grown.wrap(width, soft=True)
    for chunk in chunks:
        grown.append(chunk)
    whole = laid("".join(chunks), width)
    if chunks:
        assert grown.rows == whole.rows
        assert (grown.first, grown.owner) == (whole.first, whole.owner)


@given(st.text("ab c", min_size=1, max_size=60), st.integers(2, 20))
def test_append_tells_the_first_row_that_changed(text: str, width: int) -> None:
    found = laid(text, width)
    before = list(found.rows)
    changed = found.append("xy z")
    assert before[:changed] == found.rows[:changed]


def test_words_stay_whole_where_they_can() -> None:
    assert breaks("one two three", 8) == [0, 8]
    assert breaks("abcdefghij", 4) == [0, 4, 8]
    assert breaks("ab cdefghijkl", 5) == [0, 3, 8]
    assert breaks("", 5) == [0]
    assert breaks("語語語", 4) == [0, 2]


def test_styles_survive_a_cut() -> None:
    a_line: Line = (Span("abc", "x"), Span("def", "y"))
    assert cut(a_line, 2, 5) == (Span("c", "x"), Span("de", "y"))
    assert wrap(a_line, 4) == [(Span("abc", "x"), Span("d", "y")), (Span("ef", "y"),)]


def test_rows_that_follow_hang() -> None:
    (bullet,) = text_lines("  - a point that is long enough to wrap")
    rows = [plain(row) for row in wrap(bullet, 24, hang=4)]
    assert rows == ["  - a point that is long ", "    enough to wrap"]
    assert [plain(row) for row in wrap(bullet, 10, hang=4)][1] == "point that "  # too narrow to hang


def test_without_wrapping_the_widest_row_is_known() -> None:
    found = Wrapped()
    found.wrap(10, soft=False)
    found.set_lines(text_lines("a\n" + "b" * 40))
    assert found.widest == 40
    assert len(found.rows) == 2


def test_tabs_become_spaces_and_empty_pieces_vanish() -> None:
    assert text_lines("a\tb\n") == [(Span("a   b"),), BLANK]
    assert line("a", ("b", "x"), "") == (Span("a"), Span("b", "x"))


@pytest.mark.parametrize("width", [0, -3])
def test_no_width_lays_nothing_out(width: int) -> None:
    assert laid("abc", width).rows == []
