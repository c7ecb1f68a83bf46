"""Panes of text on the line API: an own offset, rows cached as strips, no layout when text is appended.

    Lines      a few fixed lines
    TextView   any number of lines; scrolls, follows the end of text that grows while it is read

Lines that are handed over are clean already.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.cache import LRUCache
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from aethermind.tui.actions.bindings import widget_bindings
from aethermind.tui.screens.detail.lines import Line, Wrapped, plain
from aethermind.tui.screens.dialog import glyphs_of

STYLES = (
    "accent",
    "bad",
    "bar",
    "code",
    "cursor",
    "dim",
    "good",
    "heading",
    "key",
    "match",
    "number",
    "string",
    "strong",
    "tab",
    "thumb",
    "warn",
)


class Lines(Widget):
    """Fixed lines, cut at the right edge."""

    COMPONENT_CLASSES = {f"text--{name}" for name in STYLES}
    DEFAULT_CSS = """
    Lines {
        color: $foreground;

        & > .text--accent { color: $accent; }
        & > .text--bad { color: $text-error; }
        & > .text--bar { color: $foreground 20%; }
        & > .text--code { color: $text-secondary; }
        & > .text--cursor { background: $block-cursor-blurred-background; }
        & > .text--dim { color: $text-muted; }
        & > .text--good { color: $text-success; }
        & > .text--heading { color: $text-primary; text-style: bold; }
        & > .text--key { color: $text-accent; }
        & > .text--match { background: $warning; color: $background; }
        & > .text--number { color: $text-warning; }
        & > .text--string { color: $text-success; }
        & > .text--strong { text-style: bold; }
        & > .text--tab { text-style: bold reverse; }
        & > .text--thumb { color: $foreground 60%; }
        & > .text--warn { color: $text-warning; }
    }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._lines: list[Line] = []
        self._styles: dict[str, Style] = {}

    def show(self, lines: Sequence[Line]) -> None:
        if list(lines) != self._lines:
            self._lines = list(lines)
            self.refresh()

    def plain(self) -> str:
        """All of the text."""
        return "\n".join(plain(a_line) for a_line in self._lines)

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._styles.clear()

    def style_of(self, name: str | Style) -> Style:
        base = self._styles.get("")
        if base is None:
            base = self._styles[""] = self.rich_style
        if isinstance(name, Style):
            return base + name
        found = self._styles.get(name)
        if found is None:
            found = self._styles[name] = self.get_component_rich_style(f"text--{name}")
        return found

    def strip_of(self, a_line: Line, width: int) -> Strip:
        strip = Strip([Segment(text, self.style_of(style)) for text, style in a_line])
        return strip.crop(0, width).extend_cell_length(width, self.style_of(""))

    def render_line(self, y: int) -> Strip:
        a_line = self._lines[y] if y < len(self._lines) else ()
        return self.strip_of(a_line, self.size.width)


