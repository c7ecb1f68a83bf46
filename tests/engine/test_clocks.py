"""Clocks that jump, machines that sleep, restarts under another wall clock: timers ring once."""

from __future__ import annotations

import asyncio
import time

import pytest

from aethermind.domain import recovery
from aethermind.domain.run import Run
from aethermind.domain.workflow import Ask, Function, Retry, StepDef, Value
from aethermind.engine import scheduler
from aethermind.engine.context import StepContext
from aethermind.infra.clock import SystemClock
from tests.engine.harness import Harness, Kept, StepClock, types, workflow

HOUR = 3_600_000
YEARS = 10 * 365 * 24 * HOUR
NS = 1_000_000


class Shifted(StepClock):
    """The machine's clock after somebody has set it."""

    def __init__(self, by: int) -> None:
        super().__init__()
        self._by = by

    def now(self) -> int:
        return super().now() + self._by


class Machine:
    """Real clocks that can be made to jump: the wall clock, and the time spent asleep."""

    def __init__(self) -> None:
        self.set_by = 0
        self.slept = 0
        self.clock = SystemClock(wall=self._wall, steady=lambda: time.monotonic_ns() + self.slept * NS)

    def _wall(self) -> int:
        return time.time_ns() + (self.set_by + self.slept) * NS


class Flaky:
    """Fails the first time; `failed` tells that it did."""

    def __init__(self) -> None:
        self.tries = 0
        self.failed = asyncio.Event()

    async def __call__(self, ctx: StepContext) -> int:
        self.tries += 1
        if self.tries == 1:
            self.failed.set()
            raise RuntimeError("the first try fails")
        return self.tries


def flaky(backoff_ms: int) -> StepDef:
    retry = Retry(max_attempts=3, backoff_ms=backoff_ms, max_backoff_ms=backoff_ms)
    return StepDef(id="a", action=Function(name="f"), retry=retry)


async def waits(h: Harness, run_id: str) -> None:
    """Until the failure and the time of the next try are recorded."""
    async for _ in h.client.feed(after=0, run_id=run_id):
        if "AttemptFailed" in types(await h.history(run_id)):
            return


@pytest.mark.parametrize("by", [YEARS, -YEARS, -HOUR])
async def test_a_retry_waits_no_longer_under_another_wall_clock(by: int) -> None:
    store, step = Kept(), Flaky()
    async with Harness(store=store) as h:
        h.engine.register("f", step)
        run_id = await h.start(workflow(flaky(20_000)))  # times the test's jitter: at most 0.2 s
        await asyncio.wait_for(waits(h, run_id), 10)
    async with Harness(store=store, clock=Shifted(by)) as h:
        h.engine.register("f", step)
        await h.client.resume(run_id)
        run = await asyncio.wait_for(h.client.wait(run_id), 10)
        assert (run.status, step.tries) == ("succeeded", 2)
        await h.verify(run_id)


@pytest.mark.parametrize("by", [YEARS, -YEARS])
async def test_a_jump_while_it_waits_neither_loses_nor_doubles_a_timer(by: int) -> None:
    machine, step = Machine(), Flaky()
    async with Harness(clock=machine.clock) as h:
        h.engine.register("f", step)
        run_id = await h.start(workflow(flaky(20_000)))
        await asyncio.wait_for(waits(h, run_id), 10)
        machine.set_by = by
        run = await asyncio.wait_for(h.client.wait(run_id), 10)
        assert (run.status, step.tries) == ("succeeded", 2)
        assert run.finished_at is not None
        assert 0 <= run.finished_at - run.created_at < 10_000
        await h.verify(run_id)


async def test_after_sleeping_over_a_timer_it_rings_soon_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The timers of an event loop do not count the time asleep."""
    monkeypatch.setattr(scheduler, "LONGEST_S", 0.01)
    machine, step = Machine(), Flaky()
    async with Harness(clock=machine.clock) as h:
        h.engine.register("f", step)
        run_id = await h.start(workflow(flaky(100 * HOUR)))
        await asyncio.wait_for(waits(h, run_id), 10)
        assert step.tries == 1
        machine.slept = 100 * HOUR
        run = await asyncio.wait_for(h.client.wait(run_id), 10)
        assert (run.status, step.tries) == ("succeeded", 2)


ASK = StepDef(id="q", action=Ask(message="Go on?", approval=True, timeout_ms=24 * HOUR, on_timeout="fail"))


@pytest.mark.parametrize(
    "by, status", [(25 * HOUR, "failed"), (23 * HOUR, "waiting_answer"), (-YEARS, "waiting_answer")]
)
async def test_a_question_keeps_its_hour(by: int, status: str) -> None:
    store = Kept()
    async with Harness(store=store) as h:
        run_id = await h.start(workflow(ASK))
        assert (await asyncio.wait_for(h.client.wait(run_id), 10)).status == "waiting_answer"
    async with Harness(store=store, clock=Shifted(by)) as h:
        await h.client.resume(run_id)
        assert (await asyncio.wait_for(h.client.wait(run_id), 10)).status == status


async def test_what_is_brought_nearer() -> None:
    store, step = Kept(), Flaky()
    async with Harness(store=store) as h:
        h.engine.register("f", step)
        definition = workflow(flaky(HOUR), ASK, StepDef(id="v", action=Value(value=1)))
        run_id = await h.start(definition)
        await asyncio.wait_for(waits(h, run_id), 10)
        history = await h.history(run_id)
    last = history[-1].at
    before: Run = recovery.folded(run_id, history, last + 5)
    retry, ask = before.nodes["a"].due_at, before.nodes["q"].due_at
    assert retry is not None
    after = recovery.folded(run_id, history, last - YEARS)
    assert after.nodes["a"].due_at == retry - YEARS
    assert after.nodes["q"].due_at == ask
    assert sorted(after.timers) == sorted([(after.nodes[path].due_at, path) for path in ("a", "q")])
