"""Steps by layers, by keys, on the whole app."""

from __future__ import annotations

import pytest

from aethermind.tui.app import AethermindApp
from aethermind.tui.screens.detail.screen import DetailScreen
from aethermind.tui.screens.layers import LayersScreen
from tests.tui.histories import research, wide
from tests.tui.theatre import engine_of, make, playing, settle, text


def shown(app: AethermindApp) -> LayersScreen:
    assert isinstance(app.screen, LayersScreen)
    return app.screen


def path(app: AethermindApp) -> str:
    node = shown(app).boxes.node
    return node.path if node is not None else ""


def opened(app: AethermindApp) -> str:
    assert isinstance(app.screen, DetailScreen)
    return app.screen.path


@pytest.mark.parametrize("size", [(200, 60), (120, 36), (80, 24), (60, 16)])
async def test_steps_are_walked_through_and_opened(size: tuple[int, int]) -> None:
    app = make(research())
    async with playing(app, size) as pilot:
        await pilot.press("g", "D")
        await settle(pilot)
        assert path(app) == "plan"
        assert "plan" in text(app)
        assert ("┏" in text(app)) == (size[0] >= 100)
        await pilot.press("j")
        assert path(app) == "gather"
        await pilot.press("space")
        assert shown(app).path == "gather"
        await pilot.press("l", "right")
        assert path(app) == "gather/scrape"
        assert "scrape" in text(app)
        await pilot.press("enter")
        await settle(pilot)
        assert opened(app) == "gather/scrape"
        await pilot.press("escape", "minus")
        assert path(app) == "gather"
        await pilot.press("minus", "G")
        assert path(app) == "brief"
        await pilot.press("escape")
        assert app.screen is app.main_screen


async def test_it_begins_at_the_step_under_the_cursor() -> None:
    app = make(research())
    async with playing(app) as pilot:
        app.main_screen.select_node("sections")
        await pilot.press("D")
        await settle(pilot)
        assert path(app) == "sections"


async def test_what_happens_is_seen() -> None:
    script = research()
    app = make(script)
    async with playing(app) as pilot:
        await pilot.press("D")
        await settle(pilot)
        assert "2/3" in text(app)
        engine_of(app).play(script, lambda s: s.succeed(103_000, "sections[2]", "done"))
        await settle(pilot)
        assert "3/3" in text(app)


@pytest.mark.parametrize("size", [(120, 36), (80, 24)], ids=["wide", "small"])
async def test_the_cursor_is_always_on_the_screen(size: tuple[int, int]) -> None:
    app = make(wide(300, done=10))
    async with playing(app, size) as pilot:
        await pilot.press("D")
        await settle(pilot)
        await pilot.press("j", "space")
        for keys in (["G"], ["ctrl+u", "ctrl+u"], ["k", "h"], ["pagedown"], ["g"]):
            await pilot.press(*keys)
            await pilot.pause()
            assert path(app) in text(app)
        await pilot.press("/", *"[299]", "enter")
        await settle(pilot)
        assert path(app) == "each[299]"


async def test_a_step_without_parts_says_so() -> None:
    app = make(research())
    async with playing(app) as pilot:
        await pilot.press(":", *"dag", "enter")
        await settle(pilot)
        await pilot.press("g", "space", "minus")
        assert path(app) == "plan"
        said = [n.message for n in app._notifications]
        assert "there is nothing inside this step" in said
        assert "that is the whole run" in said
