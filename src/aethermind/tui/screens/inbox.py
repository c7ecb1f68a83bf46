"""All that waits for a person, over all runs, decided right there."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from aethermind.tui import format as fmt
from aethermind.tui.actions import REGISTRY, bindings
from aethermind.tui.actions.answering import decide, send
from aethermind.tui.actions.registry import Where
from aethermind.tui.actions.run import environment_of
from aethermind.tui.actions.target import by, short
from aethermind.tui.inbox import gather
from aethermind.tui.rows import inbox as rows
from aethermind.tui.rows.cells import Cells, Line
from aethermind.tui.rows.inbox import Waiting
from aethermind.tui.screens.confirm import Choice, ConfirmScreen
from aethermind.tui.screens.listing import Listing
from aethermind.tui.screens.prompt import ask_amount

if TYPE_CHECKING:
    from aethermind.tui.bridge import Frame
    from aethermind.tui.context import Context


class InboxScreen(Listing):
    where: ClassVar[Where] = "inbox"
    BINDINGS = bindings(REGISTRY, "inbox")
    TITLE_TEXT = "Inbox"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.rows: list[Waiting] = []
        self._read = False
        self._reading = False
        self._again = False

    def on_mount(self) -> None:
        super().on_mount()
        self.set_interval(1.0, self.view.redraw)  # how long each has waited

    # --- content -------------------------------------------------------------------------------

    def refill(self) -> None:
        if self._reading:
            self._again = True
            return
        self._reading = True
        _ = self.context.spawn(self._fetch())

    async def _fetch(self) -> None:
        try:
            found = await self.context.engine.ask(gather)
        finally:
            self._reading = False
        self.fill(found)
        if self._again:
            self._again = False
            self.refill()

    def fill(self, found: list[Waiting]) -> None:
        """Show these; the cursor stays on what it was on."""
        at = self.selected
        self.rows = found
        self._read = True
        same = next((n for n, row in enumerate(found) if at is not None and _key(row) == _key(at)), None)
        if same is not None:
            self.view.cursor = same
        self.view.note = [(f"  {len(found)}", "title")]
        self.view.show(
            len(found),
            rows.drawn(found, self.context.now, self.context.glyphs),
            head=rows.head,
            empty="nothing waits for you",
        )
        self.redraw()

    def on_screen_resume(self) -> None:
        super().on_screen_resume()
        if self._read:  # what came while another screen was on top
            self.refill()

    def came(self, frame: Frame) -> None:
        if frame.waiting:
            self.refill()

    @property
    def selected(self) -> Waiting | None:
        return self.rows[self.view.cursor] if self.view.cursor < len(self.rows) else None

    def top_cells(self, width: int) -> Cells:
        line = Line(ellipsis=self.context.glyphs.ellipsis).add(" INBOX ", "brand").add("  ")
        if not self._read:
            return line.add("reading", "faint").cells
        runs = len({row.run_id for row in self.rows})
        what = f"{len(self.rows)} thing{'s' * (len(self.rows) != 1)} to decide"
        return line.add(f"{what} in {runs} run{'s' * (runs != 1)}" if self.rows else "all decided").cells

    # --- deciding ------------------------------------------------------------------------------

    def choose(self) -> None:
        row = self.selected
        if row is not None:
            _ = self.context.spawn(self._decide(row))

    def open_run(self) -> None:
        """Leave for the run of this row, with the cursor on its step."""
        row = self.selected
        if row is not None:
            self.context.main.open_run(row.run_id)
            self.leave()

    async def _decide(self, row: Waiting) -> None:
        match row.about:
            case "run budget" | "day budget":
                await self._raise(row)
            case "guard":
                await self._go_on(row)
            case _:
                await self._answer(row)
        self.refill()

    async def _answer(self, row: Waiting) -> None:
        run = await self.context.engine.ask(lambda client: client.run(row.run_id))
        node = run.nodes.get(row.step)
        if node is None or node.status not in {"in_doubt", "waiting_answer"}:
            self.context.toast(f"{row.step} is decided already")
            return
        values = await decide(self.context, row.run_id, node)
        if values is not None:
            await send(self.context, row.run_id, row.step, values)

    async def _raise(self, row: Waiting) -> None:
        context, of_day = self.context, row.about == "day budget"
        whose = "this day (UTC)" if of_day else short(row.run_id)
        amount = await ask_amount(
            context,
            f"Budget of {whose} in US dollars:",
            hint=f"in all, not on top; {row.step} {row.message}",
        )
        if amount is None:
            return
        if of_day:
            await context.engine.ask(
                lambda c: c.raise_day_budget(amount, simulated=row.simulated, by=by(context))
            )
        else:
            await context.engine.ask(lambda c: c.raise_budget(row.run_id, amount, by=by(context)))
        context.toast(f"the budget of {whose} is {fmt.budget(amount)} now")

    async def _go_on(self, row: Waiting) -> None:
        context = self.context
        answer = await context.ask(
            ConfirmScreen(
                f"Let {short(row.run_id)} go on?",
                note=f"The guard paused it: {row.message}",
                choices=[Choice("y", "go on: it is meant so", "go"), Choice("x", "cancel the run", "cancel")],
                refuse="decide later",
            )
        )
        if answer == "go":
            env = await environment_of(context, row.run_id)
            await context.engine.ask(lambda c: c.resume(row.run_id, by=by(context), env=env))
            context.toast(f"{short(row.run_id)} goes on")
        elif answer == "cancel":
            await context.engine.ask(lambda c: c.cancel(row.run_id, by=by(context)))
            context.toast(f"cancelling {short(row.run_id)}")


def _key(row: Waiting) -> tuple[str, str, str]:
    return (row.run_id, row.step, row.about)
