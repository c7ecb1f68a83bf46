"""Comparing two runs by keys, on the whole app."""

from __future__ import annotations

import pytest

from aethermind.tui.app import AethermindApp
from aethermind.tui.screens.compare import CompareScreen
from aethermind.tui.screens.reading import ReadingScreen
from tests.tui.histories import Script
from tests.tui.rows.test_compare import brief
from tests.tui.theatre import make, playing, settle, text

SIZES = pytest.mark.parametrize("size", [(120, 36), (80, 24), (60, 16)], ids=["wide", "small", "tiny"])


def two() -> tuple[Script, Script]:
    return brief("Tides rise.", run_id="r_one"), brief("Tides fall.", run_id="r_two", took=8_000)


def compared(app: AethermindApp) -> CompareScreen:
    assert isinstance(app.screen, CompareScreen)
    return app.screen


def marked(app: AethermindApp) -> str | None:
    return app.main_screen.marked


@SIZES
async def test_one_is_marked_and_then_the_other(size: tuple[int, int]) -> None:
    app = make(*two())
    async with playing(app, size) as pilot:
        await pilot.press("2", "g", "m")
        assert marked(app) is not None
        await pilot.press("j", "m")
        await settle(pilot)
        assert set(compared(app).ids) == {"r_one", "r_two"}
        assert marked(app) is None
        shown = text(app)
        assert "write" in shown
        assert "differs" in shown
        assert "1 more are the same" in shown
        await pilot.press("escape")
        assert app.screen is app.main_screen


async def test_the_mark_is_seen_and_taken_back() -> None:
    app = make(*two())
    async with playing(app) as pilot:
        await pilot.press("2", "m")
        await settle(pilot)
        assert any("│m" in line for line in text(app).splitlines())
        await pilot.press("m")
        await settle(pilot)
        assert marked(app) is None
        assert app.screen is app.main_screen


async def test_the_colon_compares_with_the_open_run_and_enter_shows_how_outputs_differ() -> None:
    app = make(*two())
    async with playing(app) as pilot:
        await pilot.press(":", *"diff r_two", "enter")
        await settle(pilot)
        assert compared(app).ids == ("r_one", "r_two")
        await pilot.press("a")
        assert [pair.name for pair in compared(app).pairs] == ["text", "plan", "write"]
        await pilot.press("enter")
        await settle(pilot)
        assert isinstance(app.screen, ReadingScreen)
        shown = text(app)
        assert "-Tides rise." in shown
        assert "+Tides fall." in shown
        await pilot.press("escape", "j", "enter")
        await settle(pilot)
        assert any("plan reads the same in both" in n.message for n in app._notifications)


async def test_too_few_runs_and_unknown_ones_are_said() -> None:
    app = make(*two())
    async with playing(app) as pilot:
        await pilot.press(":", *"diff a b c", "enter")
        await settle(pilot)
        assert app.screen is app.main_screen
        await pilot.press(":", *"diff r_none", "enter")
        await settle(pilot)
        assert any("no run" in n.message for n in app._notifications)
