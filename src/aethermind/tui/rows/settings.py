"""What can be set from the screen: names, values, what they do. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aethermind.tui.glyphs import Glyphs
from aethermind.tui.rows.cells import Cells, Line

Value = str | bool


@dataclass(frozen=True)
class Option:
    """One setting. `name` is what `:set` and the config call it."""

    name: str
    title: str
    note: str
    values: tuple[Value, ...]
    value: Value
    table: str = "tui"
    key: str = ""
    """Its key in that table; empty: its name."""

    def after(self, delta: int) -> Value:
        """The value that comes next (1) or before (-1), round the end."""
        at = self.values.index(self.value) if self.value in self.values else -delta
        return self.values[(at + delta) % len(self.values)]


def word(value: Value) -> str:
    """As it is shown and typed: `on`, `off`, or itself."""
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else value


def read(option: Option, text: str) -> Value | None:
    """The value that was typed; None if it has none of that name."""
    return next((value for value in option.values if word(value) == text.strip()), None)


def head(width: int) -> Cells:
    return Line().field(" SETTING", 18, "head").field("VALUE", 22, "head").to(width).cells


def cells(option: Option, width: int, glyphs: Glyphs) -> Cells:
    line = Line(ellipsis=glyphs.ellipsis)
    line.add(" ").field(option.title, 17, "strong")
    left, right = ("<", ">") if glyphs.ascii else ("‹", "›")
    line.add(f"{left} ", "faint").say(word(option.value), "key", width=min(16, max(width - 24, 4)))
    line.add(f" {right}  ", "faint")
    return line.add(option.note, "faint").to(width).cells


def find(options: Sequence[Option], name: str) -> Option | None:
    return next((option for option in options if option.name == name), None)
