from __future__ import annotations

from typing import Any

import pytest
from textual._compositor import LayoutUpdate
from textual.geometry import Region
from textual.widget import Widget

from aethermind.domain import events as e
from aethermind.engine.client import TokenDelta
from aethermind.engine.queries import Partial
from aethermind.tui.context import Changes, StartIntent
from aethermind.tui.screens.card import CardScreen
from tests.tui.histories import ANSWER, Script, failed, research, streaming, wide
from tests.tui.theatre import NOW, Wall, engine_of, lines, make, playing, settle, text


async def test_what_is_recorded_appears_with_the_next_frame() -> None:
    script = research()
    app = make(script)
    async with playing(app) as pilot:
        assert "◷ polish" in text(app)
        engine_of(app).play(script, lambda s: s.log(103_000, "error", "the sea is loud", step="sections[2]"))
        assert "the sea is loud" not in text(app)
        await settle(pilot)
        assert "the sea is loud" in text(app)
        assert "FOLLOW  7" in text(app)


async def test_tokens_stream_and_are_replaced_by_the_real_ones() -> None:
    script = research()
    app = make(script)
    async with playing(app) as pilot:
        step, attempt, call = streaming(script)
        engine_of(app).put(TokenDelta("r_8f21", step, attempt, call, 0, "x" * 4_000))
        await settle(pilot)
        assert "●▸[2] sea" in text(app)
        assert "~1.0k" in text(app)
        assert "~32.4k tok" in lines(app)[0]
        assert app.context.live_text("r_8f21", step, attempt, call) == "x" * 4_000
        engine_of(app).play(script, lambda s: s.reply(103_000, step, "x" * 4_000, tokens=(900, 1_100)))
        await settle(pilot)
        assert "33.4k tok" in lines(app)[0]
        assert "~" not in lines(app)[0]


async def test_a_terminal_that_comes_late_sees_what_has_streamed() -> None:
    script = research()
    step, attempt, call = streaming(script)
    app = make(script)
    so_far = Partial(run_id="r_8f21", step=step, attempt=attempt, call=call, text="so far so good")
    engine_of(app).client.partial_texts.append(so_far)
    async with playing(app):
        assert app.context.live_text("r_8f21", step, attempt, call) == "so far so good"
        assert "●▸[2] sea" in text(app)


async def test_nothing_falls_between_snapshot_and_feed() -> None:
    """Items that come while the snapshot is read are folded once: neither lost nor doubled."""
    script = research()
    app = make(script)
    engine = engine_of(app)
    original = engine.client.run

    async def slow(run_id: str) -> object:
        run = await original(run_id)
        engine.play(script, lambda s: s.reply(103_000, "sections[2]", ANSWER))
        app.bridge.pump()
        return run

    engine.client.run = slow  # type: ignore[method-assign,assignment]  # to act at this very moment
    async with playing(app):
        held = app.bridge.open
        assert held is not None
        assert held.run.seq == script.run.seq
        assert held.run.tally.cost == script.run.tally.cost


async def test_the_newest_run_is_shown_when_nothing_else_was_asked() -> None:
    app = make(failed(seq=1_000), research(), start=StartIntent())
    async with playing(app):
        assert app.main_screen.open_run_id == "r_8f21"


async def test_a_run_is_opened_from_the_list() -> None:
    app = make(research(), failed(seq=1_000))
    async with playing(app) as pilot:
        await pilot.press("2", "j", "enter")
        await settle(pilot)
        assert app.main_screen.open_run_id == "r_8f1e"
        assert app.main_screen.focused_pane == "trace"
        assert "nightly.yaml" in lines(app)[0]
        assert "cc -c main.c" in text(app)
        assert "✗ build" in text(app)


async def test_a_new_run_appears_on_top_of_the_list() -> None:
    app = make(research())
    async with playing(app) as pilot:
        late = failed(run_id="r_new", seq=5_000, at=NOW)
        engine_of(app).put(*late.history)
        await settle(pilot)
        assert [item.id for item in app.main_screen.runs] == ["r_new", "r_8f21"]
        assert "✗ r_new nightly" in text(app)


async def test_the_end_of_the_run_shows_its_card() -> None:
    script = Script(research().run.definition, inputs={})
    app = make(script)
    async with playing(app) as pilot:
        engine_of(app).play(script, lambda s: s.add(200, e.RunSucceeded(outputs={"brief": "done"})))
        app.frame()
        await pilot.pause()
        assert isinstance(app.screen, CardScreen)


async def test_a_run_that_was_over_shows_no_card() -> None:
    app = make(research(until="end"))
    async with playing(app):
        assert app.screen is app.main_screen


async def test_time_goes_on_only_while_something_runs() -> None:
    wall = Wall()
    app = make(research(), wall=wall)
    async with playing(app) as pilot:
        wall.now += 9_000
        await settle(pilot)
        assert "RUNNING 01:51" in lines(app)[0]
        assert app.main_screen.ticking
    over = make(research(until="end"), failed(seq=1_000))
    async with playing(over):
        assert not over.main_screen.ticking


