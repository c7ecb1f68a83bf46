"""The app: it composes screens, themes, bridge and clock, and does nothing else."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable
from pathlib import Path
from typing import Any, ClassVar

from rich.console import RenderableType
from textual import events
from textual.app import App
from textual.dom import DOMNode
from textual.driver import Driver
from textual.filter import NoColor
from textual.screen import Screen
from textual.widget import Widget
from textual.worker import Worker

from aethermind import bootstrap
from aethermind.domain.errors import AethermindError
from aethermind.domain.run import Run
from aethermind.infra.sanitize import clean_line
from aethermind.tui.actions import REGISTRY, perform, warm
from aethermind.tui.behind import Behind
from aethermind.tui.bridge import Bridge, Frame
from aethermind.tui.comfort import Comfort, home_of
from aethermind.tui.context import Context, Engine, Settings, Severity, StartIntent
from aethermind.tui.frame import FrameClock
from aethermind.tui.glyphs import ASCII, UNICODE, Glyphs
from aethermind.tui.keymap import Keymap, build, summary
from aethermind.tui.leaving import Leaving
from aethermind.tui.outlet import Outlet
from aethermind.tui.precedence import WAIT_S
from aethermind.tui.prompt import paint_promptly
from aethermind.tui.screens.listing import Listing
from aethermind.tui.screens.main import MainScreen
from aethermind.tui.theme_watch import ThemeWatch
from aethermind.tui.themes import Palette
from aethermind.tui.turns import Turns
from aethermind.tui.widgets.line import OneLine
from aethermind.tui.widgets.lines import LinePane
from aethermind.tui.widgets.runs import RunsPane

_STYLES = Path(__file__).with_name("styles")
_AGAIN_S = 0.002
"""Pause between two slices of work on what came, so that keys and the engine get their turn."""

_SEVERITY: dict[str, Severity] = {
    "held": "error",
    "dropped": "error",
    "warning": "warning",
    "over": "information",
    "lost": "warning",
    "found": "information",
}
"""How loud a notice is."""


class AethermindApp(App[int], inherit_bindings=False):
    """Exits with the exit code that the command is to have."""

    TITLE = "aethermind"
    ENABLE_COMMAND_PALETTE = False
    CSS_PATH: ClassVar[list[Any]] = [_STYLES / "app.tcss", _STYLES / "main.tcss"]
    BINDINGS: ClassVar[list[Any]] = []

    def __init__(
        self,
        engine: Engine,
        *,
        settings: Settings,
        start: StartIntent | None = None,
        composition: Any = None,
        driver_class: type[Driver] | None = None,
        leaving: Leaving | None = None,
    ) -> None:
        self.glyphs: Glyphs = ASCII if settings.ascii else UNICODE
        super().__init__(driver_class=driver_class)
        self.settings = settings
        self.leaving = leaving or Leaving()
        self._intent = start or StartIntent()
        if self.no_color:
            self._filters[:] = [NoColor()]
        # A clock that somebody sets back or forth does not turn elapsed times round.
        self._wall = settings.wall or bootstrap.wall_clock()
        self.animation_level = "full" if settings.animations else "none"
        self.theme_watch = ThemeWatch(self, settings.theme_dirs)
        self.theme_watch.first(settings.theme)
        self.palette = self._make_palette()
        self.outlet = Outlet(self)
        self.clock = FrameClock(settings.frame_hz, self._on_clock)
        self.bridge = Bridge(engine, now=self.now, wake=self.clock.request_soon)
        self.main_screen = MainScreen(self.bridge, settings, self.palette, self.glyphs, self.key_of)
        self.context = Context(self, engine, self.main_screen, settings, composition)
        self.main_screen.context = self.context
        self.keymap: Keymap = build(REGISTRY, settings.keymap)
        self.comfort = Comfort(self, home_of(composition))
        self.turns = Turns(self, super().on_event)
        self._opening: str | None = None
        self._pumping = False
        self._behind = Behind()
        self.failure: BaseException | None = None
        """What broke the screen."""

    def get_default_screen(self) -> Screen[None]:
        return self.main_screen

    def now(self) -> int:
        """Epoch milliseconds."""
        return self._wall()

    # --- starting ------------------------------------------------------------------------------

    def on_mount(self) -> None:
        self.theme_changed_signal.subscribe(self, self._theme_changed)
        self.screen_change_signal.subscribe(self, lambda _screen: self.turns.changed())
        if self.keymap.overrides:
            self.set_keymap(dict(self.keymap.overrides))
        self.main_screen.set_class(self.settings.density == "dense", "-dense")
        self.outlet.settle(self.settings)
        self.clock.start()
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        """After the first paint."""
        self.run_worker(self._boot(), exit_on_error=False)
        self.run_worker(warm, thread=True, exit_on_error=False)
        problems = self.theme_watch.begin()
        self.comfort.begin()
        for problem in (*problems, summary(self.keymap, self.key_of("global.keys"))):
            if problem:
                self.toast(problem, "warning")

    async def _boot(self) -> None:
        try:
            await self.bridge.start()
            self.clock.request()
            await self._do_first()
        except AethermindError as error:
            self.toast(error.line(), "error")
        self.clock.request()

    async def _do_first(self) -> None:
        intent = self._intent
        if intent.request is not None:
            request = intent.request
            run_id = await self.context.engine.ask(lambda client: client.start_run(request))
            await self._open(run_id)
        elif intent.run_id is not None:
            await self._open(intent.run_id)
        elif intent.workflow is not None:
            await self._open_newest()
            perform(self.context, "run.start", intent.workflow)
        elif not await self._open_newest():
            perform(self.context, "screen.welcome" if self.comfort.welcome_due else "run.start")

    async def _open_newest(self) -> bool:
        items = self.bridge.runs.items
        if items:
            await self._open(items[0].id)
        return bool(items)

    # --- runs ----------------------------------------------------------------------------------

    def open_run(self, run_id: str) -> None:
        """Show this run in all panes, as soon as its snapshot is there."""
        self._opening = run_id
        self.spawn(self._open(run_id))

    async def _open(self, run_id: str) -> None:
        self._opening = run_id
        held = await self.bridge.hold(run_id)
        if self._opening != run_id:
            return  # another one was asked for meanwhile
        self.bridge.open_id = run_id
        self.main_screen.opened(held)
        self.clock.request()
        await self.bridge.load_logs(held)
        self.clock.request()

    def on_runs_pane_end_near(self, event: RunsPane.EndNear) -> None:
        self.spawn(self._read_runs(self.bridge.past.more(everything=event.everything)))

    def on_runs_pane_sought(self, event: RunsPane.Sought) -> None:
        self.spawn(self._read_runs(self.bridge.past.seek(event.text)))

    async def _read_runs(self, reading: Awaitable[None]) -> None:
        await reading
        self.clock.request()

    # --- frames --------------------------------------------------------------------------------

    def _on_clock(self) -> None:
        if self.outlet.precedence.first:
            asyncio.get_running_loop().call_later(WAIT_S, self._on_clock)
        else:
            self.call_next(self.frame)

    def frame(self) -> None:
        """Take in what came and draw what changed."""
        more = self.bridge.pump(give_way=self.outlet.precedence)
        found = self.bridge.frame()
        now = self.now()
        self.main_screen.chrome.held = self.bridge.state
        self._show_main(found, now)
        if self._screen_stack and isinstance(self.screen, Listing):
            self.screen.came(found)
        for notice in found.notices:
            self.toast(notice.message, _SEVERITY[notice.kind])
        self.comfort.frame(found)
        if found.ended is not None:
            self._run_ended(found.ended)
        self._mend()
        if self.bridge.runs.unknown:
            self.spawn(self.bridge.ask_unknown())
        if more:
            self.clock.request()
            self._pump_again()
        if self.main_screen.ticking:
            self.clock.tick_in(self._until_next_second(now))
        else:
            self.clock.no_tick()

    def _show_main(self, found: Frame, now: int) -> None:
        loop, covered = asyncio.get_running_loop(), self.screen_stack[-1:] != [self.main_screen]
        due, left_s = self._behind.take(found, loop.time(), covered=covered)
        if due is None:
            self.clock.again_in(left_s)
        elif self.main_screen.is_attached:
            self.main_screen.show(due, now)

    def _mend(self) -> None:
        """A fold that met what did not fit begins anew from a snapshot, which is past it."""
        for run_id, error in list(self.bridge.broken.items()):
            del self.bridge.broken[run_id]
            self.toast(error.line(), "error")
            if run_id == self.bridge.open_id:
                self.open_run(run_id)

    def _pump_again(self) -> None:
        """More came than fits into one slice: go on between the frames."""
        if not self._pumping:
            self._pumping = True
            asyncio.get_running_loop().call_later(_AGAIN_S, self._pump_slice)

    def _pump_slice(self) -> None:
        self._pumping = False
        if self.is_running and self.bridge.pump(give_way=self.outlet.precedence):
            self._pump_again()

    def _until_next_second(self, now: int) -> float:
        held = self.bridge.open
        begin = held.run.created_at if held is not None else 0
        return (1_000 - (now - begin) % 1_000) / 1_000

    def _run_ended(self, run: Run) -> None:
        """The run that is watched has come to its end: its card, unless one is busy elsewhere."""
        if self.screen is not self.main_screen:
            self.toast(
                f"{run.created.workflow} {run.status}", "error" if run.status == "failed" else "information"
            )
            return
        from aethermind.tui.screens.card import CardScreen

        _ = self.push_screen(CardScreen(self.context, run.id))

    # --- painting and the terminal -------------------------------------------------------------

    def _register(self, parent: DOMNode, *widgets: Widget, **given: Any) -> list[Widget]:
        for widget in widgets:
            if isinstance(widget, Screen):
                paint_promptly(widget)
        return super()._register(parent, *widgets, **given)

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        super()._display(screen, self.outlet.fit(renderable))

    # --- looks ---------------------------------------------------------------------------------

    def _make_palette(self) -> Palette:
        # Not `theme_variables`: before the first paint these are still of Textual's default theme.
        return Palette(self.get_css_variables(), no_color=self.no_color)

    def on_app_focus(self, event: events.AppFocus) -> None:
        """Back from another window: a theme file may have been edited there."""
        self.comfort.attention.focus(True)
        self.theme_watch.look()

    def recolor(self) -> None:
        """The theme in force is another one than it was."""
        self._theme_changed(self.current_theme)
        self.refresh_css(animate=False)

    def on_app_blur(self, event: events.AppBlur) -> None:
        self.comfort.attention.focus(False)

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.Key):
            self.comfort.attention.typed(self.now())
        if isinstance(event, events.Key | events.Paste) and not event.is_forwarded:
            await self.turns.take(event)
        else:
            await super().on_event(event)

    def _theme_changed(self, theme: object) -> None:
        self.palette = self._make_palette()
        for screen in self.screen_stack:
            if isinstance(screen, Listing | MainScreen):
                screen.repalette(self.palette)
            else:
                for line in screen.query(OneLine):
                    line.repalette(self.palette)

    def redress(self) -> None:
        """Other signs: plain ones, or those that need a Unicode font."""
        self.main_screen.chrome.redress(self.glyphs)
        for screen in self.screen_stack:
            screen.set_class(self.glyphs.ascii, "-ascii")
            for pane in screen.query(LinePane):
                pane.glyphs = self.glyphs
                pane.restart()

    # --- for actions and screens ---------------------------------------------------------------

    def action_act(self, id: str) -> None:
        """What every key of the registry does."""
        perform(self.context, id)

    def key_of(self, id: str) -> str:
        """How the first key of an action is written; empty if it has none."""
        if id not in REGISTRY:
            return ""
        shown = self.keymap.shown(REGISTRY[id], limit=1)
        return shown.replace("↵", "enter") if self.glyphs.ascii else shown

    def toast(self, text: str, severity: Severity = "information") -> None:
        self.notify(clean_line(text)[:500], severity=severity, timeout=4, markup=False)

    def copy(self, text: str) -> None:
        self._clipboard = text  # what a field of Textual's pastes
        self.spawn(self._copy(text))

    def copy_to_clipboard(self, text: str) -> None:
        """Textual's own fields copy as everything else does."""
        self.copy(text)

    async def _copy(self, text: str) -> None:
        from aethermind.tui.clipboard import copy

        how = self.settings.clipboard
        try:
            said = await copy(text, how=how, write=self.to_terminal, ssh=self.settings.ssh)
        except OSError as error:
            self.toast(f"not copied: {error.strerror or error}", "error")
        else:
            self.toast(said)

    def to_terminal(self, sequence: str) -> None:
        """Write an escape sequence of ours as it is."""
        if self._driver is not None and not self.is_headless:
            self._driver.write(sequence)

    def spawn(self, work: Awaitable[None]) -> Worker[None]:
        return self.run_worker(self._guarded(work), exit_on_error=False)

    async def _guarded(self, work: Awaitable[None]) -> None:
        try:
            await work
        except AethermindError as error:
            self.toast(error.line(), "error")
        except Exception as error:  # noqa: BLE001 - a defect of one action must not take the screen away
            self.toast(f"{type(error).__name__}: {error}", "error")

    # --- ending --------------------------------------------------------------------------------

    def _fatal_error(self) -> None:
        """A defect of ours: the terminal is left as it was, and whoever started the app gets the error in
        place of Textual's pages of it.
        """
        if self.is_headless:
            super()._fatal_error()
            return
        self.failure = sys.exc_info()[1] or self._exception
        self._close_messages_no_wait()

    def on_unmount(self) -> None:
        self.comfort.leave()
        self.clock.stop()
        self.bridge.close()
