"""The base of all live panes: framed rows on the line API, with an own offset and a cursor.

Rules
- A pane knows how many rows it has and makes the cells of one row (`row_cells`); nothing else is kept but
  the strips of the lines that are on the screen.
- `redraw` makes those lines anew, compares, and repaints the cells that differ: what is the same costs
  no byte. Nothing here asks for a layout.
- The frame is drawn by the pane itself: title on top, position below, a thumb on the right.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from aethermind.tui.context import Move, Pane
from aethermind.tui.glyphs import Glyphs
from aethermind.tui.rows.cells import Cells, Line, cells_width, cut
from aethermind.tui.themes import Palette
from aethermind.tui.widgets.strips import difference, to_strip

WHEEL = 3


class LinePane(Widget, can_focus=True):
    """Rows in a frame. Subclasses give `row_count`, `row_cells`, and what they want of the rest."""

    DEFAULT_CSS = """
    LinePane { width: 1fr; height: 1fr; }
    """
    PANE: ClassVar[Pane] = "trace"
    TITLE: ClassVar[str] = ""
    HAS_HEAD: ClassVar[bool] = False
    HAS_CURSOR: ClassVar[bool] = True
    """Whether the row of the cursor is marked."""

    class CursorMoved(Message):
        """The row under the cursor is another one."""

        def __init__(self, pane: LinePane) -> None:
            super().__init__()
            self.pane = pane

    class Chosen(Message):
        """Enter, or a double click, on a row."""

        def __init__(self, pane: LinePane) -> None:
            super().__init__()
            self.pane = pane

    def __init__(self, palette: Palette, glyphs: Glyphs, number: int, *, id: str | None = None) -> None:
        super().__init__(id=id or f"pane-{self.PANE}")
        self.palette = palette
        self.glyphs = glyphs
        self.number = number
        self.top = 0
        self.cursor = 0
        self._strips: dict[int, Strip] = {}
        self._shape = (0, 0)
        """Width and height of the last frame: `Widget.size` is too slow to be asked for every line."""

    # --- what subclasses give ------------------------------------------------------------------

    def row_count(self) -> int:
        return 0

    def row_cells(self, index: int, width: int) -> Cells:
        return []

    def head_cells(self, width: int) -> Cells:
        """The line that stays above the rows, where there is one."""
        return []

    def name_text(self) -> str:
        """How it is called: the number of its key, and its name."""
        return f"{self.number} {self.TITLE}" if self.number else self.TITLE

    def title_cells(self) -> Cells:
        """What stands in the title behind number and name."""
        return []

    def empty_cells(self) -> Cells:
        """Shown in place of rows when there are none."""
        return []

    def say_empty(self, what: str, *keys: tuple[str, str]) -> Cells:
        """What is missing, and what to press: (action, what it does)."""
        key_of = getattr(self.app, "key_of", None)
        cells: Cells = [(f" {what}", "faint")]
        for number, (id, does) in enumerate(keys):
            if key_of is not None and (key := key_of(id)):
                cells += [(": " if not number else ", ", "faint"), (key, "key"), (f" {does}", "faint")]
        return cells

    def row_text(self, index: int) -> str:
        """A row as plain text, for the clipboard."""
        return "".join(text for text, _ in self.row_cells(index, max(self.inner_width, 80))).rstrip()

    # --- geometry ------------------------------------------------------------------------------

    @property
    def inner_width(self) -> int:
        return max(self._shape[0] - 2, 0)

    @property
    def head_lines(self) -> int:
        return 1 if self.HAS_HEAD else 0

    @property
    def page(self) -> int:
        """How many rows fit."""
        return max(self._shape[1] - 2 - self.head_lines, 0)

    @property
    def last_top(self) -> int:
        return max(self.row_count() - self.page, 0)

    # --- moving --------------------------------------------------------------------------------

    def move(self, how: Move) -> None:
        page = max(self.page, 1)
        match how:
            case "up":
                self.go_to(self.cursor - 1)
            case "down":
                self.go_to(self.cursor + 1)
            case "page_up":
                self.go_to(self.cursor - page)
            case "page_down":
                self.go_to(self.cursor + page)
            case "half_up":
                self.go_to(self.cursor - max(page // 2, 1))
            case "half_down":
                self.go_to(self.cursor + max(page // 2, 1))
            case "top":
                self.go_to(0)
            case "bottom":
                self.go_to(self.row_count() - 1)
            case "left" | "right" | "parent":
                self.sideways(how)

    def sideways(self, how: Move) -> None:
        """Left, right and to the parent mean something only where a subclass says so."""

    def go_to(self, index: int) -> None:
        """Put the cursor on this row (as far as there is one) and show it."""
        index = max(min(index, self.row_count() - 1), 0)
        moved = index != self.cursor
        self.cursor = index
        self.show_cursor()
        self.redraw()
        if moved:
            self.post_message(self.CursorMoved(self))

    def show_cursor(self) -> None:
        page = self.page
        if page and self.cursor < self.top:
            self.top = self.cursor
        elif page and self.cursor >= self.top + page:
            self.top = self.cursor - page + 1
        self.top = max(min(self.top, self.last_top), 0)

    def scroll_rows(self, delta: int) -> None:
        """Move the view; the cursor stays inside it."""
        self.top = max(min(self.top + delta, self.last_top), 0)
        before = self.cursor
        self.cursor = max(min(self.cursor, self.top + self.page - 1), self.top)
        self.redraw()
        if before != self.cursor:
            self.post_message(self.CursorMoved(self))

    def toggle(self) -> None:
        """Fold or unfold the row under the cursor, where that means something."""

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        event.prevent_default()
        self.scroll_rows(WHEEL)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        event.prevent_default()
        self.scroll_rows(-WHEEL)

    def on_click(self, event: events.Click) -> None:
        event.stop()
        row = self.top + event.y - 1 - self.head_lines
        if not 0 <= event.y - 1 - self.head_lines < self.page or row >= self.row_count():
            return
        self.go_to(row)
        if event.chain >= 2:
            self.post_message(self.Chosen(self))
        else:
            self.clicked(row, event.x - 1)

    def clicked(self, row: int, column: int) -> None:
        """A single click on a row, at this cell of its content."""

    # --- drawing -------------------------------------------------------------------------------

    def redraw(self, rows: Iterable[int] | None = None) -> None:
        """Repaint what differs: of these rows and the frame, or of everything."""
        if not self.is_attached or not self.display:
            return
        width, height = size = self._measure()
        if size != self._shape:
            self.settle()
            self.restart()
            return
        first = 1 + self.head_lines
        if rows is None:
            lines: Iterable[int] = range(height)
        else:
            end = self.top + self.page
            lines = [0, *(first + r - self.top for r in rows if self.top <= r < end), height - 1]
        regions: list[Region] = []
        for y in lines:
            old = self._strips.get(y)
            new = self._strips[y] = self._line(y)
            if old is None:
                regions.append(Region(0, y, width, 1))
            elif (span := difference(old, new)) is not None:
                regions.append(Region(span[0], y, span[1] - span[0], 1))
        if regions:
            self.refresh(*regions)

    def _measure(self) -> tuple[int, int]:
        width, height = self.size
        return width, height

    def restart(self) -> None:
        """Forget all strips: another size, theme or content."""
        self._shape = self._measure()
        self._strips.clear()
        if self.is_attached:
            self.refresh()

    def repalette(self, palette: Palette) -> None:
        self.palette = palette
        self.restart()

    def on_resize(self, event: events.Resize) -> None:
        self.restart()
        self.settle()

    def on_show(self, event: events.Show) -> None:
        self.restart()
        self.settle()

    def settle(self) -> None:
        """Keep cursor and offset inside the rows, after a change of size or content."""
        self.cursor = max(min(self.cursor, self.row_count() - 1), 0)
        self.show_cursor()

    def on_focus(self, event: events.Focus) -> None:
        self.redraw()

    def on_blur(self, event: events.Blur) -> None:
        self.redraw()

    def render_line(self, y: int) -> Strip:
        if y == 0 and self._shape != self._measure():
            self.restart()
        strip = self._strips.get(y)
        if strip is None:
            strip = self._strips[y] = self._line(y)
        return strip

    def _line(self, y: int) -> Strip:
        width, height = self._shape
        if width < 4 or height < 3:
            return to_strip([], width, self.palette)
        if y == 0:
            return to_strip(self._top_frame(width), width, self.palette)
        if y == height - 1:
            return to_strip(self._bottom_frame(width), width, self.palette)
        return self._row_line(y - 1, width)

    def _row_line(self, line: int, width: int) -> Strip:
        focused = self.has_focus
        style = self.palette.style("border.focus" if focused else "border")
        left = right = Segment(self.glyphs.box[3], style)
        under = ""
        cells: Cells = []
        line -= self.head_lines
        if line < 0:
            cells = self.head_cells(width - 2)
        else:
            index, count = self.top + line, self.row_count()
            if index < count:
                cells = self.row_cells(index, width - 2)
                if index == self.cursor and self.HAS_CURSOR:
                    under = "cursor" if focused else "blur"
            elif not count and not line:
                cells = self.empty_cells()
            if count > self.page and self._on_thumb(line, count):
                right = Segment(self.glyphs.thumb, self.palette.style("thumb"))
        return to_strip(
            cells, width - 2, self.palette, under, ellipsis=self.glyphs.ellipsis, edges=(left, right)
        )

    def _on_thumb(self, line: int, count: int) -> bool:
        """Whether the thumb of the scroll bar, which is in the frame, is beside this line."""
        page = self.page
        size = max(page * page // count, 1)
        start = (page - size) * self.top // max(count - page, 1)
        return start <= line < start + size

    def _top_frame(self, width: int) -> Cells:
        focused = self.has_focus
        side = "border.focus" if focused else "border"
        box = self.glyphs.box
        line = Line(ellipsis=self.glyphs.ellipsis)
        line.add(box[0] + box[1], side).add(f" {self.name_text()}", "title.focus" if focused else "title")
        line.extend(cut(self.title_cells(), max(width - line.width - 4, 0), ellipsis=self.glyphs.ellipsis))
        line.add(" ")
        line.to(min(line.width, width - 1))
        return [*line.cells, (box[1] * (width - 1 - line.width), side), (box[2], side)]

    def _bottom_frame(self, width: int) -> Cells:
        side = "border.focus" if self.has_focus else "border"
        box = self.glyphs.box
        place = self.place_cells()
        used = cells_width(place)
        if used + 4 > width:
            place, used = [], 0
        return [(box[6], side), (box[5] * (width - used - 3), side), *place, (box[5], side), (box[4], side)]

    def place_cells(self) -> Cells:
        """Where one is, at the right end of the lower frame."""
        count = self.row_count()
        if count <= self.page:
            return []
        return [(f" {self.cursor + 1}/{count} ", "faint")]
