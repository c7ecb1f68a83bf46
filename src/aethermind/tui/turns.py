"""One key at a time: each goes to what has the focus once the key before it is done.

Textual hands a key to whatever has the focus when the key is read. Of keys that come together (somebody types
fast, or the line is slow) all then go to the screen of the first one: of `:fork`, typed at once, the letters
pressed keys of the screen below. So a key waits until the one before it has gone all its way up, and until a
dialog that it opened is there; also one that comes only after a look into the engine (`until`).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from textual import events
from textual.message_pump import MessagePump

if TYPE_CHECKING:
    from aethermind.tui.app import AethermindApp

Typed = events.Key | events.Paste
DIALOG_S = 0.5
"""How long keys wait for what an action opens, or for its end."""
STUCK_S = 0.5
"""How long for a key whose way ended in a screen that is gone."""


class Turns:
    """Everything here runs in the app's loop."""

    def __init__(self, app: AethermindApp, handle: Callable[[Typed], Awaitable[None]]) -> None:
        self._app = app
        self._handle = handle
        self._kept: deque[Typed] = deque()
        self._turn = 0
        """Number of the key that is under way; 0: none is."""
        self._last = 0
        self._expected = 0
        """The number of the key whose dialog is to come; 0: none is."""
        self._screen: object = None
        """The one on top when the key came."""
        self._timer: asyncio.TimerHandle | None = None

    async def take(self, event: Typed) -> None:
        """A key was read: it is handed on, or waits for its turn."""
        if self._turn:
            self._kept.append(event)
        else:
            await self._begin(event)

    def until(self, work: Awaitable[None]) -> Awaitable[None]:
        """This work, begun by the key under way: the next one waits for what it opens, or for its end."""
        if not self._turn:
            return work
        turn = self._expected = self._turn
        self._wait(DIALOG_S)

        async def told() -> None:
            try:
                await work
            finally:
                self._over(turn)

        return told()

    def _over(self, turn: int) -> None:
        if self._expected == turn:
            self._expected = 0
            self._go_on(turn)

    def changed(self) -> None:
        """Another screen is on top."""
        if self._expected:
            self._over(self._expected)

    # --- the way of one key --------------------------------------------------------------------

    async def _begin(self, event: Typed) -> None:
        self._last += 1
        turn = self._turn = self._last
        self._screen = self._app.screen
        target = self._app.focused or self._app.screen
        self._wait(STUCK_S)
        await self._handle(event)
        self._pass(target.ancestors_with_self, turn)

    def _pass(self, way: Sequence[MessagePump], turn: int) -> None:
        """Follow the key, which goes up from where it was handed to: behind it in each one's queue."""
        while way:
            first, *rest = way
            if first.call_later(self._pass, rest, turn):
                return
            way = rest
        self._done(turn)

    def _done(self, turn: int) -> None:
        """The key was handled by whoever it meant something to."""
        if turn == self._turn and not self._expected:
            self._go_on(turn)

    def _go_on(self, turn: int) -> None:
        """A screen that is new on top gets ready first."""
        top = self._app.screen
        if top is self._screen or not top.call_later(self._app.call_later, self._end, turn):
            self._app.call_later(self._end, turn)

    def _wait(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._late, self._turn)

    def _late(self, turn: int) -> None:
        self._app.call_later(self._end, turn)

    async def _end(self, turn: int) -> None:
        if turn != self._turn:
            return  # it was waited for long enough before
        self._turn = self._expected = 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._kept:
            await self._begin(self._kept.popleft())
