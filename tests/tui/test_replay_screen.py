"""A replay by its keys, on the whole app; its clock is the test's."""

from __future__ import annotations

import pytest

from aethermind.tui.app import AethermindApp
from aethermind.tui.screens.replay import ReplayScreen
from tests.tui.histories import T0, failed, research
from tests.tui.theatre import make, playing, settle, text


class Clock:
    """Seconds, as the test says."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def shown(app: AethermindApp) -> ReplayScreen:
    assert isinstance(app.screen, ReplayScreen)
    return app.screen


def status(app: AethermindApp) -> str:
    replay = shown(app).replay
    assert replay is not None
    return replay.held.run.status


def count(app: AethermindApp) -> int:
    replay = shown(app).replay
    assert replay is not None
    return replay.tape.count


def plays(app: AethermindApp) -> bool:
    return shown(app).playing


def replayed(app: AethermindApp) -> bool:
    return isinstance(app.screen, ReplayScreen)


@pytest.mark.parametrize("size", [(120, 36), (80, 24), (60, 16)], ids=["wide", "small", "tiny"])
async def test_it_shows_the_run_as_it_was(size: tuple[int, int]) -> None:
    app = make(research(until="end"))
    async with playing(app, size) as pilot:
        await pilot.press("v")
        await settle(pilot)
        assert status(app) == "queued"
        assert "1/" in text(app)
        await pilot.press("end")
        assert status(app) == "succeeded"
        assert "run succeeded" in text(app) or size[0] < 80
        for _ in range(8):
            await pilot.press("h")
        assert status(app) == "running"
        assert "gather" in text(app)
        await pilot.press("home")
        assert count(app) < 3
        assert status(app) == "queued"
        await pilot.press("escape")
        assert app.screen is app.main_screen


async def test_arrows_go_through_single_events() -> None:
    app = make(failed())
    async with playing(app) as pilot:
        await pilot.press("v")
        await settle(pilot)
        await pilot.press("right", "right", "]")
        assert count(app) == 4
        assert "fetch" in text(app)
        await pilot.press("left", "[")
        assert count(app) == 2


async def test_it_plays_at_its_speed_and_stands_still_at_the_end() -> None:
    clock = Clock()
    app = make(failed())
    async with playing(app) as pilot:
        await app.push_screen(ReplayScreen(app.context, "r_8f1e", clock=clock))
        await settle(pilot)
        screen, replay = shown(app), shown(app).replay
        assert replay is not None
        await pilot.press("space")
        assert plays(app)
        clock.now += 0.5
        screen.tick()
        assert replay.tape.at == replay.tape.start + 500
        await pilot.press("s")
        clock.now += 0.5
        screen.tick()
        assert replay.tape.at == replay.tape.start + 2_500
        await pilot.press("s")
        for _ in range(20):
            clock.now += 0.5
            screen.tick()
        assert replay.tape.over
        assert not plays(app)
        assert status(app) == "failed"
        await pilot.press("space")
        assert plays(app)
        assert count(app) < len(replay.tape.history)
        await pilot.press("right")
        assert not plays(app)


async def test_a_machine_that_slept_does_not_leap_to_the_end() -> None:
    clock = Clock()
    app = make(failed())
    async with playing(app) as pilot:
        await app.push_screen(ReplayScreen(app.context, "r_8f1e", clock=clock))
        await settle(pilot)
        replay = shown(app).replay
        assert replay is not None
        await pilot.press("space")
        clock.now += 3_600
        shown(app).tick()
        assert replay.tape.at == replay.tape.start + 1_000


async def test_the_cursor_stays_on_its_step_and_the_panes_take_turns() -> None:
    app = make(research(until="end"))
    async with playing(app) as pilot:
        await pilot.press("v")
        await settle(pilot)
        await pilot.press("end", "j", "j")
        screen = shown(app)
        at = screen.trace.cursor_key
        assert at
        await pilot.press("left", "left", "l")
        assert screen.trace.cursor_key == at
        await pilot.press("tab")
        assert screen.pane is screen.logs
        await pilot.press("k")
        assert not screen.logs.follow
        await pilot.press("tab")
        assert shown(app).focused is shown(app).agents


async def test_enter_folds_and_a_text_is_found() -> None:
    app = make(research(until="end"))
    async with playing(app) as pilot:
        await pilot.press("v")
        await settle(pilot)
        await pilot.press("end", "f", *"scrape", "enter")
        await settle(pilot)
        screen = shown(app)
        node = screen.trace.cursor_node
        assert node is not None
        assert node.path == "gather/scrape"
        before = screen.trace.row_count()
        await pilot.press("enter")
        assert screen.trace.row_count() > before


async def test_a_run_that_goes_on_is_not_replayed_but_another_one_is() -> None:
    app = make(research(), failed(at=T0 - 3_600_000))
    async with playing(app) as pilot:
        await pilot.press("v")
        await settle(pilot)
        assert not replayed(app)
        assert any("watch it" in n.message for n in app._notifications)
        await pilot.press(":", *"replay r_8f1e", "enter")
        await settle(pilot)
        assert replayed(app)
        assert status(app) == "queued"
