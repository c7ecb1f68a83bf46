"""When a screen paints what was marked: at once, not at the next tick of Textual's clock.

Textual paints from a timer of 60 Hz. A key that comes right after a frame waits for its next tick, and for
two of them if the terminal had still to take the frame. Nothing here needs such a clock: frames have their
own (`frame`), a terminal that is slow holds painting back (`driver`), and a key is to be seen as soon as it
is handled. What is marked within `GAP_S` is still painted together.
"""

from __future__ import annotations

import asyncio
from typing import Any

from textual.screen import Screen

GAP_S = 0.004
"""Between the end of one paint and the next: a screen that is being built marks its parts one by one."""


class Prompt:
    """Stands in for the timer of a screen: `resume` paints soon, `pause` takes that back."""

    def __init__(self, screen: Screen[Any]) -> None:
        self._screen = screen
        self._due: asyncio.TimerHandle | None = None
        self._last = 0.0

    def resume(self) -> None:
        if self._due is None:
            loop = asyncio.get_running_loop()
            self._due = loop.call_at(max(self._last + GAP_S, loop.time()), self._paint)

    def pause(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None

    def _paint(self) -> None:
        screen, self._due = self._screen, None
        if not screen.is_attached or not screen.app.is_running:
            return
        try:
            screen._on_timer_update()  # noqa: SLF001 - what the timer would call
        except Exception as error:  # noqa: BLE001 - as the timer would do
            screen.app._handle_exception(error)  # noqa: SLF001 - the same
        self._last = asyncio.get_running_loop().time()


def paint_promptly(screen: Screen[Any]) -> None:
    """Before the screen is mounted. Written against Textual 8.2, where the timer is made when first asked
    for and kept under this name; a test paints with it.
    """
    screen._Screen__update_timer = Prompt(screen)  # type: ignore[attr-defined]  # noqa: SLF001 - the name is Textual's
