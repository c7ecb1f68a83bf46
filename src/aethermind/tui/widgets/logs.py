"""The logs of the open run: they follow their end while one is there, and keep their place otherwise."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from aethermind.domain.events import LogLevel
from aethermind.infra.sanitize import clean_line
from aethermind.tui import format as fmt
from aethermind.tui.context import Move, Pane
from aethermind.tui.glyphs import Glyphs
from aethermind.tui.held import Held
from aethermind.tui.rows import logs as rows
from aethermind.tui.rows.cells import Cells, cells_width, slide
from aethermind.tui.themes import Palette
from aethermind.tui.widgets.lines import LinePane

SIDE = 8
_FARTHEST = 4_000


class LogsPane(LinePane):
    PANE: ClassVar[Pane] = "logs"
    TITLE = "Logs"

    def __init__(self, palette: Palette, glyphs: Glyphs, number: int, *, id: str | None = None) -> None:
        super().__init__(palette, glyphs, number, id=id)
        self._view = rows.LogView(rows.LogRing())
        self.follow = True
        self.left = 0
        self._first = 0
        """Number of the oldest line that was held at the last frame."""
        self._seen = 0
        """Rows there were when following ended."""
        self.filter_text = ""
        self.sought = ""

    def open(self, held: Held | None) -> None:
        """Other logs. What was filtered by level stays."""
        level = self._view.level
        self._view = rows.LogView(held.logs if held is not None else rows.LogRing())
        self._view.filter(level=level)
        self.filter_text = self.sought = ""
        self.follow, self.left, self._seen = True, 0, 0
        self._first = self._view.ring.first
        self._to_end()
        self.restart()

    def update(self) -> None:
        """Take in lines that came since."""
        view = self._view
        fresh = view.catch_up()
        dropped = view.ring.first - self._first
        self._first = view.ring.first
        if dropped and not view.filtered:
            self.cursor = max(self.cursor - dropped, 0)
            self.top = max(self.top - dropped, 0)
            self._seen = max(self._seen - dropped, 0)
        if self.follow:
            self._to_end()
        elif not fresh and not dropped:
            return
        self.redraw()

    def _to_end(self) -> None:
        self.cursor = max(len(self._view) - 1, 0)
        self.top = self.last_top
        self._seen = len(self._view)

    def settle(self) -> None:
        if self.follow:
            self._to_end()
        else:
            super().settle()

    # --- the rows ------------------------------------------------------------------------------

    def row_count(self) -> int:
        return len(self._view)

    def row_cells(self, index: int, width: int) -> Cells:
        fixed, body = rows.cells(self._view.line(index), width, self.glyphs, match=self.sought.lower())
        return [*fixed, *(slide(body, self.left) if self.left else body)]

    def row_text(self, index: int) -> str:
        return rows.as_text(self._view.line(index))

    def title_cells(self) -> Cells:
        view = self._view
        cells: Cells = [("  ", "title")]
        cells.append((f"sel:{view.step.rsplit('/', 1)[-1]}" if view.step is not None else "all", "title"))
        if view.agent is not None:
            cells += [("  @", "key"), (clean_line(view.agent), "log.agent")]
        if view.level != "debug":
            cells.append((f"  {view.level}{self.glyphs.at_least}", f"log.{view.level}"))
        if self.filter_text:
            cells.append((f"  /{self.filter_text}", "key"))
        if self.follow:
            cells.append(("  FOLLOW", "ok"))
        cells.append((f"  {fmt.grouped(len(view))}", "title"))
        if not self.follow and len(view) > self._seen:
            new = fmt.grouped(len(view) - self._seen)
            cells.append((f"  +{new} new {self.glyphs.more_below}", "fresh"))
        return cells

    def empty_cells(self) -> Cells:
        if self._view.filtered:
            return self.say_empty(
                "nothing logged is like that", ("view.level", "level"), ("find.filter", "filters")
            )
        run = getattr(self.screen, "open_run_id", None)
        return self.say_empty("nothing logged", *([] if run else [("run.start", "runs a workflow")]))

    # --- moving --------------------------------------------------------------------------------

    def go_to(self, index: int) -> None:
        self._follow_if(index >= self.row_count() - 1)
        super().go_to(index)

    def scroll_rows(self, delta: int) -> None:
        if delta < 0 and self.last_top:
            self._follow_if(at_end=False)
        super().scroll_rows(delta)
        if delta > 0 and self.top >= self.last_top:
            self.cursor = max(self.row_count() - 1, 0)
            self._follow_if(at_end=True)
            self.redraw()

    def _follow_if(self, at_end: bool) -> None:
        if self.follow and not at_end:
            self._seen = len(self._view)
        self.follow = at_end

    def sideways(self, how: Move) -> None:
        if how == "right":
            longest = max(
                (self._length(r) for r in range(self.top, min(self.top + self.page, self.row_count()))),
                default=0,
            )
            self.left = min(self.left + SIDE, max(longest - SIDE, 0), _FARTHEST)
        else:
            self.left = max(self.left - SIDE, 0)
        self.redraw()

    def _length(self, row: int) -> int:
        return cells_width(rows.cells(self._view.line(row), 40, self.glyphs)[1])

    def toggle_follow(self) -> bool:
        self._follow_if(not self.follow)
        if self.follow:
            self._to_end()
        self.redraw()
        return self.follow

    # --- showing a part ------------------------------------------------------------------------

    def _filter(self, **what: str) -> None:
        self._view.filter(**what)  # type: ignore[arg-type]  # the level is one of LEVELS
        self.follow = True
        self.left = 0
        self._to_end()
        self.redraw()

    def cycle_level(self) -> str:
        levels = rows.LEVELS
        level = levels[(levels.index(self._view.level) + 1) % len(levels)]
        self._filter(level=level)
        return level

    @property
    def level(self) -> LogLevel:
        """The lowest that is shown."""
        return self._view.level

    @property
    def step(self) -> str | None:
        return self._view.step

    def only_step(self, path: str | None) -> None:
        self._filter(step=path or "")

    @property
    def agent(self) -> str | None:
        return self._view.agent

    def only_agent(self, name: str | None) -> None:
        self._filter(agent=name or "")

    def set_filter(self, text: str) -> None:
        self.filter_text = text
        self._filter(text=text)

    def seek(self, text: str) -> None:
        self.sought = text
        self.redraw()

    def find(self, text: str, delta: int) -> bool:
        return self._go_to_next(rows.mentions(text), delta)

    def next_error(self, delta: int) -> bool:
        view = self._view
        return self._go_to_found(view.find_level(self.cursor + delta, delta, "error") if len(view) else None)

    def _go_to_next(self, wanted: Callable[[rows.LogLine], bool], delta: int) -> bool:
        view = self._view
        return self._go_to_found(view.find(self.cursor + delta, delta, wanted) if len(view) else None)

    def _go_to_found(self, row: int | None) -> bool:
        if row is None:
            return False
        self.go_to(row)
        return True
