from __future__ import annotations

from textual.pilot import Pilot

from aethermind.tui.app import AethermindApp
from aethermind.tui.context import PANES
from tests.tui.histories import Script, failed, research, wide
from tests.tui.theatre import engine_of, lines, make, playing, settle, text


def chosen(app: AethermindApp) -> str:
    return app.main_screen.trace.cursor_key


async def press(pilot: Pilot[int], *keys: str) -> None:
    await pilot.press(*keys)
    await settle(pilot)


async def test_moving_in_the_trace() -> None:
    app = make(research())
    async with playing(app) as pilot:
        await press(pilot, "j", "j", "down")
        assert chosen(app) == "gather/search_web"
        assert "research ▸ gather ▸ search_web" in text(app)
        await press(pilot, "k")
        assert chosen(app) == "gather"
        await press(pilot, "G")
        assert chosen(app) == "brief"
        await press(pilot, "j", "g", "k")
        assert chosen(app) == ""


async def test_folding_in_the_trace() -> None:
    app = make(research())
    async with playing(app) as pilot:
        await press(pilot, "j", "j", "space")
        assert "read_papers" not in text(app).split("4 Logs")[0]
        await press(pilot, "l")
        assert "read_papers" in text(app).split("4 Logs")[0]
        await press(pilot, "l", "j", "l")
        assert "llm.chat #2  gpt-5" in text(app)
        await press(pilot, "j", "j")
        assert chosen(app) == "gather/read_papers!1.2"
        assert app.main_screen.selected_call == (1, 2)
        assert app.main_screen.selected_node_path == "gather/read_papers"
        await press(pilot, "h")
        assert chosen(app) == "gather/read_papers"
        await press(pilot, "h", "h")
        assert chosen(app) == "gather"
        await press(pilot, "minus")
        assert chosen(app) == ""
        await press(pilot, "underscore")
        assert "llm.chat" not in text(app)
        assert "scrape" not in text(app).split("4 Logs")[0].split("3 Trace")[1].split("scraper")[0]
        await press(pilot, "plus")
        assert "try 3/3" in text(app)


async def test_the_critical_path_alone() -> None:
    app = make(research())
    async with playing(app) as pilot:
        await press(pilot, "c")
        trace = text(app).split("4 Logs")[0]
        assert "★ critical path" in trace
        assert "read_papers" in trace
        assert "search_web" not in trace
        await press(pilot, "c")
        assert "search_web" in text(app)


async def test_the_next_error_is_found_wherever_it_hides() -> None:
    app = make(research())
    async with playing(app) as pilot:
        await press(pilot, "underscore", "E")
        assert chosen(app) == "gather/scrape"
        await press(pilot, "4", "E")
        assert app.main_screen.focused_pane == "logs"
        assert "gave up after 3 tries" in app.main_screen.text_to_copy()


async def test_a_filter_keeps_what_is_above_and_goes_with_escape() -> None:
    app = make(research())
    async with playing(app) as pilot:
        app.main_screen.set_filter("scrape")
        await settle(pilot)
        assert app.main_screen.trace.row_count() == 3
        assert "/scrape" in text(app)
        await press(pilot, "escape")
        assert app.main_screen.trace.row_count() == 12


async def test_every_pane_filters_and_finds() -> None:
    app = make(research(), failed(seq=1_000))
    async with playing(app) as pilot:
        main = app.main_screen
        for key, word, count in (("1", "crit", 1), ("2", "nightly", 1), ("4", "429", 2), ("5", "openai", 1)):
            await press(pilot, key)
            main.set_filter(word)
            await settle(pilot)
            pane = main._panes[main.focused_pane]
            assert pane.row_count() == count, main.focused_pane
            main.set_filter("")
            await settle(pilot)
            assert pane.row_count() > count
            assert main.find(word)
            assert word in pane.row_text(pane.cursor)
            assert not main.find("no such thing")


async def test_logs_follow_until_one_looks_back() -> None:
    script = research()
    app = make(script)
    async with playing(app) as pilot:
        engine = engine_of(app)

        def more(s: Script, count: int = 30) -> None:
            for n in range(count):
                s.log(103_000, "info", f"wave {n}")

        engine.play(script, more)
        await press(pilot, "4")
        assert "wave 29" in text(app)
        await press(pilot, "g")
        assert "FOLLOW" not in text(app)
        assert "run started" in text(app)
        engine.play(script, more)
        await settle(pilot)
        assert "+30 new ↓" in text(app)
        assert "run started" in text(app)
        await press(pilot, "G")
        assert "FOLLOW" in text(app)
        assert "new ↓" not in text(app)


