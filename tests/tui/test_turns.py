"""Keys that come together: each is for what the one before it opened."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from textual import events
from textual.pilot import Pilot
from textual.widgets import Input

from aethermind.tui.app import AethermindApp
from aethermind.tui.screens.command import CommandScreen
from aethermind.tui.screens.help import HelpScreen
from aethermind.tui.screens.prompt import PromptScreen
from aethermind.tui.turns import Turns
from tests.tui.histories import research
from tests.tui.theatre import make, playing


def typed(app: AethermindApp, *keys: str) -> None:
    """All in one read, as a fast hand, a slow line or a paste without marks gives them."""
    for key in keys:
        app.post_message(events.Key(key, key if len(key) == 1 else None))


async def until(pilot: Pilot[int], holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():
            await pilot.pause()


def entered(app: AethermindApp) -> str:
    return "".join(field.value for field in app.screen.query(Input))


async def test_what_is_typed_after_a_colon_presses_nothing_below() -> None:
    app = make(research())
    async with playing(app) as pilot:
        typed(app, "colon", *"zoom")
        await until(pilot, lambda: entered(app) == "zoom")
        assert isinstance(app.screen, CommandScreen)
        assert not app.main_screen.zoomed


async def test_a_key_waits_for_a_dialog_that_a_worker_opens() -> None:
    app = make(research())
    async with playing(app) as pilot:
        typed(app, "s", "z", "z")
        await until(pilot, lambda: entered(app).endswith("zz"))
        assert isinstance(app.screen, PromptScreen)
        assert not app.main_screen.zoomed


async def test_keys_come_in_the_order_they_were_typed() -> None:
    app = make(research())
    async with playing(app) as pilot:
        typed(app, "j", "question_mark", "escape", "j", "z")
        await until(pilot, lambda: app.main_screen.zoomed)
        assert app.main_screen.trace.cursor_key == "gather"


async def test_a_key_does_not_wait_forever_for_what_an_action_does() -> None:
    app = make(research())
    async with playing(app) as pilot:
        never = asyncio.Event()

        async def work() -> None:
            await never.wait()

        handle: Any = app.turns._handle

        async def handled(event: events.Key | events.Paste) -> None:
            if isinstance(event, events.Key) and event.key == "f12":
                _ = app.context.spawn(work())
            await handle(event)

        app.turns = Turns(app, handled)
        typed(app, "f12", "question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        never.set()
