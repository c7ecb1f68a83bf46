"""The steps of a run by layers, live. Enter opens one; space goes into a group, minus out of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.widget import Widget

from aethermind.domain.run import Run
from aethermind.domain.state import Node
from aethermind.tui.actions import REGISTRY, bindings
from aethermind.tui.actions.registry import Where
from aethermind.tui.rows import layers as rows
from aethermind.tui.rows.cells import Cells, Line
from aethermind.tui.rows.draw import STYLE
from aethermind.tui.screens.listing import Listing
from aethermind.tui.widgets.layers import LayersView
from aethermind.tui.widgets.lines import LinePane

if TYPE_CHECKING:
    from aethermind.tui.bridge import Frame
    from aethermind.tui.context import Context


class LayersScreen(Listing):
    """`path` is the container whose steps are shown; "" is the run."""

    where: ClassVar[Where] = "layers"
    BINDINGS = bindings(REGISTRY, "layers")

    def __init__(self, context: Context, run_id: str, *, at: str = "") -> None:
        super().__init__(context)
        self.run_id = run_id
        self.path = ""
        self.boxes = LayersView(context.app.palette, context.glyphs)
        self.view = self.boxes
        self._at = at
        self._fetched: Run | None = None

    def body(self) -> Iterable[Widget]:
        yield self.boxes

    def panes(self) -> Sequence[LinePane]:
        return (self.boxes,)

    def on_mount(self) -> None:
        super().on_mount()
        self.set_interval(1.0, self._tick)

    # --- content -------------------------------------------------------------------------------

    @property
    def run(self) -> Run | None:
        return self.context.run(self.run_id) or self._fetched

    @property
    def container(self) -> Node | None:
        run = self.run
        return None if run is None else run.nodes.get(self.path) or run.root

    def refill(self) -> None:
        if self.run is None:
            _ = self.context.spawn(self._fetch())
            return
        self._fill(self._at)
        self._at = ""

    async def _fetch(self) -> None:
        run_id = self.run_id
        self._fetched = await self.context.engine.ask(lambda client: client.run(run_id))
        self.refill()

    def _fill(self, at: str = "") -> None:
        container = self.container
        if container is not None:
            self.boxes.show_places(rows.places(container), self.context.now(), at=at)
            self.redraw()

    def came(self, frame: Frame) -> None:
        changes = frame.changes
        if changes is None or changes.run_id != self.run_id:
            return
        if frame.structure or frame.whole:
            self._fill()
        else:
            self._tick()

    def _tick(self) -> None:
        run = self.run
        if run is not None:
            now = self.context.now()
            self.boxes.at_time(run.finished_at if run.finished_at is not None else now)

    def top_cells(self, width: int) -> Cells:
        glyphs, run, node = self.context.glyphs, self.run, self.boxes.node
        line = Line(ellipsis=glyphs.ellipsis).add(" STEPS ", "brand").add("  ")
        if run is None:
            return line.add("reading", "faint").cells
        line.add(glyphs.status_of(run.status), STYLE.get(run.status, "")).add(" ")
        line.say(run.created.workflow, "strong")
        if self.path:
            line.add(glyphs.path, "faint").say(self.path, "strong")
        if node is not None:
            found = self.boxes.places
            place = found[self.boxes.selected]
            waits = [found[n].name for n, word in self.boxes.words.items() if word == "needs it"]
            line.add("   ").say(place.name, "title")
            if place.needs:
                line.add(f" {glyphs.needs} ", "faint").say(", ".join(place.needs))
            if waits:
                line.add("  for ", "faint").say(", ".join(waits))
        return line.cells

    def on_line_pane_cursor_moved(self, event: LinePane.CursorMoved) -> None:
        event.stop()
        self.redraw_around()

    # --- what actions do -----------------------------------------------------------------------

    def choose(self) -> None:
        from aethermind.tui.screens.detail.screen import DetailScreen

        node = self.boxes.node
        if node is not None:
            self.context.push(DetailScreen(self.context, self.run_id, node.path))

    def into(self) -> None:
        """Show the steps inside the one under the cursor."""
        node = self.boxes.node
        if node is None or not node.children:
            self.context.toast("there is nothing inside this step")
            return
        self.path = node.path
        self._fill()

    def out(self) -> bool:
        """Back to what holds these steps; False at the run itself."""
        container = self.container
        if not self.path or container is None:
            return False
        inner, parent = self.path, container.parent
        self.path = parent.path if parent is not None else ""
        self._fill(inner)
        return True