async def test_logs_keep_their_sideways_place() -> None:
    script = research()
    app = make(script)
    async with playing(app) as pilot:
        engine_of(app).play(script, lambda s: s.log(103_000, "info", "0123456789" * 30))
        await press(pilot, "4", "l", "l")
        assert any("  6789012345" in line for line in lines(app))
        left = app.main_screen.logs.left
        engine_of(app).play(script, lambda s: s.log(103_000, "info", "next"))
        await settle(pilot)
        assert app.main_screen.logs.left == left == 16
        await press(pilot, "h", "h", "h")
        assert app.main_screen.logs.left == 0


async def test_logs_by_level_and_of_one_step() -> None:
    app = make(research())
    async with playing(app) as pilot:
        await press(pilot, "4", "L", "L")
        assert "warning≥" in text(app)
        assert "512 tok" not in text(app)
        await press(pilot, "L", "L")
        await press(pilot, "3", "E", "o")
        assert "sel:scrape" in text(app)
        assert "run started" not in text(app)
        await press(pilot, "g", "j")
        assert "sel:plan" in text(app)
        await press(pilot, "o")
        assert "run started" in text(app)


async def test_the_mouse_scrolls_and_chooses() -> None:
    app = make(wide(20, done=3))
    async with playing(app, (120, 26)) as pilot:
        trace = app.main_screen.trace
        await pilot._post_mouse_events([_wheel()], "#pane-trace", offset=(5, 5))
        await settle(pilot)
        assert trace.top == 3
        await pilot.click("#pane-trace", offset=(10, 4))
        await settle(pilot)
        assert trace.cursor == trace.top + 2
        await pilot.click("#pane-runs", offset=(5, 1))
        await settle(pilot)
        assert app.main_screen.focused_pane == "runs"


def _wheel() -> type:
    from textual.events import MouseScrollDown

    return MouseScrollDown


async def test_tabs_can_be_clicked() -> None:
    app = make(research())
    async with playing(app, (80, 24)) as pilot:
        await pilot.click("#tabs", offset=(14, 0))
        await settle(pilot)
        assert app.main_screen.focused_pane == "agents"


async def test_a_disabled_key_says_why() -> None:
    app = make(research(until="end"))
    async with playing(app) as pilot:
        await press(pilot, "x")
        assert any("the run is over (succeeded)" in n.message for n in app._notifications)


async def test_copying_takes_the_row() -> None:
    app = make(research(), clipboard="osc52")
    async with playing(app) as pilot:
        await press(pilot, "G", "y")
        assert app.clipboard.strip().startswith("└◷ brief")


async def test_the_footer_knows_the_pane() -> None:
    app = make(research())
    async with playing(app) as pilot:
        assert "x cancel" in lines(app)[-1]
        await press(pilot, "4")
        assert "filter" in lines(app)[-1]
        assert lines(app)[-1].rstrip().endswith("? help  q quit")


async def test_a_run_that_is_opened_is_the_one_keys_act_on() -> None:
    first, second = research(), research(run_id="r_other")
    app = make(first, second)
    async with playing(app) as pilot:
        await press(pilot, "2")
        assert app.main_screen.selected_run_id == first.run_id
        app.main_screen.open_run(second.run_id)
        await settle(pilot)
        assert app.main_screen.focused_pane == "runs"
        assert app.main_screen.selected_run_id == second.run_id


async def test_numbers_and_tab_reach_every_pane_at_every_size() -> None:
    app = make(research(), failed())
    main = app.main_screen
    async with playing(app) as pilot:
        for width, height in ((80, 24), (60, 16)):
            await pilot.resize_terminal(width, height)
            await settle(pilot)
            for key, pane in zip("12345", PANES, strict=True):
                await pilot.press(key)
                await pilot.pause()
                assert (main.focused_pane, main.focused) == (pane, main._panes[pane])
                assert main._panes[pane].is_on_screen
            await press(pilot, "z", "0")
            assert (main.focused_pane, main.zoomed) == ("trace", False)
            seen = set()
            for _ in PANES:
                await pilot.press("tab")
                seen.add(main.focused_pane)
            assert seen >= set(PANES) - {"cost"}
