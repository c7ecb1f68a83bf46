"""From 160 columns the step under the cursor is shown beside the trace."""

from __future__ import annotations

from aethermind.engine.client import TokenDelta
from aethermind.tui.screens.detail.screen import DetailScreen
from tests.tui import histories
from tests.tui.theatre import engine_of, lines, make, playing, settle, text


async def test_the_step_under_the_cursor_is_shown_beside_the_trace() -> None:
    app = make(histories.research(until="end"))
    async with playing(app, size=(180, 40)) as pilot:
        await settle(pilot)
        assert "research ·" in text(app)
        await pilot.press("j")
        await settle(pilot)
        beside = app.main_screen._beside
        assert beside is not None
        assert str(beside.border_title).startswith("plan ·")
        assert "plan ·" in text(app)
        assert app.focused is app.main_screen.trace  # it takes no focus
        await pilot.press("tab", "tab", "tab", "tab")
        assert not beside.has_focus_within
        await pilot.press("3", "enter")
        await pilot.pause()
        assert isinstance(app.screen, DetailScreen)


async def test_a_text_after_a_tree_has_the_whole_width() -> None:
    app = make(histories.research(until="end"))
    async with playing(app, size=(200, 40)) as pilot:
        app.main_screen.select_node("plan")  # its answer is JSON
        await settle(pilot)
        assert '"sections"' in text(app)
        app.main_screen.select_node("sections[0]")
        await settle(pilot)
        assert "Section 0. Tides follow the moon." in text(app)


async def test_it_comes_and_goes_with_the_room() -> None:
    app = make(histories.research(until="end"))
    async with playing(app, size=(159, 40)) as pilot:
        assert not app.main_screen.query("#beside")
        await pilot.resize_terminal(160, 40)
        await settle(pilot)
        assert [each.display for each in app.main_screen.query("#beside")] == [True]
        await pilot.resize_terminal(120, 36)
        await settle(pilot)
        assert [each.display for each in app.main_screen.query("#beside")] == [False]
        assert "╮╭" in lines(app)[1]


async def test_what_streams_is_shown_as_it_comes() -> None:
    script = histories.research()
    step, attempt, call = histories.streaming(script)
    app = make(script)
    async with playing(app, size=(180, 40)) as pilot:
        app.main_screen.select_node(step)
        await settle(pilot)
        beside = app.main_screen._beside
        assert beside is not None
        assert str(beside.border_title).startswith(f"{step} ·")
        for offset, words in ((0, "Tides are slow. "), (16, "Moons are slower.")):
            engine_of(app).put(TokenDelta(script.run_id, step, attempt, call, offset, words))
            await settle(pilot)
            assert words.strip() in text(app)
        assert "Tides are slow. Moons are slower." in text(app)
