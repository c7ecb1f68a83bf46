"""Calls that break off, that nobody knows the price of, that stand open when their attempt ends."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from aethermind.domain.errors import ErrorInfo
from aethermind.domain.events import CallFailed, CallFinished, CallStarted
from aethermind.domain.run import Run
from aethermind.domain.usage import Usage
from aethermind.domain.workflow import Function, Prompt, Retry, StepDef
from aethermind.engine import reserving
from aethermind.engine.ports import ChatRequest, Message
from aethermind.engine.queries import RunFilter
from tests.engine.harness import Harness, Kept, workflow
from tests.engine.paid import Paid, PaidModels, Tariff

DROPPED = ErrorInfo(kind="connection", message="the connection broke", retryable=True)
REFUSED = ErrorInfo(kind="rate_limit", message="429", retryable=True)


def ask(step: str = "a", *, tries: int = 1, most: int = 100, **fields: Any) -> StepDef:
    action = Prompt(template=step, models=("paid:m",), settings={"max_tokens": most})
    return StepDef(id=step, action=action, retry=Retry(max_attempts=tries, backoff_ms=1), **fields)


def paid(provider: Paid, **more: Any) -> Harness:
    return Harness(models=PaidModels(provider), prices=Tariff(), **more)


async def run_it(h: Harness, *steps: StepDef, **more: Any) -> Run:
    run_id = await h.start(workflow(*steps), simulated=False, **more)
    run = await asyncio.wait_for(h.client.wait(run_id), 10)
    await h.verify(run_id)
    return run


def once(error: ErrorInfo) -> Any:
    """The first call breaks, the others do not."""
    errors = [error]
    return lambda _text: errors.pop() if errors else None


async def test_an_answer_that_breaks_off_counts_at_most_what_was_reserved() -> None:
    async with paid(Paid(breaks=once(DROPPED)), day_budget=1_000) as h:
        run = await run_it(h, ask(tries=2))
        assert run.status == "succeeded"
        assert (run.tally.cost, run.tally.at_most, run.tally.unpriced, run.tally.reserved) == (10, 100, 0, 0)
        row = await h.client.day_budget()
        assert (row.spent, row.at_most, row.left) == (10, 100, 890)
        (line,) = (await h.client.runs(RunFilter())).items
        assert (line.cost_micro_usd, line.at_most_micro_usd, line.unpriced_calls) == (10, 100, 0)
        assert run.root.children[0].tally is not None
        assert run.root.children[0].tally.at_most == 100


async def test_it_counts_against_the_budget_of_the_run() -> None:
    async with paid(Paid(breaks=once(DROPPED))) as h:
        run = await run_it(h, ask(tries=2), budget_micro_usd=150)
        assert run.status == "waiting_budget", "100 perhaps and 100 for the second try are more than 150"
        await h.client.raise_budget(run.id, 200)
        assert (await asyncio.wait_for(h.client.wait(run.id), 10)).status == "succeeded"


async def test_a_call_that_was_refused_counts_nothing() -> None:
    async with paid(Paid(breaks=once(REFUSED), speaks=False), day_budget=105) as h:
        run = await run_it(h, ask(tries=2), budget_micro_usd=105)
        assert run.status == "succeeded"
        assert (run.tally.cost, run.tally.at_most, run.tally.unpriced) == (10, 0, 0)


async def test_an_answer_without_its_usage_counts_at_most_what_was_reserved() -> None:
    async with paid(Paid(cost=lambda _text: None)) as h:
        run = await run_it(h, ask())
        assert run.status == "succeeded"
        assert (run.tally.cost, run.tally.at_most, run.tally.unpriced) == (None, 100, 0)
        (finished,) = [r.event for r in await h.history(run.id) if isinstance(r.event, CallFinished)]
        assert (finished.cost.micro_usd, finished.cost.source) == (None, "reserved")


@pytest.mark.parametrize("rate, most", [(0, 50), (3, 50 + 3 * (32 + 4 + 2))])
def test_a_reservation_bounds_what_writing_the_cache_costs(rate: int, most: int) -> None:
    request = ChatRequest(
        model="m",
        messages=(Message(role="user", content="äö"),),
        instructions="hm",
        settings={"max_tokens": 50},
    )
    assert reserving.worst_case(Tariff(cache_write=rate), "paid", request, at=0) == most
    billed = Usage(input_tokens=6, cache_write_tokens=6, output_tokens=50, reasoning_tokens=50)
    assert (Tariff(cache_write=rate).cost("paid", "m", billed, at=0).micro_usd or 0) <= most


# --- calls side by side ------------------------------------------------------------------------


async def test_all_calls_that_stand_open_at_a_timeout_are_recorded_as_failed() -> None:
    hang = asyncio.Event()

    async def three(ctx: Any) -> None:
        await asyncio.gather(
            *(ctx.chat(str(n), model="paid:m", settings={"max_tokens": 100}) for n in range(3))
        )

    async def pace(_text: str) -> None:
        await hang.wait()

    async with paid(Paid(pace=pace), day_budget=1_000) as h:
        h.engine.register("three", three)
        run = await run_it(h, StepDef(id="f", action=Function(name="three"), timeout_ms=80))
        assert run.status == "failed"
        assert run.error is not None
        assert run.error.kind == "timeout"
        failed = [r.event for r in await h.history(run.id) if isinstance(r.event, CallFailed)]
        assert sorted(event.call for event in failed) == [1, 2, 3]
        assert {call.status for call in run.nodes["f"].attempts[0].calls} == {"failed"}
        assert run.tally.at_most == 300
        assert (await h.client.day_budget()).at_most == 300


async def test_what_was_paid_for_is_recorded_when_the_engine_leaves() -> None:
    store, hang, second = Kept(), asyncio.Event(), asyncio.Event()

    async def two(ctx: Any) -> None:
        await ctx.chat("first", model="paid:m", settings={"max_tokens": 100})
        second.set()
        await hang.wait()

    async with paid(Paid(), store=store, day_budget=1_000) as h:
        h.engine.register("two", two)
        run_id = await h.start(workflow(StepDef(id="f", action=Function(name="two"))), simulated=False)
        await asyncio.wait_for(second.wait(), 10)
        assert not [r for r in await h.history(run_id) if isinstance(r.event, CallFinished)]
    events = [r.event for r in await store.read_stream(f"run/{run_id}")]
    assert [type(e).__name__ for e in events[-2:]] == ["CallStarted", "CallFinished"]
    day = next(r.at for r in await store.read_all(0) if isinstance(r.event, CallStarted)) // 86_400_000
    row = await store.ledger("day", day)
    assert (row.spent, row.reserved) == (10, 0)
