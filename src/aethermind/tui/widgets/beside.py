"""Beside the trace, where there is room (from 160 columns): the step under its cursor, as its own screen
shows it first. It is only looked at; enter opens the screen.
"""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical

from aethermind.domain.run import Run
from aethermind.domain.state import Node
from aethermind.tui.context import Changes, Context
from aethermind.tui.screens.detail import content, timeline
from aethermind.tui.screens.detail.body_view import BodyView
from aethermind.tui.screens.detail.timeline import Stop
from aethermind.tui.screens.detail.view import TextView
from aethermind.tui.screens.dialog import safe_line

Shown = tuple[str, str, Stop, content.Section]
"""Run, step, attempt and call, section."""


class Beside(Vertical, can_focus=False):
    def __init__(self, context: Context) -> None:
        super().__init__(id="beside")
        self.context = context
        self._shown: Shown | None = None

    def compose(self) -> ComposeResult:
        yield BodyView(id="beside-body")

    def on_mount(self) -> None:
        self.set_class(self.context.glyphs.ascii, "-ascii")
        for view in self.query(TextView):
            view.can_focus = False
        self.look()

    def on_resize(self) -> None:
        self._shown = None
        self.look()

    def changed(self, changes: Changes | None) -> None:
        """Once a frame. None: everything may be another."""
        if changes is None or self._shown is None:
            self.look()
            return
        _, path, stop, _ = self._shown
        below = f"{path}/"
        recorded = not path or any(one == path or one.startswith(below) for one in changes.nodes)
        if recorded or (path, stop.attempt, stop.call) in changes.texts:
            self.look()

    def look(self) -> None:
        """Show what is under the cursor now."""
        main = self.context.main
        run_id = main.open_run_id
        run = self.context.run(run_id) if run_id is not None else None
        node = self._node(run)
        if run is None or node is None or not self.is_mounted or not self.display:
            return
        stops = timeline.stops(node)
        wanted = Stop(*main.selected_call) if main.selected_call is not None else None
        stop = wanted if wanted in stops else stops[-1] if stops else Stop(0, None)
        assert stop is not None
        section = content.sections(node)[0]
        shown: Shown = (run.id, node.path, stop, section)
        view = self.query_one(BodyView)
        live = self._live(run, node, stop)
        if shown != self._shown:
            self._shown = shown
            view.forget()
        elif live and section == "answer" and view.grow(live):
            return
        view.show(
            content.body(
                section,
                run,
                node,
                stop,
                partial=live,
                written=(),
                now=self.context.now(),
                width=max(view.size.width - 2, 20),
                glyphs=self.context.glyphs,
            )
        )
        name = node.path or run.created.workflow
        self.border_title = safe_line(f"{name} {self.context.glyphs.dot} {content.TITLES[section]}")

    def _node(self, run: Run | None) -> Node | None:
        if run is None:
            return None
        path = self.context.main.selected_node_path
        return run.nodes.get(path) if path else run.root

    def _live(self, run: Run, node: Node, stop: Stop) -> str:
        _, call = timeline.find(node, stop)
        if stop.call is None or call is None or call.status != "running":
            return ""
        return self.context.live_text(run.id, node.path, stop.attempt, stop.call)
