"""What a new workflow begins with: the one that is looked at, a sample, or a small one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets.option_list import Option

from aethermind.infra.sanitize import clean_line
from aethermind.tui.screens.choices import Choices
from aethermind.tui.screens.dialog import Dialog, Line, safe_line
from aethermind.tui.screens.found import in_directory

if TYPE_CHECKING:
    from aethermind.tui.context import Context


class Beginning(NamedTuple):
    """`path` None: a small workflow of its own."""

    path: Path | None
    name: str
    about: str


class MakingScreen(Dialog[Beginning]):
    """Enter copies what is marked into a new file. The workflow that is looked at comes first."""

    AUTO_FOCUS = "Choices"

    def __init__(self, context: Context, source: Path | None) -> None:
        super().__init__()
        self.context = context
        self.beginnings = beginnings(context, source)

    def compose(self) -> ComposeResult:
        options = [Option(_label(found), id=str(n)) for n, found in enumerate(self.beginnings)]
        with Vertical(classes="dialog picker") as box:
            box.border_title = safe_line("A workflow of your own, from")
            box.border_subtitle = safe_line(f"{self.context.glyphs.enter} copy it and edit   esc back")
            yield Choices(*options, id="making-choices", markup=False, compact=True)
            yield Line("", id="making-note")

    def on_option_list_option_highlighted(self, event: Choices.OptionHighlighted) -> None:
        event.stop()
        found = self.beginnings[event.option_index]
        name = free_name(found.path)
        self.query_one("#making-note", Line).show(f"{found.about}\nwrites {folder() / name}.yaml")

    def on_option_list_option_selected(self, event: Choices.OptionSelected) -> None:
        event.stop()
        self.answer(self.beginnings[event.option_index])


def beginnings(context: Context, source: Path | None) -> list[Beginning]:
    """What there is to begin with; `source`, the file that is looked at, first."""
    samples = [Beginning(f.path, f.name, f.description) for f in in_directory(samples_of(context), "sample")]
    own = Beginning(None, "a small one", "Three steps with notes on what else there is.")
    if source is None:
        return [*samples, own]
    named = next((found for found in samples if found.path == source), None)
    first = named or Beginning(source, source.stem, "The workflow of this run.")
    return [first, *(found for found in samples if found is not named), own]


def samples_of(context: Context) -> Path:
    found: Path | None = context.composition.samples_dir
    return found if found is not None else Path("sample_workflows")


def folder() -> Path:
    """Where new files go: ./workflows if there is one, else here."""
    return Path("workflows") if Path("workflows").is_dir() else Path()


def free_name(source: Path | None) -> str:
    """`my-research-brief`, or with a number behind where that is taken."""
    stem = source.stem if source is not None else "workflow"
    name = stem if stem.startswith("my-") else f"my-{stem}"
    taken = 1
    while (folder() / f"{name}{_behind(taken)}.yaml").exists():
        taken += 1
    return f"{name}{_behind(taken)}"


def _behind(number: int) -> str:
    return "" if number == 1 else f"-{number}"


def _label(found: Beginning) -> Content:
    return Content.assemble((f"{clean_line(found.name):<22} ", "bold"), clean_line(found.about))
