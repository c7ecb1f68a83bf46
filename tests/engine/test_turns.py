"""Turns of a run's mailbox: what must not pass from one to the next, and what waits for the disk."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextvars import ContextVar

from aethermind.domain.events import Draft, Recorded
from aethermind.domain.workflow import Function, StepDef
from aethermind.engine.context import StepContext
from aethermind.infra.stores.memory import InMemoryStore
from tests.engine.harness import Harness, workflow

span: ContextVar[str] = ContextVar("span", default="none")


class Held(InMemoryStore):
    """Appends only when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.free = asyncio.Event()
        self.free.set()
        self.asked = asyncio.Event()

    async def append(self, drafts: Sequence[Draft], expected: Mapping[str, int]) -> list[Recorded]:
        self.asked.set()
        await self.free.wait()
        return await super().append(drafts, expected)


async def test_a_step_sees_the_context_of_who_submitted_not_of_the_step_before() -> None:
    seen: list[str] = []

    async def step(ctx: StepContext) -> None:
        seen.append(span.get())
        span.set(ctx.step)

    async with Harness() as h:
        h.engine.register("f", step)
        span.set("submitter")
        steps = [StepDef(id="a", action=Function(name="f"))]
        steps += [StepDef(id=b, action=Function(name="f"), depends_on=(a,)) for a, b in ("ab", "bc", "cd")]
        await h.run(workflow(*steps))
    assert seen == ["submitter"] * 4


async def test_nobody_hears_of_an_end_before_it_is_recorded() -> None:
    store, started, go_on = Held(), asyncio.Event(), asyncio.Event()

    async def step(ctx: StepContext) -> int:
        started.set()
        await go_on.wait()
        return 1

    async with Harness(store=store) as h:
        h.engine.register("f", step)
        run_id = await h.start(workflow(StepDef(id="a", action=Function(name="f"))))
        await asyncio.wait_for(started.wait(), 5)
        live = h.engine.scheduler.live[run_id]
        store.free.clear()
        store.asked.clear()
        go_on.set()
        await asyncio.wait_for(store.asked.wait(), 5)
        assert live.run.finished == "succeeded"
        late = asyncio.ensure_future(h.client.wait(run_id))
        for _ in range(5):
            await asyncio.sleep(0)
        assert not late.done()
        store.free.set()
        assert (await asyncio.wait_for(late, 5)).status == "succeeded"