class TextView(Lines, can_focus=True):
    """Scrolls by keys and wheel."""

    BINDINGS = widget_bindings("text")

    class Scrolled(Message):
        """The view moved, or began or ceased to follow."""

        def __init__(self, view: TextView) -> None:
            super().__init__()
            self.view = view

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.text = Wrapped()
        self.top = 0
        self.left = 0
        self.growing = False
        """Whether text is still being appended; only then is there something to follow."""
        self.follow = False
        """Stay at the end of what grows; scrolling up ends it, going to the end begins it again."""
        self.needle = ""
        self._strips: LRUCache[tuple[int, int], Strip] = LRUCache(2_000)

    # --- content -------------------------------------------------------------------------------

    def set_lines(self, lines: Sequence[Line], *, keep: bool = False) -> None:
        """Show other lines; `keep` stays at the same place (the same text, drawn anew)."""
        self.text.set_lines(lines)
        self._strips.clear()
        if not keep:
            self.top = self.left = 0
        self._settle()
        self.refresh()

    def append(self, text: str, style: str = "") -> None:
        """More text at the end; costs as much as that text is long."""
        changed = self.text.append(text, style)
        self._strips.discard((changed, self.left))
        before = self.top
        self._settle()
        if self.top != before:
            self.refresh()
        else:
            top = max(changed - self.top, 0)
            if top < self.size.height:
                self.refresh(Region(0, top, self.size.width, self.size.height - top))

    def plain(self) -> str:
        return "\n".join(plain(a_line) for a_line in self.text.lines)

    @property
    def _last_top(self) -> int:
        return max(len(self.text.rows) - self.size.height, 0)

    def _settle(self) -> None:
        self.top = self._last_top if self.follow else min(self.top, self._last_top)

    # --- moving --------------------------------------------------------------------------------

    def go_to(self, top: int) -> None:
        """Put this row on top, as far as there is text."""
        top = max(0, min(top, self._last_top))
        follow = self.growing and top >= self._last_top
        if top != self.top or follow != self.follow:
            self.top, self.follow = top, follow
            self.refresh()
            self.post_message(self.Scrolled(self))

    @property
    def _half(self) -> int:
        return max(self.size.height // 2, 1)

    def action_cursor_down(self) -> None:
        self.go_to(self.top + 1)

    def action_cursor_up(self) -> None:
        self.go_to(self.top - 1)

    def action_half_down(self) -> None:
        self.go_to(self.top + self._half)

    def action_half_up(self) -> None:
        self.go_to(self.top - self._half)

    def action_page_down(self) -> None:
        self.go_to(self.top + max(self.size.height - 1, 1))

    def action_page_up(self) -> None:
        self.go_to(self.top - max(self.size.height - 1, 1))

    def action_first(self) -> None:
        self.go_to(0)

    def action_last(self) -> None:
        self.go_to(len(self.text.rows))

    def action_cursor_left(self) -> None:
        self._sideways(-8)

    def action_cursor_right(self) -> None:
        self._sideways(8)

    def _sideways(self, by: int) -> None:
        left = max(0, min(self.left + by, self.text.widest - self._text_width))
        if left != self.left:
            self.left = left
            self.refresh()

    def toggle_wrap(self) -> bool:
        """Wrap long lines, or let them run on to the right. Returns whether they are wrapped now."""
        self._lay(self._text_width, soft=not self.text.soft)
        self.left = 0
        return self.text.soft

    def _lay(self, width: int, *, soft: bool) -> None:
        at = self.text.owner[self.top] if self.top < len(self.text.owner) else 0
        self.text.wrap(width, soft=soft)
        self._strips.clear()
        if at < len(self.text.first):
            self.top = self.text.first[at]
        self._settle()
        self.refresh()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.go_to(self.top + 3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.go_to(self.top - 3)

    # --- finding -------------------------------------------------------------------------------

    def find(self, needle: str, *, delta: int = 0) -> bool:
        """Go to the row with this text, case ignored, round the end: from here on (0), after this row (1),
        before it (-1). All such rows are marked.
        """
        if needle != self.needle:
            self.needle = needle
            self._strips.clear()
            self.refresh()
        wanted = needle.casefold()
        hits = [n for n, a_line in enumerate(self.text.lines) if wanted in plain(a_line).casefold()]
        if not wanted or not hits:
            return False
        here = self.here
        if delta < 0:
            target = next((n for n in reversed(hits) if n < here), hits[-1])
        else:
            target = next((n for n in hits if n >= here + delta), hits[0])
        self.reveal(target)
        return True

    @property
    def here(self) -> int:
        """The line one is at."""
        owner = self.text.owner
        return owner[min(self.top, len(owner) - 1)] if owner else 0

    def reveal(self, number: int) -> None:
        """Go to a line."""
        if number < len(self.text.first):
            self.go_to(self.text.first[number])

    # --- drawing -------------------------------------------------------------------------------

    @property
    def _text_width(self) -> int:
        return max(self.size.width - 2, 1)  # a gap, and the scroll bar

    def on_resize(self, event: events.Resize) -> None:
        if self.text.width != self._text_width:
            self._lay(self._text_width, soft=self.text.soft)
        self._settle()
        self.refresh()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._strips.clear()

    def render_line(self, y: int) -> Strip:
        row = self.top + y
        strip = self._strips.get((row, self.left))
        if strip is None:
            strip = self._draw(row)
            if row < len(self.text.rows):  # what is blank now may be text later
                self._strips[row, self.left] = strip
        return Strip([*strip, self._bar(y)], self.size.width)

    def _draw(self, row: int) -> Strip:
        width = self._text_width
        base = self.style_of("")
        if row >= len(self.text.rows):
            return Strip.blank(self.size.width - 1, base)
        strip = Strip([Segment(text, self.style_of(style)) for text, style in self.text.rows[row]])
        if self.needle:
            strip = self._marked(strip)
        if self.left:
            strip = strip.crop(self.left)
        return strip.crop(0, width).extend_cell_length(self.size.width - 1, base)

    def _marked(self, strip: Strip) -> Strip:
        folded, wanted = strip.text.casefold(), self.needle.casefold()
        if len(folded) != len(strip.text) or wanted not in folded:
            return strip
        mark = self.style_of("match")
        found: list[Segment] = []
        at = 0
        begin = folded.find(wanted)
        while begin >= 0:
            end = begin + len(wanted)
            found.extend(strip.crop(at, strip.index_to_cell_position(begin)))
            found.append(Segment(strip.text[begin:end], mark))
            at = strip.index_to_cell_position(end)
            begin = folded.find(wanted, end)
        found.extend(strip.crop(at))
        return Strip(found)

    def _bar(self, y: int) -> Segment:
        height, rows = self.size.height, len(self.text.rows)
        if rows <= height or height < 1:
            return Segment(" ", self.style_of(""))
        length = max(height * height // rows, 1)
        begin = round(self.top * (height - length) / max(self._last_top, 1))
        on_thumb = begin <= y < begin + length
        glyphs = glyphs_of(self.app)
        sign = glyphs.thumb if on_thumb else glyphs.rail[0]
        return Segment(sign, self.style_of("thumb" if on_thumb else "bar"))
