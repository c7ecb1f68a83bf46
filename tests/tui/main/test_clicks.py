"""Hints are for the mouse, too."""

from __future__ import annotations

from aethermind.tui.app import AethermindApp
from aethermind.tui.rows.cells import Cells
from aethermind.tui.screens.command import CommandScreen
from aethermind.tui.screens.help import HelpScreen
from aethermind.tui.screens.jump import JumpScreen
from aethermind.tui.screens.listing import Listing
from aethermind.tui.widgets.keys_line import key_at
from tests.tui.histories import failed, research
from tests.tui.theatre import lines, make, playing, settle


def test_a_key_and_its_word_are_one_place() -> None:
    cells: Cells = [
        (" ", ""),
        ("↵", "key"),
        (" open", "muted"),
        ("  ", ""),
        ("^p", "key.off"),
        (" do  ", "faint"),
    ]
    assert [key_at(cells, x) for x in range(16)] == [""] + ["↵"] * 6 + [""] * 2 + ["^p"] * 5 + [""] * 2


def top(app: AethermindApp) -> object:
    """The screen on top, as something that may be any of them."""
    return app.screen


def pane(app: AethermindApp) -> str:
    return app.main_screen.focused_pane


async def test_clicks_on_the_footer_and_on_the_message_do_what_their_keys_do() -> None:
    app = make(failed(), research())
    async with playing(app) as pilot:
        footer, message = lines(app)[-1], lines(app)[-2]
        assert await pilot.click("#footer", offset=(footer.index("? help"), 0))
        await pilot.pause()
        assert isinstance(top(app), HelpScreen)
        await pilot.press("escape")
        assert await pilot.click("#footer", offset=(footer.index(": cmd") + 3, 0))
        await pilot.pause()
        assert isinstance(top(app), CommandScreen)
        await pilot.press("escape")
        assert await pilot.click("#message", offset=(message.index("next error") + 3, 0))
        await settle(pilot)
        assert app.main_screen.trace.cursor_key == "build"
        assert await pilot.click("#footer", offset=(footer.index("cancel"), 0))
        assert [n.message for n in app._notifications][-1] == "Cancel: the run is over (failed)"
        await pilot.press("C")
        await pilot.pause()
        assert isinstance(top(app), Listing)
        await pilot.click("#listing-bottom", offset=(lines(app)[-1].index("? help"), 0))
        await pilot.pause()
        assert isinstance(top(app), HelpScreen)


async def test_a_label_leads_to_its_row() -> None:
    app = make(research(), failed())
    async with playing(app) as pilot:
        await pilot.press("t")
        await pilot.pause()
        screen = top(app)
        assert isinstance(screen, JumpScreen)
        label, target = next(
            (label, target)
            for label, target in screen._targets.items()
            if target.pane is app.main_screen.runs_pane and target.row == 1
        )
        shown = lines(app)[target.y]
        assert shown[target.x : target.x + len(label)] == label
        await pilot.press(*label)
        await settle(pilot)
        assert pane(app) == "runs"
        assert app.main_screen.runs_pane.cursor == 1
        await pilot.press("t", "escape", "0")
        await settle(pilot)
        assert top(app) is app.main_screen
        assert pane(app) == "trace"
