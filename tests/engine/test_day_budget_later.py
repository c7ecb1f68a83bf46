"""The day's budget through crashes and restarts."""

from __future__ import annotations

import asyncio

from aethermind.domain.events import (
    BudgetFreed,
    CallStarted,
    RunSucceeded,
)
from tests.engine.days import Clock, ask, begin, paid, rest, seen
from tests.engine.harness import Harness, Kept, types
from tests.engine.paid import Paid


async def crash(h: Harness) -> None:
    """The engine ends as a killed process does: nothing is recorded any more."""
    for live in h.engine.scheduler.live.values():
        live.dropped = True


async def test_spend_survives_a_crash_and_a_lost_call_counts_at_most() -> None:
    store, hang = Kept(), asyncio.Event()

    async def pace(text: str) -> None:
        if text == "b":
            await hang.wait()

    flow = (ask("a"), ask("b", depends_on=("a",)))
    async with paid(Paid(pace=pace), store=store, day_budget=215) as h:
        run_id = await begin(h, *flow)
        await seen(h, run_id, CallStarted, 2)
        await crash(h)
    async with paid(store=store, day_budget=215) as h:
        row = await h.client.day_budget()
        assert (row.spent, row.at_most, row.reserved) == (10, 0, 100), "nobody knows yet that it is lost"
        await h.client.resume(run_id)
        run = await rest(h, run_id)
        assert run.status == "succeeded", "10 spent, 100 perhaps, 100 for the second try"
        assert (run.tally.cost, run.tally.at_most) == (20, 100)
        row = await h.client.day_budget()
        assert (row.spent, row.at_most, row.reserved, row.left) == (20, 100, 0, 95)
        assert (await rest(h, await begin(h, ask("a")))).status == "waiting_budget"
        await h.verify(run_id)


async def test_a_held_run_goes_on_in_a_later_process_only_if_there_is_room() -> None:
    store = Kept()
    async with paid(store=store, day_budget=50) as h:
        run_id = await begin(h, ask("a"))
        assert (await rest(h, run_id)).status == "waiting_budget"
    async with paid(store=store, day_budget=50) as h:
        await h.client.resume(run_id)
        assert (await rest(h, run_id)).status == "waiting_budget"
        assert types(await h.history(run_id)).count("BudgetHeld") == 1, "nothing was tried in vain"
    async with paid(store=store, day_budget=500) as h:
        await h.client.resume(run_id)
        assert (await rest(h, run_id)).status == "succeeded"


async def test_held_steps_of_resumed_runs_stand_before_younger_ones() -> None:
    store, clock = Kept(), Clock()
    async with paid(store=store, day_budget=50, clock=clock) as h:
        old = await begin(h, ask("a"))
        await rest(h, old)
    clock.skip(1_000)
    async with paid(store=store, day_budget=50, clock=clock) as h:
        young = await begin(h, ask("a"))
        await rest(h, young)
        await h.client.resume(old)
        await h.client.raise_day_budget(1_000)
        for run_id in (old, young):
            await seen(h, run_id, RunSucceeded)
        freed = [r.stream for r in await store.read_all(0) if isinstance(r.event, BudgetFreed)]
        assert freed == [f"run/{old}", f"run/{young}"]
