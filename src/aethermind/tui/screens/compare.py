"""Two runs side by side. Enter shows how an output differs, line by line."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from aethermind.domain.run import Run
from aethermind.domain.views import outputs
from aethermind.tui.actions import REGISTRY, bindings
from aethermind.tui.actions.registry import Where
from aethermind.tui.rows import compare as rows
from aethermind.tui.rows.cells import Cells, Line
from aethermind.tui.rows.compare import Pair
from aethermind.tui.screens.detail.content import pretty
from aethermind.tui.screens.detail.lines import Line as TextLine
from aethermind.tui.screens.detail.lines import text_lines
from aethermind.tui.screens.listing import Listing
from aethermind.tui.screens.reading import ReadingScreen

if TYPE_CHECKING:
    from aethermind.tui.context import Context

_TONE = {"+": "good", "-": "bad", "@": "accent"}


class CompareScreen(Listing):
    """Of two runs by their ids; they are read once, so a run that goes on is shown as it was."""

    where: ClassVar[Where] = "diff"
    BINDINGS = bindings(REGISTRY, "diff")
    TITLE_TEXT = "Two runs"
    HEADS = 2

    def __init__(self, context: Context, left: str, right: str) -> None:
        super().__init__(context)
        self.ids = (left, right)
        self.runs: tuple[Run, Run] | None = None
        self.everything = False
        self._all: list[Pair] = []
        self.pairs: list[Pair] = []

    # --- content -------------------------------------------------------------------------------

    def refill(self) -> None:
        _ = self.context.spawn(self._fetch())

    async def _fetch(self) -> None:
        engine, (left, right) = self.context.engine, self.ids
        one = await engine.ask(lambda client: client.run(left))
        other = await engine.ask(lambda client: client.run(right))
        self.runs = (one, other)
        self._all = rows.pairs(one, other)
        self._fill()

    def _fill(self) -> None:
        self.pairs = found = [pair for pair in self._all if self.everything or not pair.same]
        glyphs, alike = self.context.glyphs, len(self._all) - len(found)
        self.view.note = [(f"  {alike} more are the same", "title")] if alike else []
        self.view.show(
            len(found),
            lambda index, width: rows.cells(found[index], width, glyphs),
            head=rows.head,
            empty="these runs did the same",
        )
        self.redraw()

    def toggle_same(self) -> None:
        """Show what is the same too, or leave it out again."""
        self.everything = not self.everything
        self._fill()

    def top_cells(self, width: int) -> Cells:
        line = Line(ellipsis=self.context.glyphs.ellipsis).add(" DIFF ", "brand").add("  ")
        line.add("everything" if self.everything else "what differs", "title")
        return line.cells

    def redraw(self) -> None:
        if self.is_mounted and self.runs is not None:
            glyphs, width, (one, other) = self.context.glyphs, self.size.width, self.runs
            self.heads[0].show(rows.outcome(one, "-", width, glyphs))
            self.heads[1].show(rows.outcome(other, "+", width, glyphs, beside=one))
        super().redraw()

    # --- what actions do -----------------------------------------------------------------------

    def choose(self) -> None:
        if self.runs is None or self.view.cursor >= len(self.pairs):
            return
        pair = self.pairs[self.view.cursor]
        texts = [_text(run, pair) for run in self.runs]
        names = (f"{pair.name} ({self.ids[0]})", f"{pair.name} ({self.ids[1]})")
        found = rows.text_diff(texts[0], texts[1], names)
        if not found:
            what = "has no output in either" if not any(texts) else "reads the same in both"
            self.context.toast(f"{pair.name} {what}")
            return
        self.context.push(ReadingScreen(f"{pair.name}: {self.ids[0]} / {self.ids[1]}", _painted(found)))


def _text(run: Run, pair: Pair) -> str:
    if pair.kind == "output":
        value = outputs(run).get(pair.name)
    else:
        node = run.nodes.get(pair.name)
        value = node.output if node is not None else None
    return "" if value is None else pretty(value)


def _painted(lines: list[str]) -> list[TextLine]:
    return [text_lines(line, _TONE.get(line[:1], ""))[0] for line in lines]
