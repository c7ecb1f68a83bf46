from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aethermind.tui.glyphs import ASCII, UNICODE
from aethermind.tui.rows.cells import cells_width, plain
from aethermind.tui.rows.gantt import Piece, Scale, bar, nice_span, ruler, scale, spark

TEN = Scale(0, 10_000)


def text(pieces: list[Piece], width: int = 10, **more: bool) -> str:
    return plain(bar(TEN, pieces, width, UNICODE, **more))


def test_a_bar_fills_eighths() -> None:
    assert text([Piece(0, 10_000, "ok")]) == "██████████"
    assert text([Piece(0, 5_000, "ok")]) == "█████"
    assert text([Piece(0, 2_500, "ok")]) == "██▌"
    assert text([Piece(0, 125, "ok")]) == "▏"


def test_a_bar_that_begins_inside_a_cell_is_drawn_reversed() -> None:
    cells = bar(TEN, [Piece(2_500, 5_000, "ok")], 10, UNICODE)
    assert cells == [("  ", ""), ("▌", "bar.ok.r"), ("██", "bar.ok")]


def test_the_shortest_is_still_seen() -> None:
    for at in range(0, 10_000, 333):
        assert plain(bar(TEN, [Piece(at, at, "ok")], 10, UNICODE)).strip()
    assert plain(bar(TEN, [Piece(10_000, 10_000, "ok")], 10, UNICODE)).strip()


def test_attempts_and_the_waits_between_them() -> None:
    pieces = [
        Piece(0, 2_000, "failed"),
        Piece(2_000, 4_000, "waiting", wait=True),
        Piece(4_000, 6_000, "failed"),
    ]
    assert text(pieces, failed=True) == "██░░██!"
    assert plain(bar(TEN, pieces, 10, ASCII, failed=True)) == "==..==!"


def test_the_mark_of_failure_has_a_place_at_the_very_end() -> None:
    assert text([Piece(0, 10_000, "failed")], failed=True) == "█████████!"


@given(
    st.lists(st.tuples(st.integers(-5_000, 20_000), st.integers(0, 20_000)), max_size=6),
    st.integers(0, 60),
    st.booleans(),
)
def test_a_bar_never_leaves_its_place(spans: list[tuple[int, int]], width: int, failed: bool) -> None:
    pieces = [Piece(start, start + length, "ok") for start, length in sorted(spans)]
    for glyphs in (UNICODE, ASCII):
        cells = bar(TEN, pieces, width, glyphs, failed=failed)
        assert cells_width(cells) <= width
        if glyphs.ascii:
            assert plain(cells).isascii()


@pytest.mark.parametrize(
    "elapsed, span",
    [(1, 1_000), (999, 1_000), (1_000, 2_000), (102_000, 120_000), (3_600_000, 5_400_000)],
)
def test_a_living_scale_ends_at_a_round_time(elapsed: int, span: int) -> None:
    assert nice_span(elapsed) == span
    assert scale(50, 50 + elapsed, live=True) == Scale(50, span)


def test_a_living_scale_stands_still_while_time_goes_on() -> None:
    assert len({scale(0, ms, live=True) for ms in range(60_000, 90_000, 500)}) == 1


def test_a_finished_scale_fits() -> None:
    assert scale(1_000, 134_000, live=False) == Scale(1_000, 133_000)
    assert scale(5, 5, live=False).span > 0


@given(st.integers(1, 10_000_000), st.integers(0, 120))
def test_the_ruler_has_its_width(span: int, width: int) -> None:
    assert len(ruler(Scale(0, span), width)) == width


def test_the_ruler_begins_at_nothing_and_ends_at_the_end() -> None:
    line = ruler(Scale(0, 120_000), 36)
    assert line.startswith("0s")
    assert line.endswith("02:00")
    assert "60s" in line or "40s" in line


def test_sparks() -> None:
    assert spark([0, 0], UNICODE) == "▁▁"
    assert spark([0, 1, 50, 100], UNICODE) == "▁▂▅█"
    assert spark([0, 5, 10], ASCII).isascii()
    assert spark([], UNICODE) == ""


CUT = Scale(0, 10_000, ((5_000, 905_000),))
"""Five seconds, a quarter of an hour of nothing, five seconds."""


def test_what_is_left_out_takes_no_room() -> None:
    assert plain(bar(CUT, [Piece(0, 5_000, "ok")], 10, UNICODE)) == "█████"
    assert plain(bar(CUT, [Piece(905_000, 910_000, "ok")], 10, UNICODE)) == "     █████"
    assert plain(bar(CUT, [Piece(0, 910_000, "run")], 10, UNICODE)) == "██████████"
    pieces = [
        Piece(0, 5_000, "failed"),
        Piece(5_000, 905_000, "waiting", wait=True),
        Piece(905_000, 910_000, "ok"),
    ]
    assert plain(bar(CUT, pieces, 10, UNICODE)) == "██████████"
    assert scale(0, 910_000, live=False, gaps=CUT.gaps) == CUT


def test_the_ruler_says_where_time_was_left_out_and_how_much_has_passed() -> None:
    line = ruler(CUT, 40)
    assert len(line) == 40
    assert line[20] == "/"
    assert line.startswith("0s")
    assert line.rstrip().endswith("15:10")
    assert [CUT.elapsed_at(CUT.place(at)) for at in (0, 4_000, 905_001, 910_000)] == [
        0,
        4_000,
        905_001,
        910_000,
    ]


@given(
    st.lists(st.tuples(st.integers(0, 1_000_000), st.integers(1, 500_000)), max_size=5),
    st.integers(4, 80),
)
def test_a_ruler_with_gaps_keeps_its_width(parts: list[tuple[int, int]], width: int) -> None:
    at, gaps = 0, []
    for worked, nothing in parts:
        gaps.append((at + worked, at + worked + nothing))
        at += worked + nothing
    found = scale(0, at + 1_000, live=False, gaps=tuple(gaps))
    assert len(ruler(found, width)) == width
    assert cells_width(bar(found, [Piece(0, at + 1_000, "run")], width, UNICODE)) == width
