from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from aethermind.infra.sanitize import is_clean_line
from aethermind.tui.rows.cells import Line, cells_width, cut, fit, plain, slide

TEXTS = st.text(max_size=30)
WIDE = "漢字かな混じり"


def test_fit_pads_and_cuts() -> None:
    assert fit("ab", 4) == "ab  "
    assert fit("ab", 4, right=True) == "  ab"
    assert fit("abcdef", 4) == "abc…"
    assert fit("abcdef", 4, ellipsis="~") == "abc~"
    assert fit("abc", 0) == ""
    assert fit("abc", 1) == "…"


@given(st.text(alphabet=st.characters(codec="utf-8", categories=["L", "N", "P", "Zs"])), st.integers(0, 40))
def test_fit_is_exact_in_cells(text: str, width: int) -> None:
    assert cell_len(fit(text, width)) == width


def test_wide_characters_count_two() -> None:
    assert fit(WIDE, 5) == "漢字…"
    assert cell_len(fit(WIDE, 6)) == 6
    assert cells_width([(WIDE, "")]) == 14


@given(TEXTS)
def test_what_is_said_is_clean(text: str) -> None:
    line = Line().say(text, "x", width=12)
    assert is_clean_line(plain(line.cells))
    assert line.width == 12


def test_to_pads_and_cuts() -> None:
    assert plain(Line().add("abc").to(5).cells) == "abc  "
    line = Line().add("abc", "x").add("defg", "y").to(5)
    assert line.cells == [("abc", "x"), ("d…", "y")]
    assert line.width == 5


def test_cut_keeps_styles() -> None:
    cells = [("ab", "x"), ("cdef", "y"), ("gh", "z")]
    assert cut(cells, 8) == cells
    assert cut(cells, 5) == [("ab", "x"), ("cd…", "y")]
    assert cut(cells, 0) == []


def test_slide_scrolls_sideways() -> None:
    cells = [("abc", "x"), ("def", "y")]
    assert slide(cells, 0) == cells
    assert slide(cells, 2) == [("c", "x"), ("def", "y")]
    assert slide(cells, 4) == [("ef", "y")]
    assert slide(cells, 9) == []
    assert slide([("漢字", "")], 1) == [(" 字", "")]  # half a wide character
