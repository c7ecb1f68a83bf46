"""Screens that fill the terminal: how they are opened, and what can be done on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aethermind.tui.actions.registry import MAIN, SCREENS, WHOLE, Action, Where
from aethermind.tui.actions.target import Choosing, run_id_of, short

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from aethermind.tui.actions.registry import Effect
    from aethermind.tui.context import Context
    from aethermind.tui.screens.bill import BillScreen
    from aethermind.tui.screens.listing import Listing


def but(place: Where) -> frozenset[Where]:
    """Everywhere but on the screen itself."""
    return WHOLE - frozenset({place})


def _choose(context: Context, argument: str) -> None:
    screen = context.app.screen
    if isinstance(screen, Choosing):
        screen.choose()


def _inbox(context: Context, argument: str) -> None:
    from aethermind.tui.screens.inbox import InboxScreen

    open_one(context, InboxScreen(context))


def _inbox_run(context: Context, argument: str) -> None:
    from aethermind.tui.screens.inbox import InboxScreen

    screen = context.app.screen
    if isinstance(screen, InboxScreen):
        screen.open_run()


def _inbox_empty(context: Context) -> str | None:
    from aethermind.tui.screens.inbox import InboxScreen

    screen = context.app.screen
    return None if isinstance(screen, InboxScreen) and screen.rows else "nothing waits for you"


# --- what was spent ------------------------------------------------------------------------------


def _bill(context: Context, argument: str) -> None:
    from aethermind.tui.rows.bill import GROUPS
    from aethermind.tui.screens.bill import BillScreen

    group = next((group for group in GROUPS if group == argument.strip()), None)
    if argument and group is None:
        context.toast(f"by {', '.join(GROUPS)}, not by {argument}", "warning")
        return
    open_one(context, BillScreen(context, group or "model"))


def _bill_groups(context: Context) -> Iterable[str]:
    from aethermind.tui.rows.bill import GROUPS

    return GROUPS


def _on_bill(act: Callable[[BillScreen], None]) -> Effect:
    def run(context: Context, argument: str) -> None:
        from aethermind.tui.screens.bill import BillScreen

        screen = context.app.screen
        if isinstance(screen, BillScreen):
            act(screen)

    return run


async def _cap(context: Context, argument: str) -> None:
    from aethermind.tui.screens.bill import BillScreen

    screen = context.app.screen
    if isinstance(screen, BillScreen):
        await screen.set_cap(argument)


# --- two runs ------------------------------------------------------------------------------------


def _mark(context: Context, argument: str) -> None:
    """Mark a run; with another one marked, compare the two (first the marked one)."""
    main = context.main
    here = run_id_of(context)
    if here is None:
        return
    if main.marked is None or main.marked == here:
        main.mark(None if main.marked == here else here)
        said = f"{short(here)} is marked: mark another run to compare them"
        context.toast(said if main.marked else f"{short(here)} is not marked any more")
        return
    left = main.marked
    main.mark(None)
    _compare(context, left, here)


def _diff(context: Context, argument: str) -> None:
    """`diff OTHER`: with the run that is open; `diff ONE OTHER`."""
    words = argument.split()
    known = [item.id for item in context.main.runs]
    ids = [next((run_id for run_id in known if run_id.startswith(word)), word) for word in words]
    if len(ids) == 1 and context.main.open_run_id is not None:
        ids.insert(0, context.main.open_run_id)
    if len(ids) != 2:
        context.toast("diff RUN compares it with the run that is open; diff RUN RUN any two", "warning")
        return
    _compare(context, *ids)


def _compare(context: Context, left: str, right: str) -> None:
    from aethermind.tui.screens.compare import CompareScreen

    open_one(context, CompareScreen(context, left, right))


def _run_ids(context: Context) -> Iterable[str]:
    return [item.id for item in context.main.runs]


def _same_too(context: Context, argument: str) -> None:
    from aethermind.tui.screens.compare import CompareScreen

    screen = context.app.screen
    if isinstance(screen, CompareScreen):
        screen.toggle_same()


def has_run(context: Context) -> str | None:
    return None if run_id_of(context) else "there is no run"


# --- all of them ---------------------------------------------------------------------------------


def open_one(context: Context, screen: Listing) -> None:
    """One of a kind: the one that is there already comes off first."""
    if type(context.app.screen) is type(screen):
        _ = context.app.pop_screen()  # comes off in its own time
    context.push(screen)


SCREEN_ACTIONS: tuple[Action, ...] = (
    Action(
        id="screen.choose",
        title="Do it",
        description="Open, decide or change what is under the cursor.",
        group="view",
        where=SCREENS - {"replay"},
        keys=("enter",),
        no_cli="what it does depends on the row",
        hint="open",
        hint_in={"inbox": "decide", "settings": "change"},
        rank=10,
        command="choose",
        run=_choose,
    ),
    Action(
        id="screen.inbox",
        title="Inbox",
        description="All that waits for you, over all runs: questions, approvals, budgets, what is in doubt.",
        group="run",
        where=but("inbox"),
        keys=("I",),
        cli="aethermind runs --status waiting_answer",
        command="inbox",
        run=_inbox,
    ),
    Action(
        id="inbox.run",
        title="Go to the run",
        description="Leave for the run that asks.",
        group="run",
        where=frozenset({"inbox"}),
        keys=("o",),
        cli="aethermind show RUN",
        hint="go to the run",
        rank=20,
        command="goto",
        enabled=_inbox_empty,
        run=_inbox_run,
    ),
    Action(
        id="screen.bill",
        title="Spending",
        description="What all runs cost, by model, agent, workflow, day or run, and today's budget.",
        group="view",
        where=but("bill"),
        keys=("C",),
        cli="aethermind costs --by model",
        command="spending",
        usage="[GROUP]",
        complete=_bill_groups,
        run=_bill,
    ),
    Action(
        id="bill.next_group",
        title="Next grouping",
        description="By model, agent, workflow, day, run.",
        family="Group by model, agent, workflow, day, run.",
        group="view",
        where=frozenset({"bill"}),
        keys=("tab",),
        cli="aethermind costs --by GROUP",
        hint="group",
        rank=20,
        command="nextgroup",
        run=_on_bill(lambda screen: screen.next_group(1)),
    ),
    Action(
        id="bill.previous_group",
        title="Previous grouping",
        description="The grouping before this one.",
        family="Group by model, agent, workflow, day, run.",
        group="view",
        where=frozenset({"bill"}),
        keys=("shift+tab",),
        cli="aethermind costs --by GROUP",
        command="previousgroup",
        run=_on_bill(lambda screen: screen.next_group(-1)),
    ),
    Action(
        id="bill.span",
        title="Another span of time",
        description="Today, 7 days, 30 days, all time.",
        group="view",
        where=frozenset({"bill"}),
        keys=("d",),
        cli="aethermind costs --since 7d",
        hint="days",
        rank=25,
        command="span",
        run=_on_bill(lambda screen: screen.next_span()),
    ),
    Action(
        id="bill.money",
        title="Real or simulated money",
        description="Show what simulated runs would have cost, or real money again; never both.",
        group="view",
        where=frozenset({"bill"}),
        keys=("s",),
        cli="aethermind costs --sim",
        hint="real/sim",
        rank=30,
        command="money",
        run=_on_bill(lambda screen: screen.other_money()),
    ),
    Action(
        id="bill.cap",
        title="Set today's budget",
        description="Set what all runs together may spend on this day; steps that waited for it go on.",
        group="run",
        where=frozenset({"bill"}),
        keys=("B",),
        cli="aethermind budget today USD",
        hint="today's budget",
        rank=15,
        command="cap",
        usage="[USD]",
        run=_cap,
    ),
    Action(
        id="run.mark",
        title="Mark, to compare",
        description="Mark this run; marking another one compares the two.",
        group="run",
        where=MAIN,
        keys=("m",),
        cli="aethermind diff RUN RUN",
        command="mark",
        enabled=has_run,
        run=_mark,
    ),
    Action(
        id="run.diff",
        title="Compare two runs",
        description="Outputs, cost and time per step of two runs, side by side.",
        group="run",
        where=MAIN,
        no_key="m marks one and then the other",
        cli="aethermind diff RUN RUN",
        command="diff",
        usage="[RUN] RUN",
        complete=_run_ids,
        run=_diff,
    ),
    Action(
        id="diff.same",
        title="What is the same, too",
        description="Show what is the same in both, or leave it out again.",
        group="view",
        where=frozenset({"diff"}),
        keys=("a",),
        cli="aethermind diff RUN RUN --all",
        hint="all",
        rank=20,
        command="same",
        run=_same_too,
    ),
)
