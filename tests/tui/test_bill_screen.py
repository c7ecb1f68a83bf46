"""Spending by its keys, on the whole app."""

from __future__ import annotations

import pytest
from textual.widgets import Input

from aethermind.engine.queries import LedgerRow
from aethermind.tui.app import AethermindApp
from aethermind.tui.screens.bill import BillScreen
from tests.tui.histories import T0, failed, research
from tests.tui.theatre import engine_of, make, playing, settle, text

DAY = T0 // 86_400_000


def bill(app: AethermindApp) -> BillScreen:
    assert isinstance(app.screen, BillScreen)
    return app.screen


def spent() -> AethermindApp:
    app = make(research(), failed(), research(until="end", run_id="r_sim", seq=1_000, simulated=True))
    engine_of(app).client.ledgers[False] = LedgerRow("day", DAY, spent=322_900, reserved=9_000, cap=5_000_000)
    return app


@pytest.mark.parametrize("size", [(120, 36), (80, 24), (60, 16)], ids=["wide", "small", "tiny"])
async def test_it_shows_what_was_spent_and_what_is_left_of_the_day(size: tuple[int, int]) -> None:
    app = spent()
    async with playing(app, size) as pilot:
        await pilot.press("C")
        await settle(pilot)
        shown = text(app)
        assert "openai:gpt-5" in shown
        assert "$0.3229 of $5.00" in shown
        assert " sim" not in shown
        await pilot.press("escape")
        assert app.screen is app.main_screen


async def test_tab_and_arrows_go_through_the_groupings() -> None:
    app = spent()
    async with playing(app) as pilot:
        await pilot.press("C")
        await settle(pilot)
        seen = []
        for key in ("tab", "l", "right", "tab", "shift+tab", "left"):
            await pilot.press(key)
            await settle(pilot)
            seen.append(bill(app).bill.by)
        assert seen == ["agent", "workflow", "day", "run", "day", "workflow"]
        assert [row.key for row in bill(app).bill.rows] == ["research"]


async def test_real_and_simulated_money_are_never_on_one_screen() -> None:
    app = spent()
    async with playing(app) as pilot:
        await pilot.press("C")
        await settle(pilot)
        real = bill(app).bill.rows
        await pilot.press("s")
        await settle(pilot)
        simulated = bill(app).bill
        assert simulated.simulated
        assert "sim nothing was spent" in text(app)
        assert sum(row.calls for row in simulated.rows) > sum(row.calls for row in real)
        assert "no budget is set for the day" in text(app)


async def test_the_span_goes_round() -> None:
    app = spent()
    async with playing(app) as pilot:
        await pilot.press("C")
        await settle(pilot)
        for span in ("30 days", "all time", "today", "7 days"):
            await pilot.press("d")
            await settle(pilot)
            assert bill(app).bill.span == span


async def test_todays_budget_is_set_right_there() -> None:
    app = spent()
    async with playing(app) as pilot:
        await pilot.press("C")
        await settle(pilot)
        await pilot.press("B")
        await pilot.pause()
        assert isinstance(app.focused, Input)
        assert app.focused.value == "5.00"
        await pilot.press("ctrl+u", *"7.5", "enter")
        await settle(pilot)
        assert ("raise_day_budget", 7_500_000) in engine_of(app).asked


async def test_a_run_is_opened_from_here() -> None:
    app = spent()
    async with playing(app) as pilot:
        await pilot.press(":", *"spending run", "enter")
        await settle(pilot)
        assert [row.key for row in bill(app).bill.rows] == ["r_8f21"]
        await pilot.press("enter")
        await settle(pilot)
        assert app.screen is app.main_screen
        assert app.bridge.open_id == "r_8f21"


async def test_a_grouping_that_is_none_is_said() -> None:
    app = spent()
    async with playing(app) as pilot:
        await pilot.press(":", *"spending colour", "enter")
        await settle(pilot)
        assert app.screen is app.main_screen
        assert any("not by colour" in n.message for n in app._notifications)
