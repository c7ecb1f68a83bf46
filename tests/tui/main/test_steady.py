"""What a frame costs, counted: bytes, rows that are drawn, layouts. Frames come when a test asks for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from textual.app import App
from textual.pilot import Pilot
from textual.screen import Screen

from aethermind.tui.app import AethermindApp
from aethermind.tui.paint import Frame
from aethermind.tui.widgets.lines import LinePane
from tests.tui.histories import T0, Script, research, wide
from tests.tui.theatre import Wall, engine_of, make, playing


class Counted:
    """Of all frames since `begin`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bytes = self.paints = self.layouts = self.rows = 0
        display, layout, line = App._display, Screen._refresh_layout, LinePane._line

        def displayed(app: App[Any], screen: Any, renderable: Any) -> None:
            if isinstance(renderable, Frame):
                self.paints += 1
                self.bytes += len(renderable.render_segments(app.console).encode())
            display(app, screen, renderable)

        def laid_out(screen: Screen[Any], *given: Any, **named: Any) -> None:
            self.layouts += 1
            layout(screen, *given, **named)

        def drawn(pane: LinePane, y: int) -> Any:
            self.rows += 1
            return line(pane, y)

        monkeypatch.setattr(App, "_display", displayed)
        monkeypatch.setattr(Screen, "_refresh_layout", laid_out)
        monkeypatch.setattr(LinePane, "_line", drawn)

    def begin(self) -> None:
        self.bytes = self.paints = self.layouts = self.rows = 0


def _line(n: int) -> Callable[[Script], object]:
    return lambda script: script.log(103_000, "info", f"wave {n} of them")


async def framed(app: AethermindApp, pilot: Pilot[Any]) -> None:
    app.frame()
    await pilot.pause()


async def test_a_frame_in_the_steady_state(monkeypatch: pytest.MonkeyPatch) -> None:
    counted, wall, script = Counted(monkeypatch), Wall(), research()
    app = make(script, wall=wall)
    async with playing(app, (120, 40)) as pilot:
        await framed(app, pilot)
        counted.begin()

        await framed(app, pilot)  # nothing came
        assert (counted.bytes, counted.paints, counted.layouts) == (0, 0, 0)

        wall.now += 1_000  # a second goes by: clocks and bars
        await framed(app, pilot)
        assert 0 < counted.bytes <= 1_000
        assert (counted.paints, counted.layouts) == (1, 0)

        for n in range(50):
            engine_of(app).play(script, _line(n))
            counted.begin()
            await framed(app, pilot)
            assert counted.bytes <= 1_500  # the lines move up, but much of them is the same
            assert (counted.paints, counted.layouts) == (1, 0)

        app.main_screen.focus_pane("trace")
        await framed(app, pilot)
        counted.begin()
        await pilot.press("j")
        assert counted.bytes <= 1_200
        assert (counted.paints, counted.layouts) == (1, 0)


async def test_a_dialog_costs_what_it_covers_and_frames_below_it_what_differs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counted, script = Counted(monkeypatch), research()
    app = make(script, ssh=True)
    async with playing(app, (120, 40)) as pilot:
        await framed(app, pilot)
        counted.begin()
        await pilot.press(":")
        await framed(app, pilot)
        assert 0 < counted.bytes <= 2_500
        for n in range(5):
            engine_of(app).play(script, _line(n))
            counted.begin()
            await framed(app, pilot)
            assert counted.bytes <= 1_500


async def _of(script: Script, counted: Counted) -> tuple[int, int]:
    """Rows drawn and bytes written for a frame in which one item of an open fan-out ends."""
    app = make(script, wall=Wall(T0 + 500_000))
    async with playing(app, (120, 40)) as pilot:
        app.clock.stop()  # no tick of a real second falls between the frames that are counted
        app.main_screen.expand_all()
        await framed(app, pilot)
        engine_of(app).play(script, lambda s: s.succeed(500_000, "each[3]", 1))
        await framed(app, pilot)
        counted.begin()
        engine_of(app).play(script, lambda s: s.begin(500_010, "each[4]"))
        await framed(app, pilot)
        return counted.rows, counted.bytes


async def test_frames_do_not_grow_with_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = Counted(monkeypatch)
    small = await _of(wide(200, done=3), counted)
    large = await _of(wide(5_000, done=3), counted)
    assert small[0] > 0
    assert large[0] <= small[0]
    assert large[1] <= small[1] + 100  # longer numbers
