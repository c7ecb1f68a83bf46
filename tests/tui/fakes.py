"""An engine without an engine: it serves recorded histories through the interface the screens use.

Everything happens at once and in the calling thread, so a test decides when something comes: `put`
hands new items to every subscription, `asked` tells what was asked for.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar, cast

from aethermind.domain import events as e
from aethermind.domain import ids
from aethermind.domain.errors import InvalidError, NotFoundError
from aethermind.domain.run import Run, fold
from aethermind.domain.workflow import WorkflowDef
from aethermind.engine.client import Client, FeedItem, RunRequest
from aethermind.engine.lane import LaneState
from aethermind.engine.ports import ModelInfo
from aethermind.engine.queries import (
    AgentRow,
    CallRow,
    CostFilter,
    CostRow,
    LedgerRow,
    LogFilter,
    LogRow,
    Page,
    Partial,
    RunFilter,
    RunRow,
    WorkflowRow,
)
from tests.tui.histories import Script
from tests.tui.sums import summed

T = TypeVar("T")
_LEVELS = ("debug", "info", "warning", "error")


class FakeClient:
    """The part of `Client` that the screens ask for, over histories. What would change a run is only noted in
    `asked`.
    """

    def __init__(self, histories: Mapping[str, list[e.Recorded]]) -> None:
        self.histories = {run_id: list(items) for run_id, items in histories.items()}
        self.asked: list[tuple[Any, ...]] = []
        self.partial_texts: list[Partial] = []
        self.model_list: list[ModelInfo] = []
        self.ledgers: dict[bool, LedgerRow] = {}
        """The day's money, real (False) and simulated (True)."""
        self.refusal: Exception | None = None
        """Raised by whatever changes something."""
        self.interrupted: set[str] = set()
        """Runs that the store says nobody drives."""

    # --- looking -------------------------------------------------------------------------------

    async def find_run(self, ref: str) -> str:
        known = sorted(self.histories, key=lambda r: self.histories[r][0].at)
        if ref == "last" and known:
            return known[-1]
        found = [run_id for run_id in known if run_id.startswith(ref)]
        if not found:
            raise NotFoundError(f"no run {ref!r}")
        if len(found) > 1:
            raise InvalidError(f"{ref!r} could be {', '.join(found)}")
        return found[0]

    async def run(self, run_id: str) -> Run:
        if run_id not in self.histories:
            raise NotFoundError(f"no run {run_id!r}")
        return fold(run_id, self.histories[run_id])

    async def feed(self, *, after: int | None = None, run_id: str | None = None) -> AsyncIterator[FeedItem]:
        for recorded in self._all():
            if recorded.seq > (after or 0) and run_id in {None, ids.run_id_of(recorded.stream)}:
                yield recorded

    def _all(self) -> list[e.Recorded]:
        return sorted((r for items in self.histories.values() for r in items), key=lambda r: r.seq)

    async def runs(self, where: RunFilter, *, limit: int = 50, cursor: str | None = None) -> Page[RunRow]:
        rows = [self.row(fold(run_id, items)) for run_id, items in self.histories.items()]
        rows.sort(key=lambda r: (r.created_at, r.id), reverse=True)
        rows = [
            r
            for r in rows
            if (where.status in {None, r.status})
            and (where.workflow in {None, r.workflow})
            and r.id.startswith(where.id_prefix or "")
            and not (where.unfinished and r.finished_at is not None)
            and (where.text or "").lower() in f"{r.id} {r.workflow} {r.status}".lower()
        ]
        begin = int(cursor or 0)
        following = str(begin + limit) if begin + limit < len(rows) else None
        return Page(rows[begin : begin + limit], following)

    def row(self, run: Run) -> RunRow:
        return RunRow(
            id=run.id,
            workflow=run.created.workflow,
            status="interrupted" if run.id in self.interrupted else run.status,
            created_at=run.created_at,
            started_at=run.started_at,
            finished_at=run.finished_at,
            usage=run.tally.usage,
            cost_micro_usd=run.tally.cost,
            unpriced_calls=run.tally.unpriced,
            simulated=run.created.simulated,
            budget_micro_usd=run.budget_micro_usd,
            source=run.created.source,
            error=run.error.message if run.error is not None else None,
        )

    async def logs(self, where: LogFilter, *, limit: int = 200, cursor: str | None = None) -> Page[LogRow]:
        after = max(int(cursor or 0), where.after_seq)
        found = [
            row
            for recorded in self._all()
            if recorded.seq > after and (row := self._log(recorded)) is not None
            if where.run_id in {None, row.run_id} and where.step in {None, row.step}
            if _LEVELS.index(row.level) >= _LEVELS.index(where.min_level)
        ]
        page = found[:limit]
        return Page(page, str(page[-1].seq) if len(found) > limit else None)

    @staticmethod
    def _log(recorded: e.Recorded) -> LogRow | None:
        event = recorded.event
        if not isinstance(event, e.LogWritten):
            return None
        return LogRow(
            seq=recorded.seq,
            at=recorded.at,
            run_id=ids.run_id_of(recorded.stream),
            level=event.level,
            message=event.message,
            step=event.step,
            attempt=event.attempt,
            agent=event.agent,
            metadata=event.metadata,
        )

    async def calls(self, run_id: str, *, limit: int = 1000, cursor: str | None = None) -> Page[CallRow]:
        run = await self.run(run_id)
        rows = [
            CallRow(
                run_id=run_id,
                step=node.path,
                attempt=attempt.n,
                call=call.n,
                workflow=run.created.workflow,
                agent=call.agent,
                provider=call.provider,
                model=call.model,
                status=call.status,
                simulated=run.created.simulated,
                started_at=call.started_at,
                finished_at=call.finished_at,
                usage=call.usage,
                cost_micro_usd=call.cost.micro_usd if call.cost is not None else None,
                reserved_micro_usd=call.reserved,
            )
            for node in run.walk()
            for attempt in node.attempts
            for call in attempt.calls
        ]
        return Page(rows[:limit])

    async def costs(self, where: CostFilter) -> list[CostRow]:
        found = [call for run_id in self.histories for call in (await self.calls(run_id)).items]
        return summed(found, where)

    async def agents(self) -> list[AgentRow]:
        return []

    async def workflows(self) -> list[WorkflowRow]:
        return []

    async def models(self) -> list[ModelInfo]:
        return self.model_list

    async def partials(self, run_id: str) -> list[Partial]:
        return [partial for partial in self.partial_texts if partial.run_id == run_id]

    async def lanes(self) -> list[LaneState]:
        return []

    # --- acting --------------------------------------------------------------------------------

    def _note(self, *what: Any) -> None:
        self.asked.append(what)
        if self.refusal is not None:
            raise self.refusal

    async def start_run(self, request: RunRequest) -> str:
        """Notes the request; the run is the newest that is there (put a history first)."""
        self._note("start_run", request)
        return await self.find_run("last")

    async def cancel(self, run_id: str, *, step: str | None = None, by: str = "", reason: str = "") -> None:
        self._note("cancel", run_id, step)

    async def pause(self, run_id: str, *, by: str = "") -> None:
        self._note("pause", run_id)

    async def resume(self, run_id: str, *, by: str = "", env: Mapping[str, str] | None = None) -> None:
        self._note("resume", run_id)

    async def retry(
        self,
        run_id: str,
        *,
        steps: Sequence[str] = (),
        by: str = "",
        env: Mapping[str, str] | None = None,
    ) -> None:
        self._note("retry", run_id, tuple(steps))

    async def raise_budget(self, run_id: str, micro_usd: int, *, by: str = "") -> None:
        self._note("raise_budget", run_id, micro_usd)

    async def raise_day_budget(self, micro_usd: int, *, simulated: bool = False, by: str = "") -> None:
        self._note("raise_day_budget", micro_usd)

    async def day_budget(self, *, simulated: bool = False) -> LedgerRow:
        return self.ledgers.get(simulated, LedgerRow("day:sim" if simulated else "day", 0))

    async def drain(self, seconds: float) -> None:
        self._note("drain", seconds)

    async def answer(self, run_id: str, step: str, values: Mapping[str, Any], *, by: str = "") -> None:
        self._note("answer", run_id, step, dict(values))

    async def edited(self, run_id: str, definition: WorkflowDef) -> tuple[str, ...]:
        return ()

    async def resume_edited(
        self,
        run_id: str,
        definition: WorkflowDef,
        *,
        by: str = "",
        env: Mapping[str, str] | None = None,
        source_hash: str | None = None,
        env_names: Sequence[str] = (),
    ) -> None:
        self._note("resume_edited", run_id)

    async def fork(self, run_id: str, at: str, **given: Any) -> str:
        self._note("fork", run_id, at, given)
        return await self.find_run("last")

    async def wait(self, run_id: str) -> Run:
        return await self.run(run_id)

    async def trust(self, path: str, sha256: str | None, *, by: str = "") -> None:
        self._note("trust", path, sha256)

    async def trusted(self, path: str, sha256: str | None) -> bool:
        return any(asked[:2] == ("trust", path) for asked in self.asked)


