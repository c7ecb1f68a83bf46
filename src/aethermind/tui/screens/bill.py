"""What was spent over all runs, and today's budget."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from aethermind.domain.days import DAY_MS
from aethermind.engine.client import Client
from aethermind.engine.queries import CostFilter, CostGroup
from aethermind.tui import format as fmt
from aethermind.tui.actions import REGISTRY, bindings
from aethermind.tui.actions.registry import Where
from aethermind.tui.actions.target import by
from aethermind.tui.rows import bill as rows
from aethermind.tui.rows.bill import Bill
from aethermind.tui.rows.cells import Cells
from aethermind.tui.screens.listing import Listing
from aethermind.tui.screens.prompt import ask_amount
from aethermind.tui.widgets.rows_view import RowsView

if TYPE_CHECKING:
    from aethermind.tui.context import Context


class BillScreen(Listing):
    where: ClassVar[Where] = "bill"
    BINDINGS = bindings(REGISTRY, "bill")
    TITLE_TEXT = "Spending"
    HEADS = 3

    def __init__(self, context: Context, group: CostGroup = "model") -> None:
        super().__init__(context)
        self.bill = Bill(group, [])
        self._asked = 0

    # --- content -------------------------------------------------------------------------------

    def refill(self, wanted: Bill | None = None) -> None:
        """Read it anew, with the grouping, span and kind of money of `wanted` (None: as they are)."""
        self._asked += 1
        _ = self.context.spawn(self._fetch(self._asked, wanted or self.bill))

    async def _fetch(self, asked: int, wanted: Bill) -> None:
        found = await self.context.engine.ask(partial(read, wanted=wanted, now=self.context.now()))
        if asked == self._asked:  # else something else was asked for meanwhile
            self.fill(found)

    def fill(self, found: Bill) -> None:
        self.bill = found
        glyphs = self.context.glyphs
        most = max((row.cost_micro_usd or 0 for row in found.rows), default=0)
        self.view.show(
            len(found.rows),
            lambda index, width: rows.cells(found.rows[index], most, width, glyphs),
            head=partial(rows.head, found.by),
            empty=f"no model was called{' in simulations' if found.simulated else ''}"
            f" in this time: s shows {'real' if found.simulated else 'simulated'} money, d another time",
        )
        self.redraw()

    def top_cells(self, width: int) -> Cells:
        return rows.title(self.bill, width, self.context.glyphs)

    def redraw(self) -> None:
        if self.is_mounted:
            for line, cells in zip(
                self.heads, rows.summary(self.bill, self.size.width, self.context.glyphs), strict=True
            ):
                line.show(cells)
        super().redraw()

    # --- what actions do -----------------------------------------------------------------------

    def next_group(self, delta: int) -> None:
        groups = rows.GROUPS
        self.view.cursor = self.view.top = 0
        self.refill(replace(self.bill, by=groups[(groups.index(self.bill.by) + delta) % len(groups)]))

    def next_span(self) -> None:
        spans = list(rows.SPANS)
        self.refill(replace(self.bill, span=spans[(spans.index(self.bill.span) + 1) % len(spans)]))

    def other_money(self) -> None:
        """Real or simulated."""
        self.refill(replace(self.bill, simulated=not self.bill.simulated))

    async def set_cap(self, argument: str) -> None:
        """Set what all runs together may spend on this day."""
        context, bill = self.context, self.bill
        whose = "all simulated runs" if bill.simulated else "all runs"
        amount = await ask_amount(
            context,
            f"What {whose} together may spend today (UTC), in US dollars:",
            now=bill.today.cap,
            hint="for this day only; [budget] day in config.toml is for every day",
            given=argument,
        )
        if amount is None:
            return
        await context.engine.ask(
            lambda c: c.raise_day_budget(amount, simulated=bill.simulated, by=by(context))
        )
        context.toast(f"today's budget is {fmt.budget(amount)} now")
        self.refill()

    def on_rows_view_aside(self, event: RowsView.Aside) -> None:
        event.stop()
        self.next_group(1 if event.how == "right" else -1)

    def choose(self) -> None:
        bill = self.bill
        if bill.by == "run" and self.view.cursor < len(bill.rows):
            self.context.main.open_run(bill.rows[self.view.cursor].key)
            self.leave()
        else:
            self.context.toast("only runs can be opened: tab goes on to them")


async def read(client: Client, *, wanted: Bill, now: int) -> Bill:
    """Everything that the screen shows, as of now (epoch ms). Runs in the engine's loop."""
    simulated = wanted.simulated
    since = rows.since_of(wanted.span, now)
    days = CostFilter(by="day", since=now - rows.SPARK_DAYS * DAY_MS, simulated=simulated)
    return replace(
        wanted,
        rows=await client.costs(CostFilter(by=wanted.by, since=since, simulated=simulated)),
        days=await client.costs(days),
        today=await client.day_budget(simulated=simulated),
        at=now,
    )
