"""A JSON value as a tree with a cursor, which folds."""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from aethermind.tui.actions.bindings import widget_bindings
from aethermind.tui.screens.detail.tree import JsonTree
from aethermind.tui.screens.detail.view import TextView
from aethermind.tui.screens.dialog import glyphs_of


class JsonView(TextView):
    """A tree with a cursor; lines are not wrapped."""

    BINDINGS = widget_bindings("text", "detail")

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.json = JsonTree(None)
        self.cursor = 0
        self.text.soft = False

    def set_value(self, value: object) -> None:
        self.json = JsonTree(value, glyphs=glyphs_of(self.app))
        self.cursor = 0
        self.set_lines([tree_line.line for tree_line in self.json.lines])

    def _tree_changed(self) -> None:
        self.set_lines([tree_line.line for tree_line in self.json.lines], keep=True)
        self.reveal(min(self.cursor, len(self.json.lines) - 1))

    def fold_all(self) -> None:
        self.json.fold_all()
        self.cursor = 0
        self._tree_changed()

    def unfold_all(self) -> None:
        self.json.unfold_all()
        self.cursor = 0
        self._tree_changed()

    def action_fold(self) -> None:
        here = self.json.lines[self.cursor]
        if here.foldable:
            self.json.toggle(here.path)
            self._tree_changed()

    # --- the cursor ------------------------------------------------------------------------------

    @property
    def here(self) -> int:
        return self.cursor

    def reveal(self, number: int) -> None:
        number = max(0, min(number, len(self.json.lines) - 1))
        self._strips.discard((self.cursor, self.left))
        self._strips.discard((number, self.left))
        self.cursor = number
        height = max(self.size.height, 1)
        self.top = max(0, min(self.top, number), number - height + 1)
        self.refresh()

    def action_cursor_down(self) -> None:
        self.reveal(self.cursor + 1)

    def action_cursor_up(self) -> None:
        self.reveal(self.cursor - 1)

    def action_half_down(self) -> None:
        self.reveal(self.cursor + self._half)

    def action_half_up(self) -> None:
        self.reveal(self.cursor - self._half)

    def action_page_down(self) -> None:
        self.reveal(self.cursor + max(self.size.height - 1, 1))

    def action_page_up(self) -> None:
        self.reveal(self.cursor - max(self.size.height - 1, 1))

    def action_first(self) -> None:
        self.reveal(0)

    def action_last(self) -> None:
        self.reveal(len(self.json.lines) - 1)

    def action_cursor_right(self) -> None:
        """Unfold; what is unfolded already scrolls sideways."""
        here = self.json.lines[self.cursor]
        if here.foldable and here.path in self.json.folded:
            self.action_fold()
        else:
            super().action_cursor_right()

    def action_cursor_left(self) -> None:
        """Back from the right, then fold, then to what is around."""
        here = self.json.lines[self.cursor]
        if self.left:
            super().action_cursor_left()
        elif here.foldable and here.path not in self.json.folded:
            self.action_fold()
        elif here.path:
            outer = here.path[:-1]
            self.reveal(next(n for n, t in enumerate(self.json.lines) if t.path == outer))

    def toggle_wrap(self) -> bool:
        return False

    def _draw(self, row: int) -> Strip:
        strip = super()._draw(row)
        if row == self.cursor:
            cursor = Style(bgcolor=self.style_of("cursor").bgcolor)
            return Strip([Segment(text, (style or Style.null()) + cursor) for text, style, _ in strip])
        return strip
