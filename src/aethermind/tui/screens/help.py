"""The keys of where one is: from the registry, so it can't be wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Vertical

from aethermind.infra.sanitize import clean_line
from aethermind.tui.actions import REGISTRY
from aethermind.tui.actions.reach import TITLES
from aethermind.tui.actions.registry import GROUPS, PANES, Action, Where
from aethermind.tui.keymap import Keymap, report
from aethermind.tui.screens.detail.lines import BLANK, Line, Span
from aethermind.tui.screens.detail.view import TextView
from aethermind.tui.screens.dialog import safe_line
from aethermind.tui.screens.reading import TextDialog

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aethermind.tui.context import Context

_COLUMN = 28
"""Where descriptions begin."""


class HelpScreen(TextDialog):
    """Of one pane or screen. What only works there comes first."""

    def __init__(self, context: Context, place: Where) -> None:
        super().__init__()
        self.context = context
        self.place: Where = place

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog help") as box:
            box.border_title = safe_line(f"Help: {TITLES[self.place]}")
            box.border_subtitle = safe_line("/ find   esc back")
            yield TextView(id="help-text")

    def on_mount(self) -> None:
        view = self.query_one(TextView)
        view.text.hang = _COLUMN
        view.set_lines(self.lines())
        view.focus()

    def lines(self) -> list[Line]:
        found: list[Line] = []
        for group, actions in REGISTRY.grouped(REGISTRY.at(self.place)):
            found += [BLANK] if found else []
            found.append((Span(GROUPS[group], "heading"),))
            families: dict[str, list[Action]] = {}
            for action in sorted(actions, key=_general):
                families.setdefault(action.family or action.id, []).append(action)
            found += [self._line(members) for members in families.values()]
        if self.place in PANES:
            found += [BLANK, (Span("Other panes have more keys: ? tells, wherever the focus is.", "dim"),)]
        keymap = self.context.keymap
        return found + (list(wrong(keymap)) if keymap is not None else [])

    def _line(self, members: list[Action]) -> Line:
        keys = " ".join(self._keys(action, 1 if len(members) > 1 else 3) for action in members)
        first = members[0]
        command = f":{first.command}" if first.command else ""
        return (
            Span(f"  {keys:<14} ", "key"),
            Span(f"{command:<10} ", "number"),
            Span(first.family or first.description),
        )

    def _keys(self, action: Action, limit: int) -> str:
        keymap = self.context.keymap
        return (
            keymap.shown(action, limit=limit, ascii=self.context.glyphs.ascii)
            if keymap is not None
            else " ".join(action.keys[:limit])
        )


def wrong(keymap: Keymap) -> Iterable[Line]:
    """What is wrong with the keys of the config, if anything is."""
    if found := report(keymap):
        yield BLANK
        yield (Span("Wrong in [tui.keymap] of the config", "bad"),)
        yield from ((Span(f"  {clean_line(text)}", "warn"),) for text in found)


def _general(action: Action) -> bool:
    """Not of this place alone: such actions come after those that are."""
    return len(action.where) > 2  # one place, or a pane and a screen
