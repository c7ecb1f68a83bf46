"""Shows one body of the detail screen: streaming text as it is, whole text as Markdown, values as a tree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from rich.style import Style
from textual import events, work
from textual.app import ComposeResult
from textual.widgets import ContentSwitcher

from aethermind.infra.sanitize import clean
from aethermind.tui.screens.detail import markdown
from aethermind.tui.screens.detail.content import Body, Prose, Text, Value
from aethermind.tui.screens.detail.json_view import JsonView
from aethermind.tui.screens.detail.lines import BLANK, Line, Span, text_lines
from aethermind.tui.screens.detail.view import TextView
from aethermind.tui.screens.dialog import glyphs_of

AT_ONCE = 4_000
"""Characters of Markdown that are laid out at once; more is laid out in a thread, and plain until then."""
MARKDOWN_STYLES = ("accent", "heading", "dim", "code", "strong", "key")


class BodyView(ContentSwitcher):
    """Of the two views that it holds, `view` is the one that is shown."""

    def __init__(self, *, id: str) -> None:
        super().__init__(initial=f"{id}-text", id=id)
        self.body: Body | None = None
        self._id = id
        self._streamed = 0
        """Characters of the live text that are shown."""
        self._laid_out = 0
        """The width for which Markdown was laid out."""

    def compose(self) -> ComposeResult:
        yield TextView(id=f"{self._id}-text")
        yield JsonView(id=f"{self._id}-json")

    def on_mount(self) -> None:
        self.app.theme_changed_signal.subscribe(self, self._restyled)

    @property
    def view(self) -> TextView:
        return cast(TextView, self.visible_content)

    @property
    def _text(self) -> TextView:
        return self.query_one(f"#{self._id}-text", TextView)

    def forget(self) -> None:
        """What is shown next is something else: it begins at its top."""
        self.body = None

    def show(self, body: Body) -> None:
        """Show it; if it is the same kind of body as before, at the same place."""
        if body == self.body:
            return
        same_place = type(body) is type(self.body) and not isinstance(body, Value)
        self.body = body
        had_focus = self.view.has_focus or self.screen.focused is None
        self.current = f"{self._id}-json" if isinstance(body, Value) else f"{self._id}-text"
        view = self.view
        was_growing = view.growing
        view.growing = not isinstance(body, Value) and body.live
        view.follow = view.growing and (view.follow if was_growing and same_place else True)
        self._fill(view, body, keep=same_place)
        if had_focus:
            view.focus(scroll_visible=False)

    def _fill(self, view: TextView, body: Body, *, keep: bool) -> None:
        match body:
            case Value(value=value):
                cast(JsonView, view).set_value(value)
            case Text(lines=lines):
                view.set_lines(lines, keep=keep)
            case Prose(live=True):
                self._streamed = len(body.text)
                waiting = (Span("waiting for the first token", "dim"),)
                view.set_lines([*body.head, *(text_lines(clean(body.text)) if body.text else [waiting])])
            case Prose():
                view.set_lines([*body.head, *text_lines(clean(body.text)), *body.tail], keep=keep)
                self._format(body)

    def grow(self, text: str) -> bool:
        """The live text is `text` now: append what is new of it. False if this is no such text."""
        body = self.body
        if not isinstance(body, Prose) or not body.live or not 0 < self._streamed <= len(text):
            return False
        more = text[self._streamed :]
        if more:
            self._streamed = len(text)
            self.body = Prose(text, body.head, live=True)
            self._text.append(clean(more))
        return True

    # --- Markdown --------------------------------------------------------------------------------

    def on_resize(self, event: events.Resize) -> None:
        body = self.body
        if isinstance(body, Prose) and not body.live and self._width != self._laid_out:
            self._format(body)

    def _restyled(self, theme: object) -> None:
        if isinstance(self.body, Prose) and not self.body.live:
            self.call_after_refresh(self._format, self.body)

    @property
    def _width(self) -> int:
        # Not the text's own: while the tree is shown the text has no size, and gets it after it was filled.
        return max(self.size.width - 2, 10)

    def _format(self, body: Prose) -> None:
        view, width, dark = self._text, self._width, self.app.current_theme.dark
        self._laid_out = width
        styles = {name: view.style_of(name) for name in MARKDOWN_STYLES}
        ascii = glyphs_of(self.app).ascii
        if len(body.text) <= AT_ONCE and markdown.ready():
            self._formatted(
                body, markdown.render(body.text, width=width, dark=dark, styles=styles, ascii=ascii)
            )
        else:
            self._format_later(body, width, dark, styles, ascii)

    @work(thread=True, exclusive=True, group="markdown", exit_on_error=False)
    def _format_later(
        self, body: Prose, width: int, dark: bool, styles: Mapping[str, Style], ascii: bool
    ) -> None:
        lines = markdown.render(body.text, width=width, dark=dark, styles=styles, ascii=ascii)
        self.app.call_from_thread(self._formatted, body, lines)

    def _formatted(self, body: Prose, lines: list[Line]) -> None:
        if body is self.body:
            between = (BLANK,) if body.tail and lines else ()
            self._text.set_lines([*body.head, *lines, *between, *body.tail], keep=True)
