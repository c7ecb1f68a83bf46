"""The engine in its own thread, and the bounded bridge to it."""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from aethermind.domain.errors import InvalidError, StoreError
from aethermind.domain.events import LogWritten, Recorded, Submitter
from aethermind.domain.workflow import Function, StepDef, Value
from aethermind.engine.client import Client, RunRequest
from aethermind.engine.context import StepContext
from aethermind.engine.hosting import EngineThread, Subscription
from aethermind.infra.stores.memory import InMemoryStore
from tests.engine.harness import Harness, workflow

LINES = 3_000


async def chatty(ctx: StepContext) -> int:
    for n in range(LINES):
        ctx.log(f"line {n}")
    return threading.get_ident()


@pytest.fixture
def engine() -> Iterator[EngineThread]:
    @asynccontextmanager
    async def opened() -> AsyncIterator[Client]:
        async with Harness() as h:
            h.engine.register("chatty", chatty)
            yield h.client

    thread = EngineThread(opened)
    thread.start()
    yield thread
    thread.stop(drain_s=0)


def request(**steps: Any) -> RunRequest:
    definition = workflow(*(StepDef(id=name, action=action) for name, action in steps.items()))
    return RunRequest(
        definition=definition, inputs={}, submitter=Submitter(user="t", cwd="/", interpreter="python")
    )


def drain(subscription: Subscription, enough: Callable[[list[Recorded]], bool]) -> list[Recorded]:
    found: list[Recorded] = []
    deadline = time.monotonic() + 10
    while not enough(found) and time.monotonic() < deadline:
        subscription.wait(1)
        found += [item for item in subscription.drain() if isinstance(item, Recorded)]
    return found


def test_calls_run_in_the_engines_thread(engine: EngineThread) -> None:
    request_ = request(chatty=Function(name="chatty"))
    run_id = engine.call(lambda client: client.start_run(request_)).result(10)
    run = engine.call(lambda client: client.wait(run_id)).result(10)
    assert run.outputs["chatty"] != threading.get_ident()


def test_errors_come_back_to_who_asked(engine: EngineThread) -> None:
    with pytest.raises(InvalidError, match="no run"):
        engine.call(_ambiguous).result(10)


async def _ambiguous(client: Client) -> None:
    raise InvalidError("no run here")


def test_opening_that_fails_is_told_by_start() -> None:
    @asynccontextmanager
    async def broken() -> AsyncIterator[Client]:
        async with Harness() as h:
            if h.client.owner is None:
                raise InvalidError("the disk is no disk")
            yield h.client

    thread = EngineThread(broken)
    with pytest.raises(InvalidError, match="no disk"):
        thread.start()


def test_a_reader_that_does_not_drain_holds_nothing_up_and_misses_nothing(engine: EngineThread) -> None:
    subscription = engine.subscribe(after=0, bound=100)
    request_ = request(chatty=Function(name="chatty"), value=Value(value=1))
    run_id = engine.call(lambda client: client.start_run(request_)).result(10)
    run = engine.call(lambda client: client.wait(run_id)).result(10)  # finished, though nobody drained
    assert run.status == "succeeded"
    found = drain(subscription, lambda items: len(items) >= LINES + 6)
    assert sum(isinstance(item.event, LogWritten) for item in found) == LINES
    assert [item.seq for item in found] == sorted({item.seq for item in found})
    subscription.close()


def test_the_reader_is_woken_once_until_it_drains(engine: EngineThread) -> None:
    woken: list[int] = []
    filled = threading.Event()

    def wake() -> None:
        woken.append(1)
        filled.set()

    subscription = engine.subscribe(after=0, wake=wake)
    request_ = request(chatty=Function(name="chatty"))
    run_id = engine.call(lambda client: client.start_run(request_)).result(10)
    engine.call(lambda client: client.wait(run_id)).result(10)
    assert filled.wait(10)
    assert len(woken) == 1
    drain(subscription, lambda items: any(item.type == "RunSucceeded" for item in items))
    subscription.close()


def test_stopping_is_idempotent_and_ends_the_thread() -> None:
    @asynccontextmanager
    async def opened() -> AsyncIterator[Client]:
        async with Harness() as h:
            yield h.client

    thread = EngineThread(opened)
    thread.start()
    assert thread.alive
    thread.stop()
    thread.stop()
    assert not thread.alive


class Breaking(InMemoryStore):
    """Can't be read from when told."""

    broken = False

    async def read_all(
        self, after_seq: int, *, limit: int = 1000, stream: str | None = None
    ) -> list[Recorded]:
        if self.broken:
            raise StoreError("the disk can't be read")
        return await super().read_all(after_seq, limit=limit, stream=stream)


def test_a_feed_that_breaks_off_is_told_to_who_reads_it() -> None:
    store = Breaking()

    @asynccontextmanager
    async def opened() -> AsyncIterator[Client]:
        async with Harness(store=store) as h:
            yield h.client

    thread = EngineThread(opened)
    thread.start()
    try:
        request_ = request(v=Value(value=1))
        run_id = thread.call(lambda client: client.start_run(request_)).result(10)
        thread.call(lambda client: client.wait(run_id)).result(10)
        store.broken = True
        woken = threading.Event()
        subscription = thread.subscribe(after=0, wake=woken.set)
        assert woken.wait(10)
        assert subscription.wait(10)
        for _ in range(2):
            with pytest.raises(StoreError, match="the feed of events broke off: the disk can't be read"):
                subscription.drain()
        subscription.close()
    finally:
        thread.stop(drain_s=0)


def test_a_feed_that_ends_with_its_engine_is_no_error(engine: EngineThread) -> None:
    subscription = engine.subscribe(after=0)
    engine.stop(drain_s=0)
    assert subscription.drain() == []
    subscription.close()
