"""The logs on the whole screen: filtered by level, agent, step and text."""

from __future__ import annotations

from aethermind.tui.app import AethermindApp
from tests.tui.histories import Script, research
from tests.tui.theatre import engine_of, make, playing, settle, text


def shown(app: AethermindApp) -> list[str]:
    pane = app.main_screen.logs
    return [pane.row_text(n) for n in range(pane.row_count())]


def two_agents() -> Script:
    script = research()
    script.log(101_100, "error", "no such paper", step="gather/read_papers")
    return script


async def test_the_logs_fill_the_screen_and_leave_it_again() -> None:
    app = make(two_agents())
    async with playing(app) as pilot:
        await pilot.press("O")
        await settle(pilot)
        assert app.main_screen.focused_pane == "logs"
        assert app.main_screen.zoomed
        assert "Trace" not in text(app)
        await pilot.press("O")
        await settle(pilot)
        assert "Trace" in text(app)


async def test_agents_take_turns_and_all_come_last() -> None:
    app = make(two_agents())
    async with playing(app) as pilot:
        everything = shown(app)
        await pilot.press("O", ":", *"agent scraper", "enter")
        await settle(pilot)
        assert len(shown(app)) == 3
        assert all(" scraper " in line for line in shown(app))
        assert "@scraper" in text(app)
        await pilot.press("A")
        assert app.main_screen.logs.agent is None  # the last one had its turn
        assert shown(app) == everything
        await pilot.press("A", "A")
        assert app.main_screen.logs.agent is not None


async def test_lines_that_come_pass_the_filter_too() -> None:
    script = two_agents()
    app = make(script)
    async with playing(app) as pilot:
        await pilot.press("O", ":", *"agent scraper", "enter")
        await settle(pilot)
        engine_of(app).play(script, lambda s: s.log(103_000, "info", "mine", step="gather/scrape"))
        engine_of(app).play(script, lambda s: s.log(103_001, "info", "not mine", step="plan"))
        await settle(pilot)
        assert shown(app)[-1].endswith("mine")
        assert len(shown(app)) == 4


async def test_level_agent_step_and_text_narrow_together() -> None:
    app = make(two_agents())
    async with playing(app) as pilot:
        await pilot.press("O", ":", *"only gather", "enter")
        await settle(pilot)
        assert len(shown(app)) == 5
        await pilot.press("L", "L", "L")
        assert len(shown(app)) == 2
        await pilot.press("/", *"paper", "enter")
        await settle(pilot)
        assert [line.rpartition("read_papers ")[2] for line in shown(app)] == ["no such paper"]
        await pilot.press(":", *"agent scraper", "enter")
        await settle(pilot)
        assert shown(app) == []


async def test_an_agent_that_is_none_is_said() -> None:
    app = make(two_agents())
    async with playing(app) as pilot:
        await pilot.press("4", ":", *"agent nobody", "enter")
        await settle(pilot)
        assert any("no agent nobody" in n.message for n in app._notifications)
        assert app.main_screen.logs.agent is None
