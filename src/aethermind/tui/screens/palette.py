"""Find anything by a few of its letters, and do it: actions, runs, workflows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.fuzzy import FuzzySearch
from textual.widgets import Input
from textual.widgets.option_list import Option

from aethermind.infra.sanitize import clean_line
from aethermind.tui.actions import REGISTRY, summon, why_not
from aethermind.tui.actions.reach import here
from aethermind.tui.actions.registry import Action, Where
from aethermind.tui.actions.target import place_of
from aethermind.tui.screens.choices import Choices, Typing
from aethermind.tui.screens.dialog import Dialog, Line, safe_line
from aethermind.tui.screens.found import Found, workflows

if TYPE_CHECKING:
    from aethermind.tui.context import Context

_SHOWN = 50
_FAR = 2
"""From this rank on actions come after runs and workflows."""


class Item(NamedTuple):
    """A line of the palette."""

    label: str
    note: str
    kind: str
    """`do`, `run` or `workflow`."""
    why_not: str | None
    run: Callable[[], object]


class PaletteScreen(Dialog[None]):
    """Enter does what is marked. A greyed line says why it can't be done now."""

    AUTO_FOCUS = "Input"

    def __init__(self, context: Context) -> None:
        super().__init__()
        self.context = context
        self._items: list[Item] = []
        self._shown: list[Item] = []
        self._fuzzy = FuzzySearch()

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog palette") as box:
            box.border_title = safe_line("Do")
            box.border_subtitle = safe_line(f"{self.context.glyphs.enter} does it   esc back")
            yield Typing(moves="#palette-choices", placeholder="an action, a run, a workflow")
            choices = Choices(id="palette-choices", markup=False, compact=True)
            choices.can_focus = False
            yield choices
            yield Line("", id="palette-none")

    def on_mount(self) -> None:
        place = place_of(self.context)
        ranked = self._actions(place)
        self._items = [
            *[item for rank, item in ranked if rank < _FAR],
            *self._runs(),
            *self._workflows(workflows(self.context)),
            *[item for rank, item in ranked if rank >= _FAR],
        ]
        self._show("")

    def _actions(self, place: Where) -> list[tuple[int, Item]]:
        """Of where one is first; then of the rest of this screen; then moving about, and other screens."""
        context, keymap = self.context, self.context.keymap
        ranked: list[tuple[int, Item]] = []
        for action in REGISTRY:
            keys = keymap.shown(action, limit=2, ascii=context.glyphs.ascii) if keymap is not None else ""
            item = Item(
                action.title,
                keys or f":{REGISTRY.typed(action)}",
                "do",
                why_not(context, action.id),
                _summons(context, action.id),
            )
            ranked.append((_rank(action, place), item))
        return sorted(ranked, key=lambda pair: pair[0])

    def _runs(self) -> list[Item]:
        main = self.context.main
        return [
            Item(
                f"{item.workflow} {item.id}",
                item.status.replace("_", " "),
                "run",
                None,
                _opens(main.open_run, item.id),
            )
            for item in main.runs
        ]

    def _workflows(self, found: list[Found]) -> list[Item]:
        context = self.context
        return [
            Item(
                f"run {flow.name}",
                flow.description or flow.place,
                "workflow",
                None,
                _summons(context, "run.start", flow.name),
            )
            for flow in found
        ]

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._show(event.value)

    def _show(self, query: str) -> None:
        scored: list[tuple[bool, float, int, Item, tuple[int, ...]]] = []
        for number, item in enumerate(self._items):
            if not query:
                scored.append((False, 0.0, number, item, ()))
                continue
            score, places = self._fuzzy.match(query, item.label)
            if score:
                scored.append((item.why_not is not None, -score, number, item, tuple(places)))
        scored.sort(key=lambda s: s[:3])  # what can't be done now comes last
        self._shown = [item for *_, item, _ in scored[:_SHOWN]]
        choices = self.query_one("#palette-choices", Choices)
        choices.set_options(
            [
                Option(_content(item, places), id=str(n))
                for n, (*_, item, places) in enumerate(scored[:_SHOWN])
            ]
        )
        choices.highlighted = 0 if self._shown else None
        self.query_one("#palette-none", Line).show("" if self._shown else "nothing is called like that")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        at = self.query_one("#palette-choices", Choices).highlighted
        if at is not None:
            self._do(self._shown[at])

    def on_option_list_option_selected(self, event: Choices.OptionSelected) -> None:
        event.stop()
        if event.option_index < len(self._shown):  # not of a list that has become shorter meanwhile
            self._do(self._shown[event.option_index])

    def _do(self, item: Item) -> None:
        if item.why_not is not None:
            self.context.toast(f"{item.label}: {item.why_not}", "warning")
            return
        self.answer(None)
        self.call_after_refresh(item.run)


def _rank(action: Action, place: Where) -> int:
    if not here(action, place):
        return _FAR + 1
    if action.group == "move":
        return _FAR
    return 0 if place in action.where else 1


def _summons(context: Context, id: str, argument: str = "") -> Callable[[], object]:
    return lambda: summon(context, id, argument)


def _opens(open_run: Callable[[str], None], run_id: str) -> Callable[[], object]:
    return lambda: open_run(run_id)


def _content(item: Item, places: tuple[int, ...]) -> Content:
    label = Content.styled(clean_line(item.label), "$foreground-muted" if item.why_not else "")
    for place in places:
        label = label.stylize("bold $text-accent", place, place + 1)
    pad = max(26 - label.cell_length, 2)
    return Content.assemble(label, " " * pad, (clean_line(item.why_not or item.note), "$foreground-muted"))
