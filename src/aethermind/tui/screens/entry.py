"""Lines and texts to type into. Whatever gets into them is clean: Textual draws what it is given, and a paste
may hold anything.
"""

from __future__ import annotations

from textual import events
from textual.widgets import Input, TextArea

from aethermind.infra.sanitize import clean, clean_line


class Entry(Input):
    """A line. Lines that are pasted into it become one."""

    def __init__(
        self, value: str = "", *, placeholder: str = "", id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(
            clean_line(value),
            placeholder=placeholder,
            id=id,
            classes=classes,
            compact=True,
            select_on_focus=False,
        )

    def on_paste(self, event: events.Paste) -> None:
        event.stop()
        event.prevent_default()
        start, end = sorted(self.selection)
        self.replace(clean_line(" ".join(event.text.split("\n"))), start, end)


class Area(TextArea):
    """Several lines. Tab goes on to the next field."""

    def __init__(self, text: str, *, id: str | None = None) -> None:
        super().__init__(clean(text), id=id, compact=True, tab_behavior="focus", highlight_cursor_line=False)

    def on_paste(self, event: events.Paste) -> None:
        event.stop()
        event.prevent_default()
        start, end = self.selection
        done = self.replace(clean(event.text), start, end)
        self.move_cursor(done.end_location)