async def test_the_clock_of_an_interrupted_run_stands_still() -> None:
    wall = Wall(NOW + 86_400_000)
    app = make(research(), wall=wall)
    engine_of(app).client.interrupted.add("r_8f21")
    async with playing(app):
        assert "INTERRUPTED 01:30" in lines(app)[0]
        assert "nothing drives it — p go on" in lines(app)[-2]
        assert not app.main_screen.ticking


@pytest.fixture
def painted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str | None, Region | None]]:
    """What was asked to be repainted since: (widget, part of it or None for all)."""
    found: list[tuple[str | None, Region | None]] = []
    refresh = Widget.refresh

    def note(self: Widget, *regions: Region, **more: Any) -> Widget:
        found.extend((self.id, region) for region in regions or (None,))
        return refresh(self, *regions, **more)

    monkeypatch.setattr(Widget, "refresh", note)
    return found


async def test_an_idle_screen_paints_nothing(painted: list[tuple[str | None, Region | None]]) -> None:
    app = make(research())
    async with playing(app) as pilot:
        painted.clear()
        for _ in range(5):
            app.frame()
        await pilot.pause()
        assert painted == []


async def test_one_event_repaints_its_cells_alone(painted: list[tuple[str | None, Region | None]]) -> None:
    app = make(research())
    async with playing(app) as pilot:
        painted.clear()
        engine_of(app).put(TokenDelta("r_8f21", "sections[2]", 1, 1, 0, "x" * 400))
        app.frame()
        await pilot.pause()
        regions = [region for name, region in painted if name == "pane-trace" and region is not None]
        assert sorted({region.y for region in regions}) == [2, 8, 11]  # the run, the fan-out, its item
        assert max(region.width for region in regions) < 40
        assert all(region is not None for _, region in painted)
        assert sum(region.area for _, region in painted if region is not None) < 200


async def test_listeners_hear_what_changed() -> None:
    script = research()
    app = make(script)
    async with playing(app):
        heard: list[Changes] = []
        stop = app.context.on_frame(heard.append)
        engine = engine_of(app)
        engine.play(script, lambda s: s.log(103_000, "info", "x"))
        engine.put(TokenDelta("r_8f21", "sections[2]", 1, 1, 0, "x" * 400))
        app.frame()
        assert heard == [Changes("r_8f21", frozenset({"sections[2]"}), frozenset({("sections[2]", 1, 1)}), 1)]
        app.frame()
        stop()
        engine.play(script, lambda s: s.log(103_100, "info", "y"))
        app.frame()
        assert len(heard) == 1


async def test_work_is_taken_in_slices() -> None:
    script = wide(2_000)
    app = make(script)
    async with playing(app):
        engine = engine_of(app)

        def much(s: Script) -> None:
            s.succeed(100_000, "each[0]", 0)
            for index in range(1, 2_000):
                s.begin(100_000 + index, f"each[{index}]")
                s.succeed(100_000 + index, f"each[{index}]", index)

        engine.play(script, much)
        taken = app.bridge.received
        assert app.bridge.pump(0.0) is True
        assert 0 < app.bridge.received - taken < 1_000
        while app.bridge.pump(0.0):
            pass
        assert app.bridge.run("r_wide").version == script.run.version  # type: ignore[union-attr]  # it is held


async def test_structure_that_comes_while_another_run_is_shown() -> None:
    script = research()
    app = make(script, failed(seq=1_000))
    async with playing(app) as pilot:
        app.open_run("r_8f1e")
        await settle(pilot)
        engine_of(app).play(script, lambda s: s.reply(103_000, "sections[2]", ANSWER))
        await settle(pilot)
        app.open_run("r_8f21")
        await settle(pilot)
        held = app.bridge.open
        assert held is not None
        assert held.run.version == script.run.version
        assert "RUNNING" in lines(app)[0]


async def test_an_event_that_does_not_fit_costs_a_toast_and_a_new_snapshot() -> None:
    script = research()
    app = make(script)
    async with playing(app) as pilot:
        engine = engine_of(app)
        stray = e.Recorded(
            script.seq + 1, "run/r_8f21", 99, NOW, e.AttemptSucceeded(step="brief", attempt=7, output=1)
        )
        engine.subscriptions[0].offer(stray)
        await settle(pilot)
        assert any("attempt 7 is not running" in n.message for n in app._notifications)
        script.seq += 1
        engine.play(script, lambda s: s.reply(103_000, "sections[2]", ANSWER))
        await settle(pilot)
        held = app.bridge.open
        assert held is not None
        assert held.run.version == script.run.version
        assert "gather" in text(app)


async def test_the_whole_screen_is_drawn_again_when_that_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    app = make(research())
    async with playing(app) as pilot:
        drawn: list[Region] = []
        fit = app.outlet.fit

        def look(renderable: Any) -> Any:
            if isinstance(renderable, LayoutUpdate):
                drawn.append(renderable.region)
            return fit(renderable)

        monkeypatch.setattr(app.outlet, "fit", look)
        await pilot.press("j")
        await settle(pilot)
        assert drawn == []
        await pilot.press("ctrl+l")
        await settle(pilot)
        assert drawn == [Region(0, 0, 120, 36)]
