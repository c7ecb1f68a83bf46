"""Lines that break at any byte: the view of whoever watches is the engine's, and what acts acts once."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from typing import Any, Self

import msgspec
import pytest

from aethermind.domain.errors import BusyError, DeniedError, EndedError
from aethermind.domain.events import Recorded
from aethermind.domain.run import Run
from aethermind.domain.workflow import Ask, Function, StepDef, Value
from aethermind.engine.client import Attachment, FeedItem, Notice
from aethermind.engine.context import StepContext
from aethermind.engine.queries import RunFilter
from aethermind.infra.remote.asking import Asking, Patience
from aethermind.infra.remote.client import RemoteClient
from aethermind.infra.remote.lines import BrokenLine, Stream, UnixLine
from aethermind.infra.remote.opening import connect, greet
from tests.contract.clients import Served, served
from tests.contract.test_client import request
from tests.engine.harness import Harness

LINES = 2_000
PATIENCE = 30


class Breaking(UnixLine):
    """Breaks the first connections after so many bytes from the engine, then no more."""

    def __init__(self, path: str, cuts: Iterator[int]) -> None:
        super().__init__(path, name="box")
        self._cuts = cuts
        self.dials = 0

    async def dial(self) -> Stream:
        self.dials += 1
        return Cut(await super().dial(), next(self._cuts, None))


class Cut:
    def __init__(self, stream: Stream, left: int | None) -> None:
        self._stream = stream
        self._left = left

    async def read(self) -> bytes:
        if self._left == 0:
            raise BrokenLine("cut")
        data = await self._stream.read()
        if self._left is not None:
            data = data[: self._left]
            self._left -= len(data)
        return data

    async def write(self, data: bytes) -> None:
        await self._stream.write(data)

    def close(self) -> None:
        self._stream.close()


class Chatty(Harness):
    async def __aenter__(self) -> Self:
        await super().__aenter__()

        async def chatty(ctx: StepContext) -> int:
            for n in range(LINES):
                ctx.log(f"line {n}")
                if not n % 100:
                    await asyncio.sleep(0)
            return LINES

        self.engine.register("chatty", chatty)
        return self


CHATTY = StepDef(id="chatty", action=Function(name="chatty"))
A = StepDef(id="a", action=Value(value=1))
ASK = StepDef(id="ask", action=Ask(message="Well?", approval=True))


@pytest.fixture(scope="module")
def engine() -> Iterator[Served]:
    with served(Chatty) as opened:
        yield opened


async def at_once(_seconds: float) -> None:
    await asyncio.sleep(0)


@asynccontextmanager
async def breaking(engine: Served, cuts: Iterator[int], seconds: float = 10.0) -> AsyncIterator[RemoteClient]:
    line = Breaking(str(engine.target.path), cuts)
    asking = Asking(line, host="localhost", patience=Patience(seconds, sleep=at_once))
    try:
        yield RemoteClient(asking, Attachment(name="box", target="ssh://box", local=False))
    finally:
        asking.close()


async def _seen(feed: AsyncIterator[FeedItem]) -> list[FeedItem]:
    found: list[FeedItem] = []
    async with asyncio.timeout(PATIENCE), aclosing(feed) as items:  # type: ignore[type-var]  # feeds are async generators
        async for item in items:
            found.append(item)
            if isinstance(item, Recorded) and item.type == "RunSucceeded":
                return found
    return found


@pytest.mark.parametrize("seed", range(3))
async def test_cut_at_any_byte_the_view_is_the_engines(engine: Served, seed: int) -> None:
    rng = random.Random(seed)
    async with connect(engine.target) as sound:
        before = await sound.last_seq()
        run_id = await sound.start_run(request(CHATTY, simulated=False))
        cuts = (rng.choice([rng.randrange(400), rng.randrange(60_000)]) for _ in range(10))
        async with breaking(engine, cuts) as client:
            items = await _seen(client.feed(after=before, run_id=run_id if seed % 2 else None))
        events = [item for item in items if isinstance(item, Recorded)]
        assert len(events) > LINES
        assert events == await sound.events(after=before, limit=5_000)
        notices = [item.kind for item in items if isinstance(item, Notice)]
        assert notices[:2] == ["lost", "found"]
        assert notices == ["lost", "found"] * (len(notices) // 2)


async def test_what_acts_acts_once_however_often_its_answer_is_lost(engine: Served) -> None:
    async with connect(engine.target) as sound:
        before = await sound.runs(RunFilter(), limit=100)
        async with breaking(engine, iter([0, 1, 20, 200])) as client:
            run_id = await client.start_run(request(ASK))
        after = await sound.runs(RunFilter(), limit=100)
        assert [row.id for row in after.items][: -len(before.items) or None] == [run_id]
        async with breaking(engine, iter([10, 0, 30])) as client:
            await client.pause(run_id, by="bo")
        types = [recorded.type for recorded in await sound.events(run_id=run_id, limit=100)]
        assert types.count("RunPaused") == 1


async def test_a_run_is_read_whole_through_a_line_that_breaks(engine: Served) -> None:
    async with connect(engine.target) as sound:
        run_id = await sound.start_run(request(CHATTY, simulated=False))
        async with breaking(engine, iter([50, 5_000, 70_000])) as client:
            run = await client.wait(run_id)
        assert run.status == "succeeded"
        assert run.seq == (await sound.run(run_id)).seq


async def test_an_engine_that_comes_back_is_found_again(engine: Served) -> None:
    async with connect(engine.target) as client:
        before = await client.last_seq()
        lost, found = asyncio.Event(), asyncio.Event()
        events: list[Recorded] = []

        async def watch() -> None:
            async for item in client.feed(after=before):
                if isinstance(item, Notice):
                    {"lost": lost, "found": found}[item.kind].set()
                elif isinstance(item, Recorded):
                    events.append(item)
                    if item.type == "RunSucceeded":
                        return

        watching = asyncio.create_task(watch())
        first = await client.start_run(request(ASK))
        engine.shut()
        async with asyncio.timeout(PATIENCE):
            await lost.wait()
            async with breaking(engine, iter(()), seconds=0.01) as impatient:
                with pytest.raises(BusyError, match="the line to the engine of box is lost: no engine"):
                    await impatient.run(first)
            engine.listen()
            await found.wait()
            await client.answer(first, "ask", {"approved": True})
            await watching
        assert events == await client.events(after=before, limit=1_000)


async def test_nobody_there_and_somebody_who_says_nothing(engine: Served) -> None:
    silent = socket.socket(socket.AF_UNIX)  # the kernel takes its connections, and nobody answers
    silent.bind(str(engine.home / "silent"))
    silent.listen()
    for place, words in (("none", "no engine listens there"), ("silent", "no answer in 0.05 s")):
        line = UnixLine(str(engine.home / place))
        with pytest.raises(BusyError, match=words):
            await greet(Asking(line, host="localhost", patience=Patience(0)), timeout_s=0.05)
    silent.close()


async def test_who_only_looks_changes_nothing(engine: Served) -> None:
    async with connect(engine.target, read_only=True) as client:
        count = await client.last_seq()
        for act in (
            client.start_run(request(A)),
            client.cancel("r_x"),
            client.answer("r_x", "a", {}),
            client.create_token("x"),
            client.stop_engine(),
        ):
            with pytest.raises(DeniedError, match="attached read-only"):
                await act
        assert await client.last_seq() == count


class LeftBehind:
    """The database of an engine that has ended, read beside it."""

    def __init__(self, engine: Served) -> None:
        self._engine = engine

    async def events(self, **where: Any) -> list[Recorded]:
        return await self._engine.thread.ask(lambda client: client.events(**where))

    async def run(self, run_id: str) -> Run:
        return await self._engine.thread.ask(lambda client: client.run(run_id))


async def test_what_an_engine_of_this_machine_left_is_read(engine: Served) -> None:
    """It ended before it could tell how the run did: that is known all the same, without a word of loss."""

    @asynccontextmanager
    async def beside() -> AsyncIterator[Any]:
        yield LeftBehind(engine)

    async with connect(engine.target) as sound:
        before = await sound.last_seq()
        run_id = await sound.start_run(request(ASK))
        await sound.wait(run_id)
        seen = await sound.last_seq()
        async with breaking(engine, iter(()), seconds=0.0) as client:
            client.beside = beside
            client.attached = msgspec.structs.replace(client.attached, local=True)
            client._asking.owner = "the engine with pid 7"
            engine.shut()
            answer = {"approved": True}
            await engine.thread.ask(lambda inside: inside.answer(run_id, "ask", answer, by="ana"))
            await engine.thread.ask(lambda inside: inside.wait(run_id))
            items = await _seen(client.feed(after=before, run_id=run_id))
            assert [item.kind for item in items if isinstance(item, Notice)] == []
            assert [item.seq for item in items if isinstance(item, Recorded)][-1] > seen
            assert (await client.wait(run_id)).status == "succeeded"
            assert (await client.run(run_id)).status == "succeeded"
            with pytest.raises(EndedError, match="the engine with pid 7 has ended"):
                await client.cancel(run_id)
            engine.listen()
