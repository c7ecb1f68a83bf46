"""`RemoteClient`: the `Client` protocol on an engine in another process, here or elsewhere."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from aethermind.domain.errors import EndedError
from aethermind.domain.events import Recorded
from aethermind.domain.ids import run_stream
from aethermind.domain.run import Run
from aethermind.domain.workflow import WorkflowDef
from aethermind.engine.client import Client, FeedItem, RunRequest
from aethermind.engine.info import EngineInfo
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
from aethermind.infra.remote import reading
from aethermind.infra.remote.access import RemoteAccess
from aethermind.infra.remote.asking import ANSWER_S, part
from aethermind.infra.remote.feed import RemoteFeed
from aethermind.infra.remote.reading import Strange
from aethermind.infra.remote.speaking import CREATING_S
from aethermind.infra.remote.there import RemoteWorkflows

Json = Any
T = TypeVar("T")
EVENTS = 2_000
"""So many events of a run are asked for at once."""
LINES = 1_000
"""A page has so many lines at most."""
MARK = "attached.request"
"""Tag of a run: the key of the request that started it, by which it is known again."""
RECENT = 50
"""A run that was started just now is among so many."""
SUCCESSORS = 10
"""So many engines may end, one after the other, under the hands of somebody who waits."""
WAIT_S = 25.0
"""The engine answers a wait after so long, though nothing was settled: a line that is silent for longer is
dead."""


class RemoteClient(RemoteAccess, RemoteWorkflows):
    """See `Client` and `Away`. Nothing here ends with the client: the engine and its runs go on."""

    async def engine_info(self, *, timeout_s: float = ANSWER_S) -> EngineInfo:
        return await self._get("/api/engine", {}, EngineInfo, timeout_s=timeout_s)

    async def stop_engine(self, *, by: str = "") -> None:
        await self._act("/api/engine/stop", {}, by=by)

    # --- acting --------------------------------------------------------------------------------

    async def start_run(self, request: RunRequest) -> str:
        if self.beside is None:
            return await self._created("/api/runs", request, by=request.by)
        key = uuid.uuid4().hex
        marked = msgspec.structs.replace(request, tags={**request.tags, MARK: key})
        for left in reversed(range(SUCCESSORS)):
            try:
                return await self._created("/api/runs", marked, by=request.by, key=key)
            except EndedError:
                if not left:
                    raise
                async with self.beside() as database:
                    if database is not None:  # nobody owns it: what is not in it has not been done
                        if (begun := await _begun(database, key)) is not None:
                            return begun
                        raise
        raise AssertionError

    async def cancel(self, run_id: str, *, step: str | None = None, by: str = "", reason: str = "") -> None:
        await self._act(_run(run_id, "cancel"), {"step": step, "reason": reason}, by=by)

    async def pause(self, run_id: str, *, by: str = "") -> None:
        await self._act(_run(run_id, "pause"), {}, by=by)

    async def resume(self, run_id: str, *, by: str = "", env: Mapping[str, str] | None = None) -> None:
        await self._act(_run(run_id, "resume"), {"env": env}, by=by)

    async def retry(
        self,
        run_id: str,
        *,
        steps: Sequence[str] = (),
        by: str = "",
        env: Mapping[str, str] | None = None,
    ) -> None:
        await self._act(_run(run_id, "retry"), {"steps": list(steps), "env": env}, by=by)

    async def edited(self, run_id: str, definition: WorkflowDef) -> tuple[str, ...]:
        found = await self._asking.act(
            _run(run_id, "edited"), {"definition": definition}, timeout_s=CREATING_S
        )
        return tuple(self._field(found, "kept", list[str]))

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
        body = {
            "definition": definition,
            "env": env,
            "source_hash": source_hash,
            "env_names": list(env_names),
        }
        await self._act(_run(run_id, "resume-edited"), body, by=by, timeout_s=CREATING_S)

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
        body = {
            "at": at,
            "definition": definition,
            "inputs": inputs,
            "outputs": outputs,
            "model": model,
            "budget_micro_usd": budget_micro_usd,
            "env": env,
        }
        return await self._created(_run(run_id, "fork"), body, by=by)

    async def raise_budget(self, run_id: str, micro_usd: int, *, by: str = "") -> None:
        await self._act(_run(run_id, "budget"), {"micro_usd": micro_usd}, by=by)

    async def raise_day_budget(self, micro_usd: int, *, simulated: bool = False, by: str = "") -> None:
        await self._act("/api/day-budget", {"micro_usd": micro_usd, "simulated": simulated}, by=by)

    async def drain(self, seconds: float) -> None:
        """Nothing: leaving an engine that is not ours stops nothing there."""

    async def answer(self, run_id: str, step: str, values: Mapping[str, Json], *, by: str = "") -> None:
        await self._act(_run(run_id, "answer"), {"step": step, "values": dict(values)}, by=by)

    async def trust(self, path: str, sha256: str | None, *, by: str = "") -> None:
        await self._act("/api/trust", {"path": path, "sha256": sha256}, by=by)

    # --- looking -------------------------------------------------------------------------------

    async def find_run(self, ref: str) -> str:
        found = await self._get(f"/api/runs/{part(ref)}/id", {}, dict[str, Json])
        return self._field(found, "id", str)

    async def run(self, run_id: str) -> Run:
        return await self._surviving(run_id, lambda: self._folded(run_id))

    async def _folded(self, run_id: str) -> Run:
        run = Run(run_id)
        after: int | None = 0
        while after is not None:
            found, after = await self._events(_run(run_id, "events"), {"after": after, "limit": EVENTS})
            for recorded in found:
                run.fold(recorded)
        return run

    async def _surviving(self, run_id: str, ask: Callable[[], Awaitable[Run]]) -> Run:
        """The answer; or if the engine of this machine has ended, the run as it left it, unless another one
        has taken over: then that is asked.
        """
        for left in reversed(range(SUCCESSORS)):
            try:
                return await ask()
            except EndedError:
                if self.beside is None or not left:
                    raise
                async with self.beside() as database:
                    if database is not None:
                        return await database.run(run_id)
        raise AssertionError

    async def events(self, *, after: int = 0, run_id: str | None = None, limit: int = 1000) -> list[Recorded]:
        stream = None if run_id is None else run_stream(run_id)
        return (await self._events("/api/events", {"after": after, "stream": stream, "limit": limit}))[0]

    async def last_seq(self) -> int:
        found = await self._get("/api/engine", {}, dict[str, Json])
        return self._field(found, "last_seq", int)

    async def _events(self, path: str, query: Mapping[str, Json]) -> tuple[list[Recorded], int | None]:
        data = await self._asking.get(path, query)
        try:
            page = reading.events(data)
            return [reading.recorded(envelope) for envelope in page.items], page.next
        except Strange as error:
            raise self._strange(error) from error

    async def wait(self, run_id: str) -> Run:
        return await self._surviving(run_id, lambda: self._settled(run_id))

    async def _settled(self, run_id: str) -> Run:
        while True:
            found = await self._get(
                _run(run_id, "wait"),
                {"timeout_s": int(WAIT_S)},
                dict[str, Json],
                timeout_s=WAIT_S + 15,
                unending=not self.attached.local,
            )
            if self._field(found, "settled", bool):
                return await self._folded(run_id)

    def feed(self, *, after: int | None = None, run_id: str | None = None) -> AsyncIterator[FeedItem]:
        return RemoteFeed(
            self._asking, after=after, run_id=run_id, batch_ms=self._batch_ms, beside=self.beside
        ).follow()

    async def runs(self, where: RunFilter, *, limit: int = 50, cursor: str | None = None) -> Page[RunRow]:
        query = {**_given(where), "limit": min(limit, LINES), "cursor": cursor}
        return await self._page("/api/runs", query, RunRow)

    async def calls(self, run_id: str, *, limit: int = 1000, cursor: str | None = None) -> Page[CallRow]:
        return await self._page(
            _run(run_id, "calls"), {"limit": min(limit, LINES), "cursor": cursor}, CallRow
        )

    async def logs(self, where: LogFilter, *, limit: int = 200, cursor: str | None = None) -> Page[LogRow]:
        return await self._page(
            "/api/logs", {**_given(where), "limit": min(limit, LINES), "cursor": cursor}, LogRow
        )

    async def costs(self, where: CostFilter) -> list[CostRow]:
        return (await self._page("/api/costs", _given(where), CostRow)).items

    async def agents(self) -> list[AgentRow]:
        return (await self._page("/api/agents", {}, AgentRow)).items

    async def workflows(self) -> list[WorkflowRow]:
        return (await self._page("/api/workflows", {}, WorkflowRow)).items

    async def models(self) -> list[ModelInfo]:
        return (await self._page("/api/models", {}, ModelInfo)).items

    async def lanes(self) -> list[LaneState]:
        return (await self._page("/api/lanes", {}, LaneState)).items

    async def partials(self, run_id: str) -> list[Partial]:
        return (await self._page(_run(run_id, "partials"), {}, Partial)).items

    async def day_budget(self, *, simulated: bool = False) -> LedgerRow:
        return await self._get("/api/day-budget", {"simulated": simulated}, LedgerRow)

    async def trusted(self, path: str, sha256: str | None) -> bool:
        found = await self._get("/api/trust", {"path": path, "sha256": sha256}, dict[str, Json])
        return self._field(found, "trusted", bool)


def _run(run_id: str, what: str) -> str:
    return f"/api/runs/{part(run_id)}/{what}"


async def _begun(database: Client, key: str) -> str | None:
    """The run that a request with this key has started, if it came so far."""
    for row in (await database.runs(RunFilter(), limit=RECENT)).items:
        if (await database.run(row.id)).created.tags.get(MARK) == key:
            return row.id
    return None


def _given(where: msgspec.Struct) -> dict[str, Json]:
    """What a filter says that is not its default."""
    defaults = type(where)()
    return {
        name: getattr(where, name)
        for name in where.__struct_fields__
        if getattr(where, name) != getattr(defaults, name)
    }
