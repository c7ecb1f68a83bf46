from __future__ import annotations

import pytest

from aethermind.domain import events as e
from aethermind.tui.glyphs import ASCII, UNICODE, Glyphs
from aethermind.tui.rows import draw, gantt
from aethermind.tui.rows.cells import Cells, cells_width, plain
from aethermind.tui.rows.critical import critical_path
from aethermind.tui.rows.trace import TraceRows
from tests.tui.histories import RATE_LIMIT, RESEARCH, T0, Script, research, wide

NOW = T0 + 102_000


def scene(
    script: Script,
    *,
    width: int = 100,
    glyphs: Glyphs = UNICODE,
    now: int = NOW,
    flowing: dict[str, int] | None = None,
    match: str = "",
) -> draw.Scene:
    run = script.run
    end = run.finished_at or now
    return draw.Scene(
        rows=TraceRows(run),
        columns=draw.Columns.of(width),
        scale=gantt.scale(run.created_at, end, live=run.finished is None),
        now=now,
        glyphs=glyphs,
        critical=critical_path(run, now),
        streaming=lambda path: (flowing or {}).get(path, 0),
        call_streaming=lambda step, attempt, call: (flowing or {}).get(step, 0),
        match=match,
    )


def row(a_scene: draw.Scene, key: str) -> Cells:
    index = a_scene.rows.index_of_key(key)
    assert index is not None
    return draw.cells(a_scene.rows.rows[index], a_scene)


def text(a_scene: draw.Scene, key: str) -> str:
    return plain(row(a_scene, key)).rstrip()


def style_of(cells: Cells, wanted: str) -> str:
    return next(style for text, style in cells if wanted in text)


def test_the_picture_of_a_run() -> None:
    a_scene = scene(research())
    shown = [plain(draw.cells(r, a_scene))[:59].rstrip() for r in a_scene.rows.rows]
    assert shown == [
        "▾● research                        01:42   31.4k   $0.3229",
        " ├▸✓ plan                       ★   8.2s    3.1k   $0.0310",
        " ├▾✓ gather                     ★    55s   25.1k   $0.2499",
        " │ ├✓ search_web                     21s",
        " │ ├▸✓ read_papers              ★    55s   22.4k   $0.2100",
        " │ └▸✗ scrape  try 3/3               39s    2.7k   $0.0399",
        " ├▾● sections  2/3              ★    38s    3.2k   $0.0420",
        " │ ├▸✓ [0] moon                      18s    1.6k   $0.0210",
        " │ ├▸✓ [1] sun                      9.5s    1.6k   $0.0210",
        " │ └▸● [2] sea                  ★    11s",
        " ├◷ polish  ←sections                  —       —         —",
        " └◷ brief  ←polish                     —       —         —",
    ]


def test_retries_are_one_row_with_a_mark_of_failure() -> None:
    cells = row(scene(research()), "gather/scrape")
    assert style_of(cells, "✗") == "failed"
    assert style_of(cells, "try 3/3") == "note.bad"
    bar = plain([c for c in cells if c[1].startswith("bar.")])
    assert "░" in bar
    assert bar.endswith("!")


def test_what_streams_is_marked_and_its_tokens_are_about_right() -> None:
    a_scene = scene(research(), flowing={"sections[2]": 120, "sections": 120, "": 120})
    assert "●▸[2] sea" in text(a_scene, "sections[2]")
    assert "~120" in text(a_scene, "sections[2]")
    assert "~3.3k" in text(a_scene, "sections")
    assert "~31.5k" in text(a_scene, "")


def test_an_unknown_price_is_never_nothing() -> None:
    a_scene = scene(research(until="end"))
    assert "unpriced" in text(a_scene, "sections[2]")
    assert "≥$0.0420" in text(a_scene, "sections")
    assert "≥$0.3629" in text(a_scene, "")
    assert style_of(row(a_scene, "sections[2]"), "unpriced") == "unpriced"


def test_simulated_money_says_so() -> None:
    assert " sim" in text(scene(research(simulated=True)), "")
    assert " sim" not in text(scene(research()), "")


def test_a_reservation_is_not_a_cost() -> None:
    live = Script(RESEARCH)
    live.begin(10, "plan")
    live.call(20, "plan", reserved=9_000)
    a_scene = scene(live)
    assert "$" not in text(a_scene, "plan")
    a_scene.rows.toggle(a_scene.rows.index_of_key("plan") or 0)
    assert "($0.0090)" in text(a_scene, "plan!1.1")


def test_waiting_for_a_retry_says_how_long() -> None:
    script = research()
    script.refuse(103_000, "sections[2]", RATE_LIMIT)
    script.fail(103_010, "sections[2]", RATE_LIMIT, retry_in=8_000)
    shown = text(scene(script, now=T0 + 106_010, width=140), "sections[2]")
    assert "↻" in shown
    assert "in 5s" in shown


def test_a_folded_fan_out_counts_its_items() -> None:
    a_scene = scene(wide(30, done=12), width=120)
    assert "1● 12✓ 17○" in text(a_scene, "each")


def test_what_is_sought_is_marked() -> None:
    cells = row(scene(research(), match="scr"), "gather/scrape")
    assert ("scr", "match") in cells


@pytest.mark.parametrize("width", [10, 20, 30, 40, 50, 60, 78, 88, 120, 160, 240])
def test_columns_fill_the_width_and_no_more(width: int) -> None:
    columns = draw.Columns.of(width)
    used = columns.step + columns.star + columns.time + columns.tokens + columns.cost + columns.bar
    assert used + (2 if columns.bar else 0) == width
    for script in (research(), research(until="end"), wide(30, done=3)):
        for glyphs in (UNICODE, ASCII):
            a_scene = scene(script, width=width, glyphs=glyphs)
            head = draw.head(columns, a_scene.scale, glyphs)
            assert cells_width(head) <= width
            for index in range(len(a_scene.rows.rows)):
                assert cells_width(draw.cells(a_scene.rows.rows[index], a_scene)) <= width


def test_ascii_is_ascii() -> None:
    a_scene = scene(research(until="end"), glyphs=ASCII)
    for shown in a_scene.rows.rows:
        assert plain(draw.cells(shown, a_scene)).isascii()


def test_crumbs_are_cut_in_the_middle() -> None:
    crumbs = draw.crumbs
    assert crumbs("gather/read_papers", "research", UNICODE, 60) == "research ▸ gather ▸ read_papers"
    assert crumbs("gather/read_papers", "research", UNICODE, 26) == "research ▸ … ▸ read_papers"
    assert len(crumbs("a" * 50 + "/" + "b" * 50, "c" * 50, UNICODE, 30)) == 30


def test_the_critical_path_is_the_chain_that_decided_the_end() -> None:
    assert critical_path(research(until="end").run, NOW) == {
        "plan",
        "gather",
        "gather/read_papers",
        "sections",
        "sections[2]",
        "polish",
        "polish#1",
        "polish#1/text",
        "polish#1/judge",
        "polish#2",
        "polish#2/text",
        "polish#2/judge",
        "brief",
    }


def test_what_was_over_and_is_taken_up_again_did_not_wait_in_between() -> None:
    s = Script(RESEARCH)
    s.begin(0, "plan")
    s.fail(1_000, "plan", RATE_LIMIT)
    s.add(1_000, e.RunFailed(error=RATE_LIMIT, step="plan"))
    s.add(9_000, e.RunReopened(generation=2, steps=("plan",)))
    s.begin(9_000, "plan")
    bar = plain([c for c in row(scene(s, now=T0 + 10_000), "plan") if c[1].startswith("bar.")])
    assert bar.strip()
    assert "░" not in bar
