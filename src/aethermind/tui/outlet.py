"""The app's side of the way to the terminal: what is painted when, how often, and what is there already."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import RenderableType

from aethermind.tui.context import Settings
from aethermind.tui.glass import Glass
from aethermind.tui.pace import Pace
from aethermind.tui.paint import tight
from aethermind.tui.precedence import Precedence

if TYPE_CHECKING:
    from aethermind.tui.app import AethermindApp


class Outlet:
    """`hold` and `release` come from the driver: while the terminal has not taken what was written, nothing
    is painted; what changes meanwhile stays marked.
    """

    def __init__(self, app: AethermindApp) -> None:
        self._app = app
        self._held = False
        self._lost = False
        self.glass = Glass()
        self.pace = Pace()
        self.precedence = Precedence()

    def settle(self, settings: Settings) -> None:
        """How often frames come; on a slow line a dialog leaves what is below it in its own colours."""
        self._app.clock.period = 1 / settings.frame_hz
        self._app.set_class(settings.ssh or settings.low_bandwidth, "-far")

    def hold(self) -> None:
        """The terminal has not yet taken the last frame."""
        if not self._held:
            self._held = True
            self._app._begin_batch()  # noqa: SLF001 - what `batch_update` calls

    def took(self, seconds: float) -> None:
        """A write was on its way for so long."""
        if self.pace.took(seconds):
            self._app.clock.least_s = self.pace.least_s
            self._app.main_screen.chrome.line_bears(self.pace.hz)

    def release(self) -> None:
        """It has: paint what changed meanwhile."""
        app = self._app
        if not self._held:
            return
        self._held = False
        app._end_batch()  # noqa: SLF001 - the same
        if not app._running or not app.screen_stack:  # noqa: SLF001 - `is_running` is also true while it ends
            return
        if self._lost:
            self._lost = False
            app.screen.refresh()
        app.screen.check_idle()

    def forget(self) -> None:
        """What is on the terminal is not known any more: all of it is to be written again."""
        self.glass.forget()
        self._lost = True

    def redraw(self) -> None:
        """Write all of the screen again: something else has written to the terminal."""
        self.forget()
        if not self._held:
            self._lost = False
            self._app.screen.refresh()

    def fit(self, renderable: RenderableType | None) -> RenderableType | None:
        """What to display in place of this. To be called for everything that is displayed."""
        if renderable is not None:
            self._lost = self._lost or self._held  # already taken off the list of what is to be painted
            self.precedence.shown()
        return tight(renderable, self.glass, self._app.size)
