"""`LocalClient`: the `Client` protocol on an engine in the same event loop."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import PurePath
from typing import Any

import msgspec

from aethermind.domain.errors import BusyError, InvalidError, NotFoundError
from aethermind.domain.events import (
    AnyEvent,
    BudgetRaised,
    CancelRequested,
    EngineStopped,
    Recorded,
    RunPaused,
    RunReopened,
    TrustGranted,
)
from aethermind.domain.ids import SYSTEM, run_stream
from aethermind.domain.reopen import undone
from aethermind.domain.run import Run, fold
from aethermind.domain.state import FINISHED_RUN
from aethermind.domain.workflow import WorkflowDef
from aethermind.engine import adoption, questions
from aethermind.engine.client import Attachment, FeedItem, RunRequest
from aethermind.engine.engine import Engine
from aethermind.engine.info import EngineInfo, Host
from aethermind.engine.lane import LaneState
from aethermind.engine.local_access import LocalAccess
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

Json = Any
DECISIONS = frozenset({"paused", "parked", "waiting_answer", "waiting_budget"})
"""Stored statuses that stay true when no engine lives."""


class LocalClient(LocalAccess):
    """See `Client`. With `owner` (another process's engine owns the data) it can only look."""

    attached: Attachment | None = None

    def __init__(self, engine: Engine, *, owner: str | None = None, host: Host | None = None) -> None:
        self._engine = engine
        self.host = host or Host()
        """The process around the engine."""
        self.owner = owner
        """Who owns the data if not this process: its line for the user."""

    def _own(self) -> Engine:
        if self.owner is not None:
            raise BusyError(
                f"another aethermind owns this data: {self.owner}",
                hint="act there, or end it first; attaching comes in a later version",
            )
        return self._engine

    # --- the engine itself ---------------------------------------------------------------------

    async def engine_info(self) -> EngineInfo:
        return self.host.info(self._own().scheduler)

    async def stop_engine(self, *, by: str = "") -> None:
        engine = self._own()
        if self.host.stop is not None:
            await engine.record(SYSTEM, [EngineStopped(by=by)])
        self.host.end()

    # --- acting --------------------------------------------------------------------------------

    async def start_run(self, request: RunRequest) -> str:
        return (await self._own().start(request)).run.id

    async def cancel(self, run_id: str, *, step: str | None = None, by: str = "", reason: str = "") -> None:
        def decide(run: Run) -> list[AnyEvent]:
            if run.finished is not None:
                raise InvalidError(f"run {run_id} is already {run.finished}")
            if step is not None:
                self._step(run, step)
            return [CancelRequested(step=step, by=by, reason=reason)]

        await self._act(run_id, decide, drive=step is None)

    async def pause(self, run_id: str, *, by: str = "") -> None:
        def decide(run: Run) -> list[AnyEvent]:
            if run.finished is not None:
                raise InvalidError(f"run {run_id} is already {run.finished}")
            return [] if run.paused else [RunPaused(by=by)]

        await self._act(run_id, decide)

    async def resume(self, run_id: str, *, by: str = "", env: Mapping[str, str] | None = None) -> None:
        engine = self._own()
        await self._exists(run_id)
        await engine.resume(run_id, by=by, env=env)

    async def retry(
        self,
        run_id: str,
        *,
        steps: Sequence[str] = (),
        by: str = "",
        env: Mapping[str, str] | None = None,
    ) -> None:
        def decide(run: Run) -> list[AnyEvent]:
            if run.finished is None:
                raise InvalidError(f"run {run_id} is {run.status}", hint=f"aethermind resume {run_id}")
            for step in steps:
                self._step(run, step)
            if not steps:
                targets = undone(run, tolerated=True)
            elif run.finished == "succeeded":
                targets = tuple(steps)
            else:  # with what it failed by, or it would fail by that again
                targets = tuple(dict.fromkeys((*steps, *undone(run, tolerated=False))))
            if not targets:
                raise InvalidError(f"run {run_id} has no failed step")
            return [RunReopened(steps=targets, generation=run.generation + 1, by=by)]

        engine = self._own()
        await self._exists(run_id)
        if run_id in engine.scheduler.live:
            raise InvalidError(f"run {run_id} is still being driven")
        await engine.scheduler.reopen(run_id, decide, env=env or {}, functions=engine.functions)

    async def answer(self, run_id: str, step: str, values: Mapping[str, Json], *, by: str = "") -> None:
        engine = self._own()

        def decide(run: Run) -> list[AnyEvent]:
            node = self._step(run, step)
            events = questions.answered(node, values, by, engine.schemas, engine.clock.now())
            if events and run.finished is not None:  # what was decided before stays known
                raise InvalidError(
                    f"run {run_id} is already {run.finished}", hint=f"aethermind retry {run_id}"
                )
            return events

        await self._act(run_id, decide)

    async def edited(self, run_id: str, definition: WorkflowDef) -> tuple[str, ...]:
        return adoption.kept((await self.run(run_id)).definition, definition)

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
        engine = self._own()
        run = await self.run(run_id)
        if run_id in engine.scheduler.live:
            raise InvalidError(f"run {run_id} is being driven", hint="cancel it or let it end first")
        await engine.adopt(
            run, definition, by=by, env=env or {}, source_hash=source_hash, env_names=env_names
        )

    async def fork(
        self,
        run_id: str,
        at: str,
        *,
        definition: WorkflowDef | None = None,
        inputs: Mapping[str, Json] | None = None,
        outputs: Mapping[str, Json] | None = None,
        model: str | None = None,
        budget_micro_usd: int | None = None,
        env: Mapping[str, str] | None = None,
        by: str = "",
    ) -> str:
        engine = self._own()
        run = await self.run(run_id)
        wanted = definition or run.definition
        created = run.created
        request = RunRequest(
            definition=wanted,
            inputs={**created.inputs, **(inputs or {})},
            submitter=created.submitter,
            env=env or {},
            priority=created.priority,
            simulated=created.simulated,
            model=model,
            budget_micro_usd=budget_micro_usd,
            limit=created.limit,
            source=created.source,
            source_hash=run.source_hash if definition is None else None,
            sim=created.sim,
            tags=created.tags,
            forked_from=run_id,
            adopted=adoption.adopted(run, wanted, at, outputs or {}),
            by=by,
        )
        return (await engine.start(request)).run.id

    async def raise_budget(self, run_id: str, micro_usd: int, *, by: str = "") -> None:
        await self._act(run_id, lambda _run: [BudgetRaised(scope="run", micro_usd=micro_usd, by=by)])

    async def raise_day_budget(self, micro_usd: int, *, simulated: bool = False, by: str = "") -> None:
        engine = self._own()
        await engine.record(SYSTEM, [engine.days.raising(micro_usd, simulated=simulated, by=by)])
        await engine.days.raised()

    async def day_budget(self, *, simulated: bool = False) -> LedgerRow:
        return await self._engine.days.today(simulated=simulated)

    async def _act(
        self, run_id: str, decide: Callable[[Run], list[AnyEvent]], *, drive: bool = False
    ) -> None:
        """Decide on a live run through its mailbox; on one that nobody drives, append (or drive it)."""
        engine = self._own()
        live = engine.scheduler.live.get(run_id)
        if live is not None:
            await engine.scheduler.act(live, decide)
            return
        await self._exists(run_id)
        await engine.scheduler.act_offline(run_id, decide, drive=drive)

    async def drain(self, seconds: float) -> None:
        """Let what is under way end for at most so long; unfinished runs stay resumable."""
        await self._engine.scheduler.drain(seconds)

    # --- looking -------------------------------------------------------------------------------

    async def find_run(self, ref: str) -> str:
        store = self._engine.store
        if ref == "last":
            newest = await store.runs(RunFilter(), limit=1)
            if not newest.items:
                raise NotFoundError("there is no run yet", hint="aethermind run research-brief --sim")
            return newest.items[0].id
        prefix = ref if ref.startswith("r_") else f"r_{ref}"
        found = await store.runs(RunFilter(id_prefix=prefix), limit=5)
        exact = [row.id for row in found.items if row.id == prefix]
        if exact:
            return exact[0]
        if not found.items:
            raise NotFoundError(f"there is no run {ref!r}", hint="aethermind runs")
        if len(found.items) > 1:
            raise InvalidError(
                f"{ref!r} could be {', '.join(row.id for row in found.items)}", hint="give more of the id"
            )
        return found.items[0].id

    async def run(self, run_id: str) -> Run:
        history = await self._engine.store.read_stream(run_stream(run_id))
        if not history:
            raise NotFoundError(f"there is no run {run_id!r}", hint="aethermind runs")
        return fold(run_id, history)

    async def wait(self, run_id: str) -> Run:
        live = self._engine.scheduler.live.get(run_id)
        if live is not None:
            settled = await self._engine.scheduler.settled(live)
            if settled.finished is not None:
                return settled  # nobody changes it any more: a run that is taken up again is folded anew
        run = await self.run(run_id)
        if run.finished is None and (reason := self._engine.outage.reason(run_id)) is not None:
            raise reason
        return run

    def feed(self, *, after: int | None = None, run_id: str | None = None) -> AsyncIterator[FeedItem]:
        return self._engine.feed.follow(after=after, run_id=run_id)

    def batches(
        self, *, after: int | None = None, run_id: str | None = None
    ) -> AsyncIterator[list[FeedItem]]:
        """See `engine.client.Batched`."""
        return self._engine.feed.batches(after=after, run_id=run_id)

    async def events(self, *, after: int = 0, run_id: str | None = None, limit: int = 1000) -> list[Recorded]:
        stream = None if run_id is None else run_stream(run_id)
        return await self._engine.store.read_all(after, limit=limit, stream=stream)

    async def last_seq(self) -> int:
        return await self._engine.store.last_seq()

    async def runs(self, where: RunFilter, *, limit: int = 50, cursor: str | None = None) -> Page[RunRow]:
        wanted = where.status
        if wanted == "interrupted" or (wanted is not None and wanted not in FINISHED_RUN | DECISIONS):
            # What is stored as running may be interrupted: the overlay decides.
            where = msgspec.structs.replace(where, status=None, unfinished=True)
            page = await self._engine.store.runs(where, limit=limit, cursor=cursor)
            rows = [row for row in map(self._overlay, page.items) if row.status == wanted]
            return Page(rows, page.next)
        page = await self._engine.store.runs(where, limit=limit, cursor=cursor)
        return Page([self._overlay(row) for row in page.items], page.next)

    def _overlay(self, row: RunRow) -> RunRow:
        if row.status in FINISHED_RUN or self.owner is not None:
            return row
        live = self._engine.scheduler.live.get(row.id)
        if live is not None:
            return msgspec.structs.replace(row, status=live.run.status)
        return row if row.status in DECISIONS else msgspec.structs.replace(row, status="interrupted")

    async def calls(self, run_id: str, *, limit: int = 1000, cursor: str | None = None) -> Page[CallRow]:
        return await self._engine.store.calls(run_id, limit=limit, cursor=cursor)

    async def logs(self, where: LogFilter, *, limit: int = 200, cursor: str | None = None) -> Page[LogRow]:
        return await self._engine.store.logs(where, limit=limit, cursor=cursor)

    async def costs(self, where: CostFilter) -> list[CostRow]:
        return await self._engine.store.costs(where)

    async def agents(self) -> list[AgentRow]:
        return await self._engine.store.agents()

    async def workflows(self) -> list[WorkflowRow]:
        return await self._engine.store.workflows()

    async def models(self) -> list[ModelInfo]:
        return self._engine.models.list()

    async def lanes(self) -> list[LaneState]:
        return await self._engine.lanes()

    async def partials(self, run_id: str) -> list[Partial]:
        return await self._engine.store.partials(run_id)

    # --- trust ---------------------------------------------------------------------------------

    async def trust(self, path: str, sha256: str | None, *, by: str = "") -> None:
        await self._own().record(SYSTEM, [TrustGranted(path=path, sha256=sha256, by=by)])

    async def trusted(self, path: str, sha256: str | None) -> bool:
        """This content of this file, or a directory above it that was trusted as one's own."""
        store = self._engine.store
        if sha256 is not None and await store.trusted(path, sha256):
            return True
        here = PurePath(path)
        for directory in (here, *here.parents):
            if await store.trusted(str(directory), None):
                return True
        return False

    # --- help ----------------------------------------------------------------------------------

    async def _exists(self, run_id: str) -> None:
        if not await self._engine.store.read_stream(run_stream(run_id)):
            raise NotFoundError(f"there is no run {run_id!r}", hint="aethermind runs")

    def _step(self, run: Run, path: str) -> Any:
        node = run.nodes.get(path)
        if node is None:
            from difflib import get_close_matches

            near = get_close_matches(path, run.nodes, n=1)
            hint = f"did you mean {near[0]}?" if near else None
            raise NotFoundError(f"run {run.id} has no step {path!r}", hint=hint)
        return node
