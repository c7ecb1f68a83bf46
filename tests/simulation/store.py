"""The store of the simulation: real numbering, real projections, and a disk that takes its (virtual) time.

Appends are queued; what is queued when the disk is free goes into one commit. Each commit may be where the
process dies: before it (nothing of the batch is there), after it (all of it, and nobody was told). A single
append, or a whole batch, may fail; then nothing of it is recorded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from aethermind.domain.errors import AethermindError, StoreError
from aethermind.domain.events import Draft, Recorded
from aethermind.engine.queries import LedgerRow
from aethermind.engine.receipt import Receipt
from aethermind.infra.stores.memory import InMemoryStore

if TYPE_CHECKING:
    from tests.simulation.world import Life


class Disk(InMemoryStore):
    """What survives. Driven without a loop: its methods wait for nothing."""

    async def close(self) -> None:
        return None

    def write(self, drafts: Sequence[Draft], expected: Mapping[str, int]) -> list[Recorded]:
        recorded: list[Recorded] = now(self.append(drafts, expected))
        return recorded

    def everything(self) -> list[Recorded]:
        found: list[Recorded] = now(self.read_all(0, limit=10_000_000))
        return found

    def stream(self, name: str) -> list[Recorded]:
        found: list[Recorded] = now(self.read_stream(name))
        return found


def now(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    coroutine.close()
    raise AssertionError("this was to be done at once")


_Queued = tuple[Sequence[Draft], Mapping[str, int], Receipt]


class SimStore:
    """One life's connection to the disk."""

    def __init__(self, life: Life) -> None:
        self._life = life
        self._world = life.world
        self._disk = life.world.disk
        self._queue: list[_Queued] = []
        self._writing = False

    def __getattr__(self, name: str) -> Any:
        """Looking at projections takes no time here."""
        self._life.alive()
        return getattr(self._disk, name)

    # --- the log -------------------------------------------------------------------------------

    def append(self, drafts: Sequence[Draft], expected: Mapping[str, int]) -> Receipt:
        self._life.alive()
        receipt = Receipt(loop=self._life.loop)
        self._queue.append((list(drafts), dict(expected), receipt))
        self._write_soon()
        return receipt

    def _write_soon(self) -> None:
        if not self._writing:
            self._writing = True
            self._life.loop.call_later(self._world.faults.commit_s(), self._commit)

    def _commit(self) -> None:
        world, life = self._world, self._life
        batch, self._queue = self._queue, []
        life.place("commit.before")
        answers: list[tuple[Receipt, list[Recorded] | Exception]] = []
        whole = world.faults.batch_fails()
        for drafts, expected, receipt in batch:
            answers.append((receipt, self._write(drafts, expected, fails=whole)))
        life.place("commit.after")
        life.loop.call_later(world.faults.answer_s(), self._answer, answers)

    def _write(
        self, drafts: Sequence[Draft], expected: Mapping[str, int], *, fails: bool
    ) -> list[Recorded] | Exception:
        if fails or self._world.faults.append_fails():
            self._world.tell("the disk fails: " + ", ".join(type(d.event).__name__ for d in drafts))
            self._world.promises.cut({draft.stream for draft in drafts})
            return StoreError("the disk is full")
        try:
            recorded = self._disk.write(drafts, expected)
        except AethermindError as error:
            return error
        self._world.committed(self._life, recorded)
        return recorded

    def _answer(self, answers: list[tuple[Receipt, list[Recorded] | Exception]]) -> None:
        for receipt, answer in answers:
            receipt.settle(answer)
        self._writing = False
        if self._queue:
            self._write_soon()

    # --- reading -------------------------------------------------------------------------------

    async def read_stream(self, stream: str, after_version: int = 0) -> list[Recorded]:
        await self._look()
        return await self._disk.read_stream(stream, after_version)

    async def read_all(
        self, after_seq: int, *, limit: int = 1000, stream: str | None = None
    ) -> list[Recorded]:
        await self._look()
        return await self._disk.read_all(after_seq, limit=limit, stream=stream)

    async def last_seq(self) -> int:
        await self._look()
        return await self._disk.last_seq()

    async def ledger(self, scope: str, day: int) -> LedgerRow:
        await self._look()
        return await self._disk.ledger(scope, day)

    async def trusted(self, path: str, sha256: str | None) -> bool:
        await self._look()
        return await self._disk.trusted(path, sha256)

    async def _look(self) -> None:
        self._life.alive()
        await asyncio.sleep(self._world.faults.read_s())
        self._life.alive()

    async def close(self) -> None:
        """The disk outlives the engine."""
