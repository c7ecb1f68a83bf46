"""A run that is over, played again: the panes of the main screen, fed from a fold up to the playhead."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.containers import Horizontal
from textual.timer import Timer
from textual.widget import Widget

from aethermind.tui.actions import REGISTRY, bindings, widget_bindings
from aethermind.tui.actions.registry import Where
from aethermind.tui.replay import Replay, read
from aethermind.tui.rows import header
from aethermind.tui.rows import replay as rows
from aethermind.tui.rows.cells import Cells
from aethermind.tui.rows.replay import SPEEDS, Tape
from aethermind.tui.screens.listing import Listing
from aethermind.tui.widgets.agents import AgentsPane
from aethermind.tui.widgets.line import OneLine
from aethermind.tui.widgets.lines import LinePane
from aethermind.tui.widgets.logs import LogsPane
from aethermind.tui.widgets.trace import TracePane

if TYPE_CHECKING:
    from aethermind.tui.context import Context, Move
    from aethermind.tui.themes import Palette

MOST_MS = 1_000
"""Of real time that one tick may stand for: a machine that slept does not leap to the end."""


class ReplayScreen(Listing):
    """Opens at the beginning, and stands still until it is told to play."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (120, "-wide")]
    where: ClassVar[Where] = "replay"
    BINDINGS = [*bindings(REGISTRY, "replay"), *widget_bindings("replay")]

    def __init__(self, context: Context, run_id: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(context)
        self.run_id = run_id
        self.replay: Replay | None = None
        self.playing = False
        self.speed = SPEEDS[0]
        self._clock = clock
        self._last = 0.0
        self._timer: Timer | None = None
        self._sought = ""
        palette, glyphs = context.app.palette, context.glyphs
        self.agents = AgentsPane(palette, glyphs, 0, id="replay-agents")
        self.trace = TracePane(palette, glyphs, 0, id="replay-trace")
        self.logs = LogsPane(palette, glyphs, 0, id="replay-logs")
        self.bar = OneLine(palette, id="replay-bar")

    @property
    def open_run_id(self) -> str:
        """The panes offer no other run here."""
        return self.run_id

    def body(self) -> Iterable[Widget]:
        yield self.bar
        yield Horizontal(self.agents, self.trace, id="replay-upper")
        yield self.logs

    def panes(self) -> Sequence[LinePane]:
        return (self.agents, self.trace, self.logs)

    def on_mount(self) -> None:
        self._seen_palette = self.context.app.palette
        self.trace.focus()
        period = 1 / min(self.context.settings.frame_hz, 10.0)
        self._timer = self.set_interval(period, self.tick, pause=True)
        self.refill()

    def repalette(self, palette: Palette) -> None:
        super().repalette(palette)
        self.bar.repalette(palette)

    # --- content -------------------------------------------------------------------------------

    def refill(self) -> None:
        _ = self.context.spawn(self._fetch())

    async def _fetch(self) -> None:
        run_id = self.run_id
        found = await self.context.engine.ask(lambda client: read(client, run_id))
        self.replay = Replay(run_id, Tape(found))
        self.seen()

    def seen(self) -> None:
        """Show the run as it was where the playhead is."""
        replay = self.replay
        if replay is None or not self.is_mounted:
            return
        changes, structure, whole, anew = replay.follow()
        now = replay.tape.at
        if anew:
            at, row = self.trace.cursor_key, self.trace.top
            self.trace.open(replay.held, now)
            self.trace.select(at)
            self.trace.top = min(row, self.trace.last_top)
            self.logs.open(replay.held)
        self.trace.update(changes, structure, whole=whole or anew, now=now)
        self.agents.update(replay.held)
        self.logs.update()
        self.redraw()

    def top_cells(self, width: int) -> Cells:
        replay = self.replay
        if replay is None:
            return [(" REPLAY ", "brand"), ("  reading", "faint")]
        held, glyphs = replay.held, self.context.glyphs
        pace = "REPLAY"
        return header.cells(held.run, width, replay.tape.at, glyphs, status=held.run.status, pace=pace)

    def redraw(self) -> None:
        if self.replay is not None and self.is_mounted:
            self.bar.show(
                rows.bar(
                    self.replay.tape,
                    self.size.width,
                    self.context.glyphs,
                    playing=self.playing,
                    speed=self.speed,
                )
            )
            for pane in self.panes():
                pane.redraw()
        super().redraw()

    def on_resize(self, event: events.Resize) -> None:
        self.call_after_refresh(self.seen)

    # --- time ----------------------------------------------------------------------------------

    def tick(self) -> None:
        """So much time has passed since the last one."""
        if self.replay is None or not self.playing:
            return
        now = self._clock()
        passed = min(int((now - self._last) * 1_000), MOST_MS)
        self._last = now
        self.replay.tape.advance(passed, self.speed)
        if self.replay.tape.over:
            self._play(playing=False)
        self.seen()

    def _play(self, *, playing: bool) -> None:
        self.playing = playing
        self._last = self._clock()
        if self._timer is not None:
            if playing:
                self._timer.resume()
            else:
                self._timer.pause()

    # --- what actions do -----------------------------------------------------------------------

    def toggle_play(self) -> None:
        """Play, or stand still; at the end from the beginning."""
        if self.replay is None:
            return
        if not self.playing and self.replay.tape.over:
            self.replay.tape.go_to(self.replay.tape.start)
        self._play(playing=not self.playing)
        self.seen()

    def next_speed(self) -> None:
        self.speed = SPEEDS[(SPEEDS.index(self.speed) + 1) % len(SPEEDS)]
        self.redraw()

    def wind(self, move: Callable[[Tape], None]) -> None:
        """Put the playhead elsewhere; it stands still there."""
        if self.replay is not None:
            self._play(playing=False)
            move(self.replay.tape)
            self.seen()

    def next_pane(self, delta: int) -> None:
        shown = [pane for pane in self.panes() if pane.display]
        at = shown.index(self.focused) if self.focused in shown else 0
        shown[(at + delta) % len(shown)].focus()

    # --- moving, finding, copying: what has the focus ------------------------------------------

    @property
    def pane(self) -> AgentsPane | TracePane | LogsPane:
        focused = self.focused
        return focused if isinstance(focused, AgentsPane | TracePane | LogsPane) else self.trace

    def _move(self, how: Move) -> None:
        self.pane.move(how)

    def action_cursor_down(self) -> None:
        self._move("down")

    def action_cursor_up(self) -> None:
        self._move("up")

    def action_half_down(self) -> None:
        self._move("half_down")

    def action_half_up(self) -> None:
        self._move("half_up")

    def action_page_down(self) -> None:
        self._move("page_down")

    def action_page_up(self) -> None:
        self._move("page_up")

    def fold(self) -> None:
        self.pane.toggle()

    def choose(self) -> None:
        self.fold()

    def find(self, text: str) -> bool:
        self._sought = text
        return self.find_next(1)

    def find_next(self, delta: int) -> bool:
        return bool(self._sought) and self.pane.find(self._sought, delta)

    def text_to_copy(self) -> str:
        pane = self.pane
        return pane.row_text(pane.cursor) if pane.row_count() else ""
