"""The live tree on a terminal: rows that a view folds, drawn by rich, four times a second at most.

Only the main thread draws (no refresh thread), and texts of the run become `Text`, never markup.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from aethermind.cli import streams, text
from aethermind.cli.trace import tell
from aethermind.cli.trees import guides
from aethermind.domain import events as e
from aethermind.domain.run import Run
from aethermind.domain.tree import TreeRow, tree_of
from aethermind.engine.client import TokenDelta
from aethermind.infra.sanitize import clean_line

FRAME_S = 0.25
TAIL = 200
"""Characters of a streaming answer that are kept to be shown."""
MARGIN = 3
"""Rows of the terminal that the tree leaves free."""
FINAL_ROWS = 200
REMARKS = (e.AttemptFailed, e.AttemptLost, e.AskOpened, e.BudgetHeld)
"""Events that also leave a line above the tree."""


class LiveTree:
    """A `Trace` that redraws the run's tree in place."""

    def __init__(self, *, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._console = Console(file=sys.stderr, highlight=False, emoji=False, markup=False)
        self._live = self._fresh()
        self._unicode = streams.unicode_fits(streams.ERR)
        self._tails: dict[str, str] = {}
        self._drawn_at = 0.0
        self._started = False

    def _fresh(self) -> Live:
        return Live(console=self._console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False)

    def event(self, recorded: e.Recorded, run: Run) -> None:
        event = recorded.event
        if isinstance(event, e.AttemptSucceeded | e.AttemptFailed | e.AttemptCancelled | e.AttemptLost):
            self._tails.pop(event.step, None)
        loud = isinstance(event, e.LogWritten) and event.level in {"warning", "error"}
        if (loud or isinstance(event, REMARKS)) and (told := tell(recorded, run)) is not None:
            status, what = told
            self._print(Text.assemble(self._mark(status or "retry_wait"), " ", what))

    def signal(self, delta: TokenDelta) -> None:
        if not delta.reasoning:
            self._tails[delta.step] = (self._tails.get(delta.step, "") + delta.text)[-TAIL:]

    def turn(self, run: Run) -> None:
        if self._now() - self._drawn_at >= FRAME_S:
            self._draw(run, max(self._console.height - MARGIN, 1))

    def say(self, message: str) -> None:
        self._print(Text(clean_line(message), "yellow"))

    def notice(self, message: str) -> None:
        self.say(message)

    def pause(self, run: Run) -> None:
        # The question is asked in the tree's place, and the tree drawn again below the answer.
        self._live.transient = True
        self._end()

    def close(self, run: Run) -> None:
        self._tails.clear()
        self._draw(run, FINAL_ROWS)
        self._end()

    def _end(self) -> None:
        if self._started:
            self._guard(self._live.stop)
        self._live, self._started = self._fresh(), False

    # --- drawing -------------------------------------------------------------------------------

    def _print(self, line: Text) -> None:
        self._guard(lambda: self._console.print(line, soft_wrap=True))

    def _draw(self, run: Run, rows: int) -> None:
        if not run.version:
            return
        self._drawn_at = self._now()
        if not self._started:
            self._started = True
            self._guard(self._live.start)
        picture = self.picture(run, rows)
        self._guard(lambda: self._live.update(picture, refresh=True))

    def _guard(self, draw: Callable[[], None]) -> None:
        """A terminal that has gone away stops nothing."""
        if streams.ERR.error is not None:
            return
        try:
            with streams.ERR.writing():
                draw()
        except OSError as error:
            streams.ERR.fail(error)

    def picture(self, run: Run, rows: int) -> Group:
        """The run as at most `rows` lines below its heading."""
        now = int(self._now() * 1000)
        tree = tree_of(run, limit=rows)
        grid = Table.grid(padding=(0, 0, 0, 2), expand=True)
        grid.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        for _ in range(3):
            grid.add_column(no_wrap=True, justify="right")
        for row in tree.rows:
            grid.add_row(*self._cells(row, now))
        parts: list[RenderableType] = [self._heading(run, now), grid]
        if tree.hidden:
            parts.append(Text(f"  … {tree.hidden} more steps: aethermind show {run.id} --tree", "dim"))
        return Group(*parts)

    def _heading(self, run: Run, now: int) -> Text:
        status = run.status
        tally = run.tally
        line = Text(clean_line(run.created.workflow), "bold", no_wrap=True)
        line.append(f"  {run.id}  ", "dim")
        line.append(*self._mark(status))
        line.append(f" {status}  {text.took((run.finished_at or now) - run.created_at)}")
        if tally.usage.total_tokens or tally.unpriced:
            line.append(f"  {text.tokens(tally.usage.total_tokens)} tok")
            line.append(f"  {text.money(tally.cost, unpriced=tally.unpriced)}")
        if run.created.simulated:
            line.append("  sim", "yellow")
        return line

    def _cells(self, row: TreeRow, now: int) -> tuple[Text, str, str, str]:
        line = Text.assemble((self._guides(row), "dim"), self._mark(row.status), " ", clean_line(row.label))
        if row.note:
            line.append(f"  {clean_line(row.note)}", "dim")
        if tail := self._tails.get(row.path):
            line.append(f"  {clean_line(' '.join(tail.split()))[-60:]}", "dim italic")
        spent = None if row.started_at is None else max((row.finished_at or now) - row.started_at, 0)
        cost = text.money(row.cost_micro_usd, unpriced=row.unpriced) if row.tokens or row.unpriced else ""
        return line, text.took(spent), text.tokens(row.tokens) if row.tokens else "", cost

    def _guides(self, row: TreeRow) -> str:
        return guides(row, unicode=self._unicode)

    def _mark(self, status: str) -> tuple[str, str]:
        return text.glyph(status, unicode=self._unicode), text.COLOURS.get(status, "dim")
