"""The keys as they are: what clashes, what the user mapped, and what each action is called in the config."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Vertical

from aethermind.tui.actions import REGISTRY
from aethermind.tui.actions.registry import GROUPS
from aethermind.tui.keymap import Keymap, build, shown
from aethermind.tui.screens.detail.lines import BLANK, Line, Span
from aethermind.tui.screens.detail.view import TextView
from aethermind.tui.screens.dialog import safe_line
from aethermind.tui.screens.help import wrong
from aethermind.tui.screens.reading import TextDialog

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aethermind.tui.context import Context

_KEYS, _ID = 14, 19


class KeysScreen(TextDialog):
    """Scrolls, is searched with `/`, and is left with escape."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self.context = context

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog help") as box:
            box.border_title = safe_line("Keys")
            box.border_subtitle = safe_line("/ find   y copy   esc back")
            yield TextView(id="keys-text")

    def on_mount(self) -> None:
        super().on_mount()
        view = self.query_one(TextView)
        view.text.hang = _KEYS + _ID + 4
        view.set_lines(self.lines())
        view.focus()

    def lines(self) -> list[Line]:
        keymap = self.context.keymap
        return list(key_lines(keymap, ascii=self.context.glyphs.ascii)) if keymap is not None else []


def key_lines(keymap: Keymap, *, ascii: bool = False) -> Iterable[Line]:
    """What is wrong first, then what is the user's own, then everything."""
    yield (
        Span("Preset ", "dim"),
        Span(keymap.preset, "strong"),
        Span("   :set keymap NAME changes it", "dim"),
    )
    yield (
        Span(
            'Your own, in config.toml under [tui.keymap]: "run.cancel" = "ctrl+x", a list, or "" for none',
            "dim",
        ),
    )
    yield from wrong(keymap)
    usual = build(REGISTRY, {"preset": keymap.preset})
    own = [action for action in REGISTRY if keymap.of(action) != usual.of(action)]
    if own:
        yield BLANK
        yield (Span("Other keys than the preset's", "heading"),)
        for action in own:
            was = usual.shown(action, ascii=ascii) or "none"
            yield _line(keymap.shown(action, ascii=ascii) or "none", action.id, f"{action.title} (was {was})")
    for group, actions in REGISTRY.grouped(list(REGISTRY)):
        yield BLANK
        yield (Span(GROUPS[group], "heading"),)
        for action in actions:
            keys = " ".join(shown(key, ascii=ascii) for key in keymap.of(action))
            yield _line(keys, action.id, action.title if keys else f"{action.title} ({_none(action.no_key)})")


def _none(why: str) -> str:
    return why or "no key"


def _line(keys: str, id: str, title: str) -> Line:
    return (Span(f"  {keys:<{_KEYS}} ", "key"), Span(f"{id:<{_ID}} ", "number"), Span(title))
