"""The keys of a dialog: read from its bindings and those of what has the focus, so they can't be wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual.screen import Screen

from aethermind.infra.sanitize import clean_line
from aethermind.tui.keymap import UNBOUND, shown
from aethermind.tui.screens.choices import Typing
from aethermind.tui.screens.detail.lines import BLANK, Line, Span
from aethermind.tui.screens.dialog import glyphs_of
from aethermind.tui.screens.form import Form

if TYPE_CHECKING:
    from collections.abc import Iterable

_TYPING = (("up down", "In the list, while you type"),)
_FORM = (
    ("tab down", "Next field"),
    ("shift+tab up", "Previous field"),
    ("enter", "Next field; in the last line, done"),
)
_HIDDEN = frozenset({"dialog_help", "app.focus_next", "app.focus_previous", "screen.copy_text"})
"""What goes without saying, or is said by hand."""


def keys_of(screen: Screen[Any]) -> list[Line]:
    """Of the dialog first, then of the line, list or text that has the focus."""
    ascii = glyphs_of(screen.app).ascii
    parts: dict[str, dict[tuple[str, str], list[str]]] = {"Here": {}, "Where the cursor is": {}}
    for key, active in screen.active_bindings.items():
        binding = active.binding
        if key == UNBOUND or not binding.description or binding.action in _HIDDEN:
            continue
        if active.node not in {screen, screen.focused}:
            continue  # of what merely scrolls around it
        part = "Here" if active.node is screen else "Where the cursor is"
        parts[part].setdefault((binding.action, binding.description), []).append(shown(key, ascii=ascii))
    found: list[Line] = []
    for title, actions in parts.items():
        told = [(keys, description) for (_, description), keys in actions.items()]
        if title == "Here":
            told = [*_by_hand(screen, ascii=ascii), *told]
        if told:
            found += [BLANK] if found else []
            found.append((Span(title, "heading"),))
            found += [
                (Span(f"  {' '.join(keys[:3]):<18} ", "key"), Span(clean_line(what))) for keys, what in told
            ]
    return found


def _by_hand(screen: Screen[Any], *, ascii: bool) -> Iterable[tuple[list[str], str]]:
    """Keys that forms and lists answer themselves."""
    rows = (*(_FORM if screen.query(Form) else ()), *(_TYPING if screen.query(Typing) else ()))
    for keys, what in rows:
        yield [shown(key, ascii=ascii) for key in keys.split()], what
