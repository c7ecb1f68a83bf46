"""A store in trouble: nothing new starts, what is under way is kept, everybody is told, and it goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

import pytest

from aethermind.domain.errors import ConflictError, StoreError
from aethermind.domain.events import Draft, Recorded
from aethermind.domain.workflow import Function, StepDef, Value
from aethermind.engine.client import FeedItem, Notice
from aethermind.engine.context import StepContext
from aethermind.engine.trouble import Trouble
from aethermind.infra.stores.memory import InMemoryStore
from tests.engine.harness import Harness, Kept, types, workflow

FULL = Trouble(kind="full", message="the disk is full: nothing new is started")
READER = Trouble(kind="reader", message="another program reads", holds=False)


class Troubled(Kept):
    """Tells of trouble, and fails, when told."""

    def __init__(self) -> None:
        super().__init__()
        self.tell: Callable[[Trouble | None], None] = lambda _: None
        self.broken: Exception | None = None

    def watch(self, tell: Callable[[Trouble | None], None]) -> None:
        self.tell = tell

    async def append(self, drafts: Sequence[Draft], expected: Mapping[str, int]) -> list[Recorded]:
        if self.broken is not None:
            raise self.broken
        return await super().append(drafts, expected)


class Ear:
    """A reader of the feed that keeps what it is told."""

    def __init__(self, h: Harness, run_id: str | None = None) -> None:
        self.heard: asyncio.Queue[Notice] = asyncio.Queue()
        self._task = asyncio.create_task(self._listen(h, run_id))

    async def _listen(self, h: Harness, run_id: str | None) -> None:
        item: FeedItem
        async for item in h.client.feed(run_id=run_id):
            if isinstance(item, Notice):
                self.heard.put_nowait(item)

    async def next(self) -> Notice:
        return await asyncio.wait_for(self.heard.get(), 10)


class Gate:
    """A step that waits to be let through; `begun` tells that it has started."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.open = asyncio.Event()

    async def __call__(self, ctx: StepContext) -> str:
        self.begun.set()
        await self.open.wait()
        return "paid"


def chain(*names: str) -> list[StepDef]:
    return [
        StepDef(id=name, action=Function(name=name), depends_on=(names[n - 1],) if n else ())
        for n, name in enumerate(names)
    ]


async def test_nothing_starts_while_the_disk_is_full_and_everything_goes_on_after() -> None:
    store, first, second = Troubled(), Gate(), Gate()
    async with Harness(store=store) as h:
        remarks: list[str] = []
        h.engine.outage.remark = remarks.append
        ear = Ear(h)
        h.engine.register("a", first)
        h.engine.register("b", second)
        run_id = await h.start(
            workflow(*chain("a", "b"), StepDef(id="v", action=Value(value=1), depends_on=("a",)))
        )
        await asyncio.wait_for(first.begun.wait(), 10)
        store.tell(FULL)
        assert await ear.next() == Notice(kind="held", message=FULL.message)
        first.open.set()
        for _ in range(500):
            await asyncio.sleep(0)
        assert types(await h.history(run_id)) == ["RunCreated", "AttemptStarted", "AttemptSucceeded"]
        assert not second.begun.is_set()
        with pytest.raises(StoreError, match="the disk is full"):
            await h.start(workflow(StepDef(id="x", action=Value(value=1))))
        late = Ear(h)
        assert (await late.next()).kind == "held", "who comes later is told, too"
        second.open.set()
        store.tell(None)
        run = await asyncio.wait_for(h.client.wait(run_id), 10)
        assert run.status == "succeeded"
        told = await ear.next()
        assert (told.kind, told.message) == ("over", "there is room on the disk again: going on")
        assert remarks == [FULL.message, told.message]
        assert ear.heard.empty()
        await h.verify(run_id)


async def test_runs_that_wait_in_the_queue_are_held_too() -> None:
    store, gate = Troubled(), Gate()
    async with Harness(store=store, max_concurrent=1) as h:
        h.engine.register("a", gate)
        first = await h.start(workflow(*chain("a")))
        second = await h.start(workflow(*chain("a")))
        await asyncio.wait_for(gate.begun.wait(), 10)
        store.tell(FULL)
        gate.open.set()
        assert (await asyncio.wait_for(h.client.wait(first), 10)).status == "succeeded"
        for _ in range(50):
            await asyncio.sleep(0)
        assert types(await h.history(second)) == ["RunCreated"]
        store.tell(None)
        assert (await asyncio.wait_for(h.client.wait(second), 10)).status == "succeeded"


async def test_a_warning_holds_nobody() -> None:
    store = Troubled()
    async with Harness(store=store) as h:
        ear = Ear(h)
        store.tell(READER)
        assert (await ear.next()).kind == "warning"
        run = await h.run(workflow(StepDef(id="a", action=Value(value=1))))
        assert run.status == "succeeded"
        store.tell(None)
        assert (await ear.next()).kind == "over"


@pytest.mark.parametrize(
    "error", [StoreError("the disk is full", hint="free some"), ConflictError("another engine owns it now")]
)
async def test_everybody_is_told_why_a_run_was_dropped(error: StoreError | ConflictError) -> None:
    store, gate = Troubled(), Gate()
    async with Harness(store=store) as h:
        h.engine.register("a", gate)
        run_id = await h.start(workflow(*chain("a")))
        mine, all_, other = Ear(h, run_id), Ear(h), Ear(h, "r_other")
        await asyncio.wait_for(gate.begun.wait(), 10)
        waiting = asyncio.create_task(h.client.wait(run_id))
        await asyncio.sleep(0)
        store.broken = error
        gate.open.set()
        why = rf"run {run_id} was stopped: {error.message}"
        with pytest.raises(type(error), match=why) as caught:
            await asyncio.wait_for(waiting, 10)
        assert caught.value.hint == f"to go on: aethermind resume {run_id}"
        for ear in (mine, all_):
            notice = await ear.next()
            assert (notice.kind, notice.run_id) == ("dropped", run_id)
            assert notice.message == caught.value.line()
        with pytest.raises(type(error), match=why):
            await h.client.wait(run_id)  # who asks later
        assert other.heard.empty()
        store.broken = None
        await h.client.resume(run_id)
        assert (await asyncio.wait_for(h.client.wait(run_id), 10)).status == "succeeded"
        await h.verify(run_id)


async def test_leaving_is_no_reason() -> None:
    """Who stops the engine knows why his runs stop."""
    store, gate = Troubled(), Gate()
    async with Harness(store=store) as h:
        h.engine.register("a", gate)
        run_id = await h.start(workflow(*chain("a")))
        await asyncio.wait_for(gate.begun.wait(), 10)
        await h.client.drain(0)
        assert h.engine.outage.reason(run_id) is None
        assert (await h.client.wait(run_id)).finished is None


async def test_a_store_that_cannot_tell_is_fine() -> None:
    async with Harness(store=InMemoryStore()) as h:
        assert (await h.run(workflow(StepDef(id="a", action=Value(value=1))))).status == "succeeded"
