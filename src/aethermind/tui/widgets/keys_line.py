"""A line with keys on it: a click on a key, or on its word, does what the key does."""

from __future__ import annotations

from textual import events

from aethermind.tui.actions import click
from aethermind.tui.rows.cells import Cells, cells_width
from aethermind.tui.widgets.line import OneLine

KEYS = frozenset({"key", "key.off"})
"""Styles of keys; what follows one is its word."""


def key_at(cells: Cells, x: int) -> str:
    """The key that stands at this cell, or whose word does; "" if there is none."""
    at = 0
    for index, (text, style) in enumerate(cells):
        word = cells[index + 1][0].rstrip() if style in KEYS and index + 1 < len(cells) else ""
        if style in KEYS and at <= x < at + cells_width([(text + word, style)]):
            return text
        at += cells_width([(text, style)])
    return ""


class KeysLine(OneLine):
    """Hints, of the footer or of the message above it."""

    def on_click(self, event: events.Click) -> None:
        from aethermind.tui.app import AethermindApp

        app = self.app
        key = key_at(self.cells, event.x)
        if key and isinstance(app, AethermindApp):
            event.stop()
            _ = click(app.context, key)