class FakeSubscription:
    def __init__(self, run_id: str | None, wake: Callable[[], None] | None) -> None:
        self.run_id = run_id
        self.wake = wake
        self.items: list[FeedItem] = []
        self.closed = False

    def offer(self, item: FeedItem) -> None:
        of = ids.run_id_of(item.stream) if isinstance(item, e.Recorded) else item.run_id
        if self.closed or self.run_id not in {None, of}:
            return
        self.items.append(item)
        if len(self.items) == 1 and self.wake is not None:
            self.wake()

    def drain(self, limit: int = 5_000) -> list[FeedItem]:
        taken, self.items = self.items[:limit], self.items[limit:]
        return taken

    def wait(self, timeout: float) -> bool:
        return bool(self.items)

    def close(self) -> None:
        self.closed = True


class FakeEngine:
    """The interface of `engine.hosting.EngineThread`, answering at once."""

    def __init__(self, *scripts: Script) -> None:
        self.client = FakeClient({script.run_id: script.history for script in scripts})
        self.subscriptions: list[FakeSubscription] = []
        self.started = self.stopped = False

    @property
    def asked(self) -> list[tuple[Any, ...]]:
        return self.client.asked

    def put(self, *items: FeedItem) -> None:
        """Record these (signals are only passed on) and hand them to all subscriptions."""
        for item in items:
            if isinstance(item, e.Recorded):
                run_id = ids.run_id_of(item.stream)
                if run_id is not None:
                    self.client.histories.setdefault(run_id, []).append(item)
            for subscription in self.subscriptions:
                subscription.offer(item)

    def play(self, script: Script, write: Callable[[Script], object]) -> None:
        """Let `write` go on with the script; what it adds is put."""
        known = len(script.history)
        write(script)
        self.put(*script.history[known:])

    # --- EngineThread --------------------------------------------------------------------------

    def start(self) -> None:
        self.started = True

    def stop(self, *, drain_s: float = 10.0) -> None:
        self.stopped = True

    def call(self, ask: Callable[[Client], Awaitable[T]]) -> Future[T]:
        future: Future[T] = Future()
        try:
            future.set_result(_finish(ask(cast(Client, self.client))))
        except Exception as error:  # noqa: BLE001 - whatever it is belongs to the caller
            future.set_exception(error)
        return future

    async def ask(self, ask: Callable[[Client], Awaitable[T]]) -> T:
        return await ask(cast(Client, self.client))

    def subscribe(
        self,
        *,
        run_id: str | None = None,
        after: int | None = None,
        wake: Callable[[], None] | None = None,
        bound: int = 10_000,
    ) -> FakeSubscription:
        subscription = FakeSubscription(run_id, wake)
        self.subscriptions.append(subscription)
        if after is not None:
            for recorded in self.client._all():
                if recorded.seq > after:
                    subscription.offer(recorded)
        return subscription


def _finish(work: Awaitable[T]) -> T:
    """The result of something awaitable that never really waits."""
    iterator = work.__await__()
    try:
        next(iterator)
    except StopIteration as done:
        result: T = done.value
        return result
    raise AssertionError("a fake waits for something")
