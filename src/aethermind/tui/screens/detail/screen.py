"""A step, all of it: what was sent, what came back, every try, what it cost. Live while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from rich.style import Style
from textual import events, work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import Screen
from textual.widgets import ContentSwitcher

from aethermind.domain.run import Run
from aethermind.domain.state import Node
from aethermind.infra.sanitize import clean
from aethermind.tui.actions import REGISTRY, bindings, hints
from aethermind.tui.actions.registry import Where
from aethermind.tui.screens.detail import content, head, markdown, timeline
from aethermind.tui.screens.detail.content import Body, Prose, Section, Text, Value
from aethermind.tui.screens.detail.json_view import JsonView
from aethermind.tui.screens.detail.lines import BLANK, Line, Span, text_lines
from aethermind.tui.screens.detail.timeline import Stop
from aethermind.tui.screens.detail.view import Lines, TextView
from aethermind.tui.screens.dialog import safe_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from aethermind.tui.context import Changes, Context

SIDE = 42
"""Cells of the timeline beside the text."""
AT_ONCE = 4_000
"""Characters of Markdown that are laid out at once; more is laid out in a thread, plain until then."""


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
        self._body: Body | None = None
        self._streamed = 0
        """Characters of the live text that are shown."""
        self._fetched: Run | None = None
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
            with ContentSwitcher(initial="detail-text", id="detail-content"):
                yield TextView(id="detail-text")
                yield JsonView(id="detail-json")
        yield Lines(id="detail-hints")

    def on_mount(self) -> None:
        self._unlisten = self.context.on_frame(self._frame)
        self.query_one("#detail-side", Vertical).border_title = safe_line("Attempts")
        self.set_interval(1.0, self._tick)
        if self.run is None:
            self._fetch()

    def on_unmount(self) -> None:
        self._unlisten()

    @work(exit_on_error=False)
    async def _fetch(self) -> None:
        self._fetched = await self.context.engine.ask(lambda client: client.run(self.run_id))
        self.redraw()

    def on_resize(self, event: events.Resize) -> None:
        self.call_after_refresh(self.redraw)

    def on_screen_resume(self) -> None:
        self.call_after_refresh(self.redraw)

    # --- drawing ---------------------------------------------------------------------------------

    @property
    def text_view(self) -> TextView:
        """The view that is shown."""
        switcher = self.query_one("#detail-content", ContentSwitcher)
        return cast(TextView, switcher.visible_content)

    def redraw(self) -> None:
        """Everything, from the run as it is now."""
        run, node = self.run, self.node
        if run is None or node is None or not self.is_mounted:
            return
        sections = self._sections(node)
        if self.section not in sections:
            self.section = sections[0]
        self._draw_head(run, node, sections)
        self._draw_body(run, node)

    def _sections(self, node: Node) -> list[Section]:
        found = content.sections(node)
        if node.attempts and not self.has_class("-wide"):
            found.append("attempts")  # what stands beside the text where there is room
        return found

    def _draw_head(self, run: Run, node: Node, sections: list[Section]) -> None:
        glyphs, now = self.context.glyphs, self.context.now()
        stop = self._stop(node)
        streaming = self._live_call(node, stop)
        width = self.size.width
        self.query_one("#detail-title", Lines).show(
            [head.title(run, node, streaming=streaming, now=now, width=width, glyphs=glyphs)]
        )
        line, self._places = head.tabs(sections, self.section or sections[0])
        self.query_one("#detail-tabs", Lines).show([line])
        side = self.query_one("#detail-side", Vertical)
        side.display = self.has_class("-wide") and bool(node.attempts)
        if side.display:
            self._draw_timeline(node, stop)
        self._draw_hints()
        self.query_one("#detail-content").border_title = self._caption(node, stop)

    def _draw_timeline(self, node: Node, stop: Stop) -> None:
        view = self.query_one("#detail-timeline", TextView)
        lines = self._timeline(node, stop, SIDE - 6)
        view.set_lines(lines, keep=True)
        marked = next((n for n, a_line in enumerate(lines) if a_line[0].style == "accent"), 0)
        if not view.top <= marked < view.top + max(view.size.height, 1):
            view.go_to(max(marked - view.size.height // 2, 0))

    def _timeline(self, node: Node, stop: Stop, width: int) -> list[Line]:
        found = timeline.entries(node, now=self.context.now(), width=width - 1, glyphs=self.context.glyphs)
        return [
            (Span("▌", "accent"), *entry.line) if entry.stop == stop else (Span(" "), *entry.line)
            for entry in found
        ]

    def _caption(self, node: Node, stop: Stop) -> Content:
        """What the text is of, on its frame."""
        assert self.section is not None
        words = [content.TITLES[self.section]]
        if self.section in {"answer", "prompt", "process"} and stop.attempt:
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
        keys = hints(self.context, self.size.width - 2)
        spans: list[Span] = [Span(" ")]
        for key, word in keys:
            spans += [Span(key, "key"), Span(f" {word}  ", "dim")]
        self.query_one("#detail-hints", Lines).show([tuple(spans)])

    def _live_call(self, node: Node, stop: Stop) -> bool:
        _, call = timeline.find(node, stop)
        return call is not None and call.status == "running"

    def _draw_body(self, run: Run, node: Node) -> None:
        stop = self._stop(node)
        assert self.section is not None
        if self.section == "attempts":
            width = max(self.text_view.size.width - 2, 20)
            lines = self._timeline(node, stop, width)
            self._show(Text(tuple(lines)))
            return
        live = self._live_text(stop) if self._live_call(node, stop) else ""
        body = content.body(
            self.section,
            run,
            node,
            stop,
            partial=live,
            now=self.context.now(),
            width=max(self.text_view.size.width - 2, 20),
            glyphs=self.context.glyphs,
        )
        self._show(body)

    def _show(self, body: Body) -> None:
        if body == self._body:
            return
        same_place = _same_kind(body, self._body)
        self._body = body
        switcher = self.query_one("#detail-content", ContentSwitcher)
        focused = self.text_view.has_focus or self.focused is None
        switcher.current = "detail-json" if isinstance(body, Value) else "detail-text"
        view = self.text_view
        was_growing = view.growing
        view.growing = isinstance(body, Prose) and body.live
        view.follow = view.growing and (view.follow if was_growing and same_place else True)
        self._fill(view, body, keep=same_place)
        if focused:
            view.focus(scroll_visible=False)

    def _fill(self, view: TextView, body: Body, *, keep: bool) -> None:
        match body:
            case Value(value=value):
                cast(JsonView, view).set_value(value)
            case Text(lines=lines):
                view.set_lines(lines, keep=keep)
            case Prose(live=True):
                self._streamed = len(body.text)
                waiting: list[Line] = [] if body.text else [(Span("waiting for the first token", "dim"),)]
                view.set_lines([*body.head, *waiting, *(text_lines(clean(body.text)) if body.text else [])])
            case Prose():
                view.set_lines([*body.head, *text_lines(clean(body.text)), *body.tail], keep=keep)
                if len(body.text) <= AT_ONCE:
                    self._format(body)
                else:
                    self._format_later(body)

    # --- Markdown --------------------------------------------------------------------------------

    def _rendered(self, body: Prose, width: int, styles: dict[str, Style]) -> list[Line]:
        dark = self.app.current_theme.dark
        return markdown.render(body.text, width=width, dark=dark, styles=styles)

    def _styles(self) -> dict[str, Style]:
        view = self.query_one("#detail-text", TextView)
        names = ("accent", "heading", "dim", "code", "strong", "key")
        return {name: view.style_of(name) for name in names}

    def _format(self, body: Prose) -> None:
        view = self.query_one("#detail-text", TextView)
        self._formatted(body, self._rendered(body, max(view.size.width - 2, 10), self._styles()))

    @work(thread=True, exclusive=True, group="markdown", exit_on_error=False)
    def _format_later(self, body: Prose) -> None:
        view = self.query_one("#detail-text", TextView)
        lines = self._rendered(body, max(view.size.width - 2, 10), self._styles())
        self.app.call_from_thread(self._formatted, body, lines)

    def _formatted(self, body: Prose, lines: list[Line]) -> None:
        if body is self._body:
            view = self.query_one("#detail-text", TextView)
            view.set_lines(
                [*body.head, *lines, *((BLANK,) if body.tail and lines else ()), *body.tail], keep=True
            )

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
        if not self.path or any(_concerns(self.path, path) for path in changes.nodes):
            self.redraw()
            return
        stop = self._stop(node)
        if (self.path, stop.attempt, stop.call) in changes.texts and self.section == "answer":
            self._grow(stop)

    def _grow(self, stop: Stop) -> None:
        """Append what has streamed since."""
        text = self._live_text(stop)
        body = self._body
        if not isinstance(body, Prose) or not body.live or self._streamed == 0 or len(text) < self._streamed:
            self._body = None
            self.redraw()
            return
        more = text[self._streamed :]
        if more:
            self._streamed = len(text)
            self._body = Prose(text, body.head, live=True)
            self.text_view.append(clean(more))

    def _tick(self) -> None:
        """Durations go on while the step does."""
        run, node = self.run, self.node
        if (
            run is not None
            and node is not None
            and self.is_current
            and not node.over
            and run.finished is None
        ):
            self._draw_head(run, node, self._sections(node))

    def on_text_view_scrolled(self, event: TextView.Scrolled) -> None:
        node = self.node
        if node is not None and self.section is not None:
            self.query_one("#detail-content").border_title = self._caption(node, self._stop(node))

    # --- what actions do -------------------------------------------------------------------------

    def leave(self) -> None:
        _ = self.dismiss(None)

    def cycle_call(self, delta: int) -> bool:
        node = self.node
        known = timeline.stops(node) if node is not None else []
        if node is None or not known:
            return False
        at = known.index(self._stop(node)) + delta
        if not 0 <= at < len(known):
            return False
        self.stop_shown = known[at] if at < len(known) - 1 else None
        self._body = None
        if self.section not in {"answer", "prompt", "process"}:
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
            self._body = None
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
        return content.copy_of(self._body) if self._body is not None else ""

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


def _same_kind(body: Body, before: Body | None) -> bool:
    """Whether one may stay at the same place of the text."""
    return type(body) is type(before) and not isinstance(body, Value)
