"""The main screen: agents, runs, trace, logs and costs of one run, and the list of all.

It owns its panes and answers what actions ask of it (`context.Main`). What is on show depends on the room
(`shapes`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.screen import Screen

from aethermind.tui.actions import foot, main_bindings
from aethermind.tui.bridge import Bridge, Frame
from aethermind.tui.context import PANES, Changes, Context, Move, Pane, Settings
from aethermind.tui.glyphs import Glyphs
from aethermind.tui.held import Held
from aethermind.tui.layout import Layout
from aethermind.tui.rows.runs import RunItem
from aethermind.tui.rows.trace import failed_steps
from aethermind.tui.screens.shapes import WIDE, Shape, shape_of
from aethermind.tui.themes import Palette
from aethermind.tui.widgets.agents import AgentsPane
from aethermind.tui.widgets.chrome import Chrome
from aethermind.tui.widgets.cost import CostPane
from aethermind.tui.widgets.lines import LinePane
from aethermind.tui.widgets.logs import LogsPane
from aethermind.tui.widgets.runs import RunsPane
from aethermind.tui.widgets.tabs import ORDER, Tabs
from aethermind.tui.widgets.trace import TracePane

if TYPE_CHECKING:
    from aethermind.tui.app import AethermindApp
    from aethermind.tui.widgets.beside import Beside


class MainScreen(Screen[None], inherit_bindings=False):
    BINDINGS: ClassVar[list[Any]] = main_bindings()
    AUTO_FOCUS = "#pane-trace"

    def __init__(
        self,
        bridge: Bridge,
        settings: Settings,
        palette: Palette,
        glyphs: Glyphs,
        key_of: Callable[[str], str],
    ) -> None:
        super().__init__(id="main")
        self._bridge = bridge
        self.context: Context | None = None
        """Given by the app once it is there."""
        self._active: Pane = "trace"
        self.zoomed = False
        self._shape: Shape = "full"
        self._sought = ""
        self.chrome = Chrome(settings, palette, glyphs, key_of)
        numbers = {pane: n for n, pane in enumerate(PANES, 1)}
        self.agents = AgentsPane(palette, glyphs, numbers["agents"])
        self.runs_pane = RunsPane(palette, glyphs, numbers["runs"])
        self.trace = TracePane(palette, glyphs, numbers["trace"])
        self.logs = LogsPane(palette, glyphs, numbers["logs"])
        self.cost = CostPane(palette, glyphs, numbers["cost"])
        self._panes: dict[Pane, LinePane] = {
            pane.PANE: pane for pane in (self.agents, self.runs_pane, self.trace, self.logs, self.cost)
        }
        self._failed: list[str] = []
        self._failed_stamp: tuple[str, int, int] = ("", 0, 0)
        self._agents_lines = 0
        self._logs_of_selected = False
        self._shown_id: str | None = None
        self._beside: Beside | None = None
        self.layout_sizes = Layout(self)

    @property
    def _app(self) -> AethermindApp:
        from aethermind.tui.app import AethermindApp

        app = self.app
        assert isinstance(app, AethermindApp)
        return app

    def compose(self) -> ComposeResult:
        yield self.chrome.header
        yield self.chrome.tabs
        with Horizontal(id="upper"):
            with Vertical(id="side"):
                yield self.agents
                yield self.runs_pane
            yield self.trace
            yield self.cost
        yield self.logs
        yield from (self.chrome.message, self.chrome.footer)

    def on_mount(self) -> None:
        self._reshape()
        self.refresh_all()

    # --- what is on show -----------------------------------------------------------------------

    def on_resize(self, event: events.Resize) -> None:
        self._reshape()
        self.call_after_refresh(self.refresh_all)

    def _reshape(self) -> None:
        width, height = self.size if self.size.width else self.app.size
        self._shape = shape_of(width, height, zoomed=self.zoomed)
        classes = {f"-{shape}": shape == self._shape for shape in ("full", "tabs", "single", "tiny")}
        classes |= {f"-on-{pane}": pane == self._active for pane in PANES} | {"-zoom": self.zoomed}
        classes["-wide"] = wide = self._shape == "full" and width >= WIDE
        self.update_classes(classes)
        self.layout_sizes.settle(self._shape)
        if wide and self._beside is None and self.context is not None:
            from aethermind.tui.widgets.beside import Beside  # it takes a while to import

            self._beside = Beside(self.context)
            _ = self.query_one("#upper").mount(self._beside)

    def _visible(self, pane: Pane) -> bool:
        return self._panes[pane].is_on_screen if self._shape != "tiny" else False

    def focus_pane(self, pane: Pane) -> None:
        self._active = pane
        self._reshape()
        self._panes[pane].focus()
        self.call_after_refresh(self.refresh_all)

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        if isinstance(event.widget, LinePane):
            self._active = event.widget.PANE
            self._show_footer()

    def on_screen_resume(self) -> None:
        self.refresh_all()
        self._app.clock.request()  # what was held back

    def on_tabs_chosen(self, event: Tabs.Chosen) -> None:
        self.focus_pane(event.pane)

    def on_line_pane_cursor_moved(self, event: LinePane.CursorMoved) -> None:
        if event.pane is self.trace and self._logs_of_selected:
            self.logs.only_step(self.selected_node_path)
        self._look_beside(None)
        self._show_footer()

    def on_line_pane_chosen(self, event: LinePane.Chosen) -> None:
        if event.pane.PANE == "runs" and self.runs_pane.selected is not None:
            self.open_run(self.runs_pane.selected.id)
        elif event.pane.PANE in {"trace", "agents", "cost"}:
            self._app.action_act("run.open")

    # --- frames --------------------------------------------------------------------------------

    def show(self, frame: Frame, now: int) -> None:
        """Draw what a frame brought."""
        held = self._bridge.open
        if frame.runs or self.runs_pane.ticking:
            self.runs_pane.update(self._bridge.runs, self.open_run_id, now, frame.runs)
        if held is None:
            self._show_lines(now)
            return
        shown = self._shown_now(held, now)
        changes = frame.changes
        if changes is not None or frame.whole or held.run.finished is None:
            self.trace.update(changes, frame.structure, whole=frame.whole, now=shown)
        if changes is None or changes.nodes or frame.whole:
            self._show_agents(held)
            if self._visible("cost"):
                self.cost.update(held, shown)
        if changes is not None and (changes.logs or frame.whole):
            self.logs.update()
        self._find_failed(held)
        self._look_beside(None if frame.whole else changes)
        self._show_lines(now)
        if frame.ended is not None or frame.whole:
            self._show_footer()

    def refresh_all(self) -> None:
        """Draw everything anew: another size, another run, back from another screen."""
        now = self._app.now()
        held = self._bridge.open
        self.runs_pane.update(self._bridge.runs, self.open_run_id, now)
        if held is not None:
            shown = self._shown_now(held, now)
            self.trace.update(None, frozenset(), whole=False, now=shown)
            self.cost.update(held, shown)
            self._find_failed(held)
        self._show_agents(held)
        self.logs.update()
        self._look_beside(None)
        self._show_lines(now)
        self._show_footer()

    def _look_beside(self, changes: Changes | None) -> None:
        if self._beside is not None and self.has_class("-wide"):
            self._beside.changed(changes)

    def _find_failed(self, held: Held) -> None:
        """Walks the whole tree, so only when their number changed."""
        run = held.run
        stamp = (run.id, run.generation, run.counts.get("failed", 0))
        if stamp != self._failed_stamp:
            self._failed_stamp = stamp
            self._failed = [node.path for node in failed_steps(run)]

    def repalette(self, palette: Palette) -> None:
        self.chrome.repalette(palette)
        for pane in self._panes.values():
            pane.repalette(palette)
        self.refresh_all()

    def _shown_now(self, held: Held, now: int) -> int:
        """Times of a run that nobody drives stand still where its record ends."""
        return held.last_at if self._status(held) == "interrupted" else now

    def _status(self, held: Held) -> str:
        item = self._bridge.runs.get(held.run.id)
        return item.status if item is not None and item.status == "interrupted" else held.run.status

    @property
    def ticking(self) -> bool:
        """Whether a time that is on the screen goes on by itself."""
        held = self._bridge.open
        if held is not None and held.run.finished is None and self._status(held) != "interrupted":
            return True
        return self._visible("runs") and self.runs_pane.ticking

    def _show_agents(self, held: Held | None) -> None:
        self.agents.update(held)
        lines = max(self.agents.row_count() + 2, 3)
        if lines != self._agents_lines:
            self._agents_lines = lines
            self.agents.styles.max_height = max(lines, 4)

    def _show_lines(self, now: int) -> None:
        held = self._bridge.open
        status = self._status(held) if held is not None else ""
        shown = self._shown_now(held, now) if held is not None else now
        width = self.size.width
        self.chrome.show_header(held, status, width, shown, tiny=self._shape == "tiny")
        if self._shape in {"tabs", "single"} and not self.zoomed:
            counts: dict[Pane, int] = {
                "agents": self.agents.row_count(),
                "runs": self.runs_pane.row_count(),
                "logs": self.logs.row_count(),
            }
            self.chrome.show_tabs(self._active, counts, len(self._failed))
        self.chrome.show_message(held, self._failed, status, width)

    def note(self, text: str) -> None:
        """A passing line above the footer; empty takes it away."""
        self.chrome.note = text
        self._show_lines(self._app.now())

    def _show_footer(self) -> None:
        if self.context is not None and self.is_current:
            self.chrome.show_footer(foot(self.context, self.size.width), self.size.width)

    # --- what actions ask (context.Main) -------------------------------------------------------

    @property
    def selected_run_id(self) -> str | None:
        selected = self.runs_pane.selected
        return selected.id if self._active == "runs" and selected is not None else self.open_run_id

    @property
    def open_run_id(self) -> str | None:
        return self._bridge.open_id if self._bridge.open is not None else None

    @property
    def marked(self) -> str | None:
        return self.runs_pane.marked

    def mark(self, run_id: str | None) -> None:
        self.runs_pane.mark(run_id)

    @property
    def selected_node_path(self) -> str | None:
        if self._active == "agents" and self.agents.selected is not None:
            return self.agents.selected.step
        node = self.trace.cursor_node
        return node.path if node is not None and node.path else None

    @property
    def selected_call(self) -> tuple[int, int] | None:
        return self.trace.cursor_call if self._active == "trace" else None

    @property
    def focused_pane(self) -> Pane:
        return self._active

    @property
    def _pane(self) -> LinePane:
        return self._panes[self._active]

    @property
    def runs(self) -> Sequence[RunItem]:
        return self._bridge.runs.items

    def open_run(self, run_id: str) -> None:
        self._app.open_run(run_id)

    def opened(self, held: Held) -> None:
        """Another run is open: all panes show it."""
        now = self._app.now()
        self.trace.open(held, self._shown_now(held, now))
        self.logs.open(held)
        self._logs_of_selected = False
        self.runs_pane.update(self._bridge.runs, self.open_run_id, now)
        if self._active != "runs" or held.run.id != self._shown_id:  # keys act on the run one sees
            self.runs_pane.select(held.run.id)
        self._shown_id = held.run.id
        self.refresh_all()

    def cycle_pane(self, delta: int) -> None:
        full = [pane for pane in PANES if pane != "cost" or self._active == "cost"]
        panes = full if self._shape == "full" else list(ORDER)
        self.focus_pane(panes[(panes.index(self._active) + delta) % len(panes)])

    def move(self, how: Move) -> None:
        self._pane.move(how)

    def select_node(self, path: str) -> None:
        if self.trace.select(path) and self._active != "trace":
            self.focus_pane("trace")

    def zoom(self) -> None:
        self.zoomed = not self.zoomed
        self.focus_pane(self._active)

    @property
    def filter_text(self) -> str:
        return str(getattr(self._pane, "filter_text", ""))

    def set_filter(self, text: str) -> None:
        pane = self._pane
        if isinstance(pane, TracePane | LogsPane):
            pane.set_filter(text)
            return
        assert isinstance(pane, AgentsPane | RunsPane | CostPane)
        pane.filter_text = text
        self.refresh_all()

    def find(self, text: str) -> bool:
        self._sought = text
        if isinstance(self._pane, TracePane | LogsPane):
            self._pane.seek(text)
        return bool(text) and self.find_next(1)

    def find_next(self, delta: int) -> bool:
        pane = self._pane
        assert isinstance(pane, AgentsPane | RunsPane | TracePane | LogsPane | CostPane)
        return bool(self._sought) and pane.find(self._sought, delta)

    def next_error(self, delta: int = 1) -> bool:
        pane = self._pane
        if isinstance(pane, LogsPane | RunsPane):
            return pane.next_error(delta)
        found = self.trace.next_error(delta)
        if found and self._active != "trace":
            self.focus_pane("trace")
        return found

    def toggle_fold(self) -> None:
        self._pane.toggle()

    def expand_all(self) -> None:
        self.trace.fold_all(opened=True)

    def collapse_all(self) -> None:
        self.trace.fold_all(opened=False)

    def critical_only(self) -> bool:
        return self.trace.critical_alone()

    def toggle_follow(self) -> bool:
        return self.logs.toggle_follow()

    def cycle_level(self) -> str:
        return self.logs.cycle_level()

    def logs_of(self, *, agent: str | None = None, step: str | None = None) -> str | None:
        if agent is not None:
            self.logs.only_agent(agent)
        if step is not None:
            self._logs_of_selected = False
            self.logs.only_step(step)
        return self.logs.agent

    def logs_of_selected(self) -> bool:
        self._logs_of_selected = not self._logs_of_selected
        self.logs.only_step(self.selected_node_path if self._logs_of_selected else None)
        return self._logs_of_selected

    def text_to_copy(self) -> str:
        return self._pane.row_text(self._pane.cursor) if self._pane.row_count() else ""
