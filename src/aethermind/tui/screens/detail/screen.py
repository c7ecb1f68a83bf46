"""A step, all of it: what was sent, what came back, every try, what it cost. Live while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import events, work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import Screen

from aethermind.domain.run import Run
from aethermind.domain.state import Node
from aethermind.tui.actions import REGISTRY, bindings, foot
from aethermind.tui.actions.registry import Where
from aethermind.tui.actions.target import status_of
from aethermind.tui.rows.waits import Wait, brief, sentence
from aethermind.tui.screens.detail import content, head, timeline
from aethermind.tui.screens.detail.body_view import BodyView
from aethermind.tui.screens.detail.content import Section, Text
from aethermind.tui.screens.detail.json_view import JsonView
from aethermind.tui.screens.detail.lines import Line, Span
from aethermind.tui.screens.detail.output import Output
from aethermind.tui.screens.detail.timeline import Stop
from aethermind.tui.screens.detail.view import Lines, TextView
from aethermind.tui.screens.dialog import safe_line
from aethermind.tui.widgets.chrome import footer_cells
from aethermind.tui.widgets.keys_line import KeysLine

if TYPE_CHECKING:
    from collections.abc import Callable

    from aethermind.tui.context import Changes, Context

SIDE = 42
"""Cells of the timeline beside the text."""


class DetailScreen(Screen[None]):
    """Of one step of one run; path "" is the run itself."""

    CSS_PATH = "../../styles/detail.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]
    BINDINGS = bindings(REGISTRY, "detail")
    where: ClassVar[Where] = "detail"

    def __init__(
        self, context: Context, run_id: str, path: str, *, call: tuple[int, int] | None = None
    ) -> None:
        super().__init__()
        self.context = context
        self.run_id = run_id
        self.path = path
        self.stop_shown: Stop | None = Stop(*call) if call is not None else None
        """What `[` and `]` chose; None keeps to the newest."""
        self.section: Section | None = None
        self._fetched: Run | None = None
        self._output = Output(run_id, path)
        self._places: list[tuple[int, int]] = []
        self._sought = ""
        self._unlisten: Callable[[], None] = lambda: None

    # --- what it is about ------------------------------------------------------------------------

    @property
    def run(self) -> Run | None:
        return self.context.run(self.run_id) or self._fetched

    @property
    def node(self) -> Node | None:
        run = self.run
        if run is None:
            return None
        return run.nodes.get(self.path) if self.path else run.root

    def _stop(self, node: Node) -> Stop:
        known = timeline.stops(node)
        if self.stop_shown in known:
            return self.stop_shown
        return known[-1] if known else Stop(0, None)

    # --- composition -----------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        yield Lines(id="detail-title")
        yield Lines(id="detail-tabs")
        with Horizontal(id="detail-body"):
            with Vertical(id="detail-side"):
                beside = TextView(id="detail-timeline")
                beside.can_focus = False
                yield beside
            yield BodyView(id="detail-content")
        yield KeysLine(self.context.app.palette, id="detail-hints")

    def on_mount(self) -> None:
        self.set_class(self.context.glyphs.ascii, "-ascii")
        self._unlisten = self.context.on_frame(self._frame)
        self.query_one("#detail-side", Vertical).border_title = safe_line("Attempts")
        self.set_interval(1.0, self._tick)
        if self.run is None:
            self._fetch()
        elif self.node is not None and self.node.step.kind in {"run", "python"}:
            self._fetch_output()

    def on_unmount(self) -> None:
        self._unlisten()

    @work(exit_on_error=False)
    async def _fetch(self) -> None:
        self._fetched = await self.context.engine.ask(lambda client: client.run(self.run_id))
        self.redraw()

    @work(exclusive=True, group="output", exit_on_error=False)
    async def _fetch_output(self) -> None:
        if await self._output.fetch(self.context.engine):
            self.redraw()

    def on_resize(self, event: events.Resize) -> None:
        self.call_after_refresh(self.redraw)

    def on_screen_resume(self) -> None:
        self.call_after_refresh(self.redraw)

    # --- drawing ---------------------------------------------------------------------------------

    @property
    def body_view(self) -> BodyView:
        return self.query_one(BodyView)

    @property
    def text_view(self) -> TextView:
        """What is scrolled and searched."""
        return self.body_view.view

    def redraw(self) -> None:
        """Everything, from the run as it is now."""
        run, node = self.run, self.node
        if run is None or node is None or not self.is_mounted:
            return
        sections = self._sections(node)
        if self.section not in sections:
            self.section = sections[0]
        self._draw_body(run, node)
        self._draw_head(run, node, sections)

    def _sections(self, node: Node) -> list[Section]:
        found = content.sections(node)
        if node.attempts and not self.has_class("-wide"):  # what stands beside the text where there is room
            found.insert(found.index("changes") if "changes" in found else len(found), "attempts")
        return found

    def _draw_head(self, run: Run, node: Node, sections: list[Section]) -> None:
        glyphs, now = self.context.glyphs, self.context.now()
        stop = self._stop(node)
        streaming = self._live_call(node, stop)
        width = self.size.width
        title = head.title(
            run,
            node,
            streaming=streaming,
            now=now,
            width=width,
            glyphs=glyphs,
            interrupted=status_of(self.context) == "interrupted",
            waits=brief(wait, now) if (wait := self._wait(node)) is not None else "",
        )
        self.query_one("#detail-title", Lines).show([title])
        line, self._places = head.tabs(sections, self.section or sections[0], width)
        self.query_one("#detail-tabs", Lines).show([line])
        side = self.query_one("#detail-side", Vertical)
        side.display = self.has_class("-wide") and bool(node.attempts)
        if side.display:
            self._draw_timeline(node, stop)
        self._draw_hints()
        self.body_view.border_title = self._caption(node, stop)

    def _draw_timeline(self, node: Node, stop: Stop) -> None:
        view = self.query_one("#detail-timeline", TextView)
        lines = self._timeline(node, stop, SIDE - 6)
        view.set_lines(lines, keep=True)
        marked = next((n for n, a_line in enumerate(lines) if a_line[0].style == "accent"), 0)
        if not view.top <= marked < view.top + max(view.size.height, 1):
            view.go_to(max(marked - view.size.height // 2, 0))

    def _timeline(self, node: Node, stop: Stop, width: int) -> list[Line]:
        found = timeline.entries(node, now=self.context.now(), width=width - 1, glyphs=self.context.glyphs)
        mark = ">" if self.context.glyphs.ascii else "▌"
        return [
            (Span(mark, "accent"), *entry.line) if entry.stop == stop else (Span(" "), *entry.line)
            for entry in found
        ]

    def _caption(self, node: Node, stop: Stop) -> Content:
        """What the text is of, on its frame."""
        assert self.section is not None
        words = [content.TITLES[self.section]]
        if self.section in {"answer", "prompt", "process", "changes"} and stop.attempt:
            known = timeline.stops(node)
            attempt, call = timeline.find(node, stop)
            place = f"try {stop.attempt}" + (f", call {stop.call}" if stop.call is not None else "")
            words.append(place + (f"  ({known.index(stop) + 1} of {len(known)})" if len(known) > 1 else ""))
            if call is not None:
                words.append(f"{call.provider}:{call.model}")
                words.append("streaming" if call.status == "running" else call.status)
            elif attempt is not None:
                words.append(attempt.status)
        if self.text_view.growing:
            words.append("FOLLOW" if self.text_view.follow else "new text below: G")
        return safe_line(f" {self.context.glyphs.dot} ".join(words))

    def _draw_hints(self) -> None:
        width = self.size.width
        cells = footer_cells(foot(self.context, width), width, self.context.glyphs)
        self.query_one("#detail-hints", KeysLine).show(cells)

    def _live_call(self, node: Node, stop: Stop) -> bool:
        _, call = timeline.find(node, stop)
        return call is not None and call.status == "running"

    def _wait(self, node: Node) -> Wait | None:
        return self.context.wait_of(self.run_id, node)

    def _draw_body(self, run: Run, node: Node) -> None:
        stop = self._stop(node)
        assert self.section is not None
        if self.section == "attempts":
            width = max(self.text_view.size.width - 2, 20)
            lines = self._timeline(node, stop, width)
            self.body_view.show(Text(tuple(lines)))
            return
        live = self._live_text(stop) if self._live_call(node, stop) else ""
        body = content.body(
            self.section,
            run,
            node,
            stop,
            partial=live,
            written=self._output.lines,
            waits=sentence(wait) if (wait := self._wait(node)) is not None else "",
            now=self.context.now(),
            width=max(self.text_view.size.width - 2, 20),
            glyphs=self.context.glyphs,
        )
        self.body_view.show(body)

    # --- what changes ----------------------------------------------------------------------------

    def _live_text(self, stop: Stop) -> str:
        if stop.call is None:
            return ""
        return self.context.live_text(self.run_id, self.path, stop.attempt, stop.call)

    def _frame(self, changes: Changes) -> None:
        """Once a frame: what was recorded, and what has streamed."""
        if changes.run_id != self.run_id or not self.is_mounted:
            return
        node = self.node
        if node is None:
            return
        if changes.logs and node.step.kind in {"run", "python"}:
            self._fetch_output()
        if not self.path or any(_concerns(self.path, path) for path in changes.nodes):
            self.redraw()
            return
        stop = self._stop(node)
        if (self.path, stop.attempt, stop.call) in changes.texts and self.section == "answer":
            self._grow(stop)

    def _grow(self, stop: Stop) -> None:
        """Append what has streamed since."""
        if not self.body_view.grow(self._live_text(stop)):
            self.body_view.forget()
            self.redraw()

    def _tick(self) -> None:
        """Durations go on while the step does."""
        run, node = self.run, self.node
        if run is None or node is None or self.section is None or not self.is_current:
            return
        if not node.over and run.finished is None:
            self._draw_head(run, node, self._sections(node))

    def on_text_view_scrolled(self, event: TextView.Scrolled) -> None:
        node = self.node
        if node is not None and self.section is not None:
            self.body_view.border_title = self._caption(node, self._stop(node))

    # --- what actions do -------------------------------------------------------------------------

    def leave(self) -> None:
        _ = self.dismiss(None)

    @property
    def calls(self) -> int:
        node = self.node
        return len(timeline.stops(node)) if node is not None else 0

    def cycle_call(self, delta: int) -> bool:
        node = self.node
        known = timeline.stops(node) if node is not None else []
        if node is None or not known:
            return False
        at = known.index(self._stop(node)) + delta
        if not 0 <= at < len(known):
            return False
        self.stop_shown = known[at] if at < len(known) - 1 else None
        self.body_view.forget()
        if self.section not in {"answer", "prompt", "process", "changes"}:
            self.section = None
        self.redraw()
        return True

    def cycle_section(self, delta: int) -> None:
        node = self.node
        if node is not None and self.section is not None:
            known = self._sections(node)
            self.show_section((known.index(self.section) + delta) % len(known))

    def show_section(self, index: int) -> bool:
        """The section at this place of the line of sections."""
        node = self.node
        known = self._sections(node) if node is not None else []
        if not 0 <= index < len(known):
            return False
        if known[index] != self.section:
            self.section = known[index]
            self.body_view.forget()
            self.redraw()
        return True

    def unfold(self, *, everything: bool) -> None:
        view = self.text_view
        if isinstance(view, JsonView):
            (view.unfold_all if everything else view.fold_all)()

    def find(self, text: str) -> bool:
        self._sought = text
        return self.text_view.find(text)

    def find_next(self, delta: int) -> bool:
        return self.text_view.find(self._sought, delta=delta)

    def text_to_copy(self) -> str:
        body = self.body_view.body
        return content.copy_of(body) if body is not None else ""

    def toggle_wrap(self) -> bool:
        return self.text_view.toggle_wrap()

    def on_click(self, event: events.Click) -> None:
        if event.widget is not None and event.widget.id == "detail-tabs":
            for index, (begin, end) in enumerate(self._places):
                if begin <= event.x < end:
                    self.show_section(index)


def _concerns(path: str, changed: str) -> bool:
    """Whether what was recorded about `changed` shows on the screen of `path`."""
    return changed == path or changed.startswith((f"{path}/", f"{path}[", f"{path}#"))
