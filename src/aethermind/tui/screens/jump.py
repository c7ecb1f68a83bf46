"""Jumping: every row on the screen gets a label, and typing it puts the cursor there."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from textual import events
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Static

from aethermind.infra.sanitize import clean_line
from aethermind.tui.jump import labels
from aethermind.tui.screens.dialog import Dialog
from aethermind.tui.widgets.lines import LinePane

if TYPE_CHECKING:
    from textual.screen import Screen


class Target(NamedTuple):
    """A row of a pane, or the pane itself (`row` None), and where on the screen its label goes."""

    pane: LinePane
    row: int | None
    x: int
    y: int


def targets(screen: Screen[object]) -> list[Target]:
    """Every row that can be seen; of a pane without rows, the pane."""
    found: list[Target] = []
    for pane in screen.query(LinePane):
        x, y, width, height = pane.region
        if not pane.is_on_screen or width < 4 or height < 3:
            continue
        rows = min(pane.row_count() - pane.top, pane.page) if pane.HAS_CURSOR else 0
        if rows <= 0:
            found.append(Target(pane, None, x + 1, y))
        first = y + 1 + pane.head_lines
        found += [Target(pane, pane.top + line, x + 1, first + line) for line in range(rows)]
    return found


class JumpScreen(Dialog[None]):
    """Typing a label goes there; any other key goes back."""

    CSS_PATH = "../styles/jump.tcss"
    AUTO_FOCUS = ""

    def __init__(self, found: list[Target]) -> None:
        super().__init__()
        self._targets = dict(zip(labels(len(found)), found, strict=True))
        self._typed = ""

    def compose(self) -> ComposeResult:
        for label, target in self._targets.items():
            mark = Static(Content(clean_line(label)), classes="jump", name=label, markup=False)
            mark.styles.offset = (target.x, target.y)
            yield mark

    def on_key(self, event: events.Key) -> None:
        event.stop()
        event.prevent_default()
        typed = self._typed + (event.character or "").lower()
        target = self._targets.get(typed)
        if target is not None:
            self.answer(None)
            self.call_after_refresh(_go, target)
        elif event.character and any(label.startswith(typed) for label in self._targets):
            self._typed = typed
            for mark in self.query(".jump"):
                mark.display = (mark.name or "").startswith(typed)
        else:
            self.answer(None)


def _go(target: Target) -> None:
    target.pane.focus()
    if target.row is not None:
        target.pane.go_to(target.row)
