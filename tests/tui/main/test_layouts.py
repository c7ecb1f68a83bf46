from __future__ import annotations

import pytest

from aethermind.tui.screens.shapes import shape_of
from tests.tui.histories import failed, research
from tests.tui.theatre import lines, make, playing, settle, text


@pytest.mark.parametrize(
    "width, height, shape",
    [
        (200, 50, "full"),
        (120, 36, "full"),
        (120, 23, "tabs"),
        (119, 36, "tabs"),
        (80, 24, "tabs"),
        (79, 24, "single"),
        (80, 17, "single"),
        (60, 15, "single"),
        (59, 16, "single"),
        (59, 15, "tiny"),
        (10, 3, "tiny"),
    ],
)
def test_shapes(width: int, height: int, shape: str) -> None:
    assert shape_of(width, height, zoomed=False) == shape


def test_zoomed_is_one_pane_wherever_there_is_room_for_one() -> None:
    assert shape_of(200, 50, zoomed=True) == "single"
    assert shape_of(40, 10, zoomed=True) == "tiny"


async def test_everything_at_once() -> None:
    app = make(research(), failed(seq=1_000))
    async with playing(app):
        shown = text(app)
        for part in ("1 Agents 5", "2 Runs 2", "3 Trace  research", "4 Logs  all  FOLLOW  6", "? help"):
            assert part in shown
        assert "5 Cost" not in shown
        assert lines(app)[0].startswith(" AETHERMIND  research.yaml  r_8f21  ● RUNNING 01:42")
        assert lines(app)[-2].startswith(" ! gather/scrape failed — E next error")
        assert all(len(line) == 120 for line in lines(app))


async def test_tabs_where_there_is_less_room() -> None:
    app = make(research())
    async with playing(app, (80, 24)) as pilot:
        assert lines(app)[1].startswith(" [3 Trace] 1 Agents·5 2 Runs·1 4 Logs·6 5 Cost")
        assert lines(app)[1].endswith("!1 ")
        for key, title in (("1", "1 Agents"), ("2", "2 Runs"), ("5", "5 Cost"), ("3", "3 Trace")):
            await pilot.press(key)
            await settle(pilot)
            assert f"╭─ {title}" in text(app)
            assert "╭─ 4 Logs" in text(app)
            assert text(app).count("╭─") == 2
        await pilot.press("4")
        await settle(pilot)
        assert text(app).count("╭─") == 1


async def test_one_pane_in_a_narrow_terminal() -> None:
    app = make(research())
    async with playing(app, (60, 20)) as pilot:
        assert text(app).count("╭─") == 1
        assert "gather" in text(app)
        await pilot.press("4")
        await settle(pilot)
        assert "4 Logs" in lines(app)[2]


async def test_one_line_in_a_tiny_one() -> None:
    app = make(research())
    async with playing(app, (40, 10)) as pilot:
        assert lines(app)[0].startswith("● r_8f21 01:42 6/8 ✗1")
        assert not "".join(lines(app)[1:]).strip()
        await pilot.resize_terminal(120, 36)
        await settle(pilot)
        assert "3 Trace" in text(app)
        await pilot.resize_terminal(40, 10)
        await settle(pilot)
        assert "3 Trace" not in text(app)


async def test_zoom_and_back() -> None:
    app = make(research())
    async with playing(app) as pilot:
        await pilot.press("z")
        await settle(pilot)
        assert text(app).count("╭─") == 1
        assert lines(app)[1].startswith("╭─ 3 Trace")
        assert len(lines(app)[1].rstrip()) == 120
        await pilot.press("z")
        await settle(pilot)
        assert text(app).count("╭─") == 4


async def test_costs_take_the_place_of_the_trace() -> None:
    app = make(research())
    async with playing(app) as pilot:
        await pilot.press("dollar_sign")
        await settle(pilot)
        assert "5 Cost  $0.3229" in text(app)
        assert "settled" in text(app)
        assert "3 Trace" not in text(app)
        await pilot.press("3")
        await settle(pilot)
        assert "3 Trace" in text(app)
        assert "5 Cost" not in text(app)


async def test_tab_goes_round() -> None:
    app = make(research())
    async with playing(app) as pilot:
        seen = []
        for _ in range(4):
            await pilot.press("tab")
            seen.append(app.main_screen.focused_pane)
        assert seen == ["logs", "agents", "runs", "trace"]
        await pilot.press("shift+tab")
        assert app.main_screen.focused_pane == "runs"


@pytest.mark.parametrize("size", [(120, 36), (80, 24), (60, 20), (40, 10), (10, 3), (3, 2)])
async def test_ascii_has_nothing_else(size: tuple[int, int]) -> None:
    app = make(research(until="end"), ascii=True)
    async with playing(app, size) as pilot:
        for key in "12345":
            await pilot.press(key)
            await settle(pilot)
            assert text(app).isascii()
