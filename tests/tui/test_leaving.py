"""Leaving the screen, on a stage: what is asked where something is at work, and what becomes of it."""

from __future__ import annotations

import pytest

from aethermind.tui.screens import dialog
from aethermind.tui.screens.leave import LeaveScreen, WaitScreen
from tests.tui import histories
from tests.tui.stage import stage


@pytest.fixture(autouse=True)
def _no_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    """The guard has tests of its own."""
    monkeypatch.setattr(dialog, "GUARD_S", 0.0)


async def test_quit_with_nothing_at_work_just_quits() -> None:
    async with stage(histories.failed()) as (found, pilot):
        await pilot.press("q")
        await pilot.pause()
        assert not found.is_running or found._exit


async def test_quit_with_a_live_run_asks() -> None:
    async with stage(histories.research(), histories.failed()) as (found, pilot):
        await pilot.press("q")
        await pilot.pause()
        screen = found.screen
        assert isinstance(screen, LeaveScreen)
        assert screen.question == "A run is still at work: r_8f21"
        await pilot.press("escape")
        await pilot.pause()
        assert not found._exit
        await pilot.press("q", "s")
        await pilot.pause()
        assert found._exit


async def test_quit_can_keep_the_run_without_the_screen() -> None:
    async with stage(histories.research()) as (found, pilot):
        found.leaving.keeps = True
        await pilot.press("q")
        await pilot.pause()
        assert isinstance(found.screen, LeaveScreen)
        assert [choice.value for choice in found.screen.choices] == ["keep", "wait", "stop"]
        await pilot.press("k")
        await pilot.pause()
        assert found._exit
        assert found.leaving.kept


async def test_quit_of_an_attached_screen_stops_nothing_and_asks_nothing() -> None:
    async with stage(histories.research()) as (found, pilot):
        found.leaving.owns = False
        await pilot.press("q")
        await pilot.pause()
        assert found._exit
        assert not found.leaving.kept


async def test_ctrl_z_where_no_shell_is_says_so() -> None:
    async with stage(histories.research()) as (found, pilot):
        await pilot.press("ctrl+z")
        await pilot.pause()
        assert found.toasts == [("warning", "no shell here would bring the screen back: q leaves it")]


async def test_quit_can_wait_for_the_end() -> None:
    async with stage(histories.research()) as (found, pilot):
        await pilot.press("q", "w")
        await pilot.pause()
        screen = found.screen
        assert isinstance(screen, WaitScreen)
        screen.look()
        assert not found._exit
        found.main.runs[0].status = "succeeded"
        screen.look()
        await pilot.pause()
        assert found._exit
