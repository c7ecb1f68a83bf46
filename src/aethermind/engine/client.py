"""The one protocol that every screen and command speaks. `LocalClient` is the embedded engine;
a remote engine is the same protocol over a socket.

All methods are safe to call from the loop the client was made for. `RUN` arguments are full ids
(`find_run` resolves prefixes and `last`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Literal, Protocol, runtime_checkable

import msgspec

from aethermind.domain.events import Recorded, Submitter
from aethermind.domain.run import Run
from aethermind.domain.workflow import AgentDef, WorkflowDef
from aethermind.engine.access import AuditRow, AuditVerdict, NewToken, Scope, TokenRow
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
from aethermind.engine.registered import StoredAgent, StoredWorkflow

Json = Any


class TokenDelta(msgspec.Struct, frozen=True):
    """A droppable signal: text of a call in flight. `offset` is the number of characters before it, so
    that a gap can be seen; it has no seq and is not recorded.
    """

    run_id: str
    step: str
    attempt: int
    call: int
    offset: int
    text: str
    reasoning: bool = False


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """A signal that no reader misses: what a person is to hear of the engine at once, in one line.

    `held`: the store can't record, nothing new starts · `over`: it can again · `warning`: neither, but it
    may become worse · `dropped`: the run `run_id` is not driven here any more · `lost`: the line to an engine
    elsewhere, of which nothing is known now · `found`: it is there again, and what was missed comes."""

    kind: Literal["held", "over", "warning", "dropped", "lost", "found"]
    message: str
    run_id: str | None = None
    """None: of all."""


Signal = TokenDelta | Notice
FeedItem = Recorded | Signal


class RunRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a new run needs; nothing is looked up later."""

    definition: WorkflowDef
    inputs: dict[str, Json]
    submitter: Submitter
    env: Mapping[str, str] = {}
    """Values of `submitter.env_names`; held in memory, never recorded."""
    priority: int | None = None
    simulated: bool = False
    model: str | None = None
    """Overrides every model of the run."""
    budget_micro_usd: int | None = None
    limit: int | None = None
    fresh: bool = False
    """Send every call, whatever `cache` says."""
    source: str | None = None
    source_hash: str | None = None
    sim: dict[str, Json] = {}
    tags: dict[str, str] = {}
    forked_from: str | None = None
    adopted: dict[str, Json] = {}
    by: str = ""
    """Who asks, as "WHO" or "WHO via WHERE", where that is not the submitter on this machine."""


class Attachment(msgspec.Struct, frozen=True, kw_only=True):
    """The engine is another process's; leaving it stops nothing."""

    name: str
    """Where it is, for a person: `box`, `this machine`."""
    target: str
    """How it is reached: `ssh://me@box`, `unix:/…/engine.sock`."""
    local: bool
    """It is on this machine and has this user's files: paths mean the same there."""
    home: str = ""
    """Its data directory, over there."""
    pid: int = 0
    version: str = ""
    read_only: bool = False


@runtime_checkable
class Batched(Protocol):
    """A client whose feed is also to be had as it comes, many items at once: one at a time costs the engine's
    loop as much as some of what it does for them."""

    def batches(
        self, *, after: int | None = None, run_id: str | None = None
    ) -> AsyncIterator[list[FeedItem]]:
        """As `Client.feed`."""
        ...


class Client(Protocol):
    """What a user interface can ask of an engine."""

    @property
    def attached(self) -> Attachment | None:
        """None: the engine is this process's own, and ends with it."""
        ...

    async def engine_info(self) -> EngineInfo:
        """The process that drives the runs of this data. Raises `BusyError` where that can't be asked."""
        ...

    async def stop_engine(self, *, by: str = "") -> None:
        """Begin to end that process gracefully. Raises `DeniedError` for a program that embeds an engine."""
        ...

    async def start_run(self, request: RunRequest) -> str:
        """Record the run and start it; returns its id. Raises `InvalidError` (inputs, models, keys)."""
        ...

    async def find_run(self, ref: str) -> str:
        """Unambiguous prefix or `last` → full id. Raises `NotFoundError` or `InvalidError` (ambiguous)."""
        ...

    async def run(self, run_id: str) -> Run:
        """A folded copy of the run as of now (the caller may go on folding events into it;
        `Run.seq` is the seq of the last event folded).
        """
        ...

    def feed(self, *, after: int | None = None, run_id: str | None = None) -> AsyncIterator[FeedItem]:
        """Recorded events from `after` (exclusive; None: from now), catching up and then live without a gap
        or a double, plus signals; of one run or of everything.
        """
        ...

    async def events(self, *, after: int = 0, run_id: str | None = None, limit: int = 1000) -> list[Recorded]:
        """What is recorded after seq `after`, at most `limit` events and log records, in the order of seq."""
        ...

    async def last_seq(self) -> int:
        """The seq of the last thing that is recorded; 0 if there is nothing."""
        ...

    async def cancel(
        self, run_id: str, *, step: str | None = None, by: str = "", reason: str = ""
    ) -> None: ...

    async def pause(self, run_id: str, *, by: str = "") -> None: ...

    async def resume(self, run_id: str, *, by: str = "", env: Mapping[str, str] | None = None) -> None:
        """Go on with a paused or interrupted run. A finished run is left as it is."""
        ...

    async def retry(
        self,
        run_id: str,
        *,
        steps: Sequence[str] = (),
        by: str = "",
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Reopen a finished run from its failed steps (or from `steps`) and go on."""
        ...

    async def edited(self, run_id: str, definition: WorkflowDef) -> tuple[str, ...]:
        """The root steps that the run would keep if it adopted this definition; nothing is changed."""
        ...

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
        """Adopt an edited definition and go on: what has not changed and was done stays done; the rest and
        what is downstream of it runs. `source_hash`, `env_names`: of the edited file. Raises `InvalidError`
        for a run that is being driven."""
        ...

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
        """A new run that takes over what succeeded and is not downstream of step `at`, at no cost, and runs
        the rest: with changed inputs, definition, model, or outputs of steps. Gives the new run's id."""
        ...

    async def raise_budget(self, run_id: str, micro_usd: int, *, by: str = "") -> None:
        """Set the run's budget; steps that waited for it go on."""
        ...

    async def raise_day_budget(self, micro_usd: int, *, simulated: bool = False, by: str = "") -> None:
        """Set what all real (or all simulated) runs together may spend on this UTC day, and on this day only;
        steps that waited for it go on."""
        ...

    async def day_budget(self, *, simulated: bool = False) -> LedgerRow:
        """The money of this UTC day, and its cap if it has one."""
        ...

    async def drain(self, seconds: float) -> None:
        """Let what is under way end for at most so long; unfinished runs stay resumable."""
        ...

    async def answer(self, run_id: str, step: str, values: Mapping[str, Json], *, by: str = "") -> None:
        """Decide what a step waits for. Deciding the same again is fine; another decision is refused with
        `DeniedError` naming who decided.
        """
        ...

    async def wait(self, run_id: str) -> Run:
        """Until the run is finished or can't go on without a decision."""
        ...

    async def runs(self, where: RunFilter, *, limit: int = 50, cursor: str | None = None) -> Page[RunRow]: ...

    async def calls(self, run_id: str, *, limit: int = 1000, cursor: str | None = None) -> Page[CallRow]: ...

    async def logs(
        self, where: LogFilter, *, limit: int = 200, cursor: str | None = None
    ) -> Page[LogRow]: ...

    async def costs(self, where: CostFilter) -> list[CostRow]: ...

    async def agents(self) -> list[AgentRow]: ...

    async def workflows(self) -> list[WorkflowRow]: ...

    async def models(self) -> list[ModelInfo]: ...

    async def lanes(self) -> list[LaneState]:
        """Models that are being called, or may not be just now, and why."""
        ...

    async def partials(self, run_id: str) -> list[Partial]: ...

    async def create_token(
        self, name: str, *, scope: Scope = "viewer", expires_at: int | None = None, by: str = ""
    ) -> NewToken:
        """A new token of the API: the only time that its text is given. Raises `InvalidError`."""
        ...

    async def tokens(self) -> list[TokenRow]: ...

    async def revoke_token(self, token_id: str, *, by: str = "") -> None:
        """It is good for nothing any more. Raises `NotFoundError`; revoked again is fine."""
        ...

    async def authenticate(self, token: str) -> TokenRow:
        """The token's row, if it is good now. Raises `DeniedError`."""
        ...

    async def audit(self, *, limit: int = 50, cursor: str | None = None) -> Page[AuditRow]:
        """Acts of people, newest first."""
        ...

    async def verify_audit(self, head: str | None = None) -> AuditVerdict:
        """Whether the audit log is what was written. `head`: a hash noted before that must be in it."""
        ...

    async def agent(self, name: str) -> StoredAgent:
        """A registered one. Raises `NotFoundError`."""
        ...

    async def put_agent(
        self, name: str, definition: AgentDef, *, by: str = "", env_names: Sequence[str] = ()
    ) -> StoredAgent:
        """Register it, or replace what was registered under this name. Raises `InvalidError`."""
        ...

    async def remove_agent(self, name: str, *, by: str = "") -> None: ...

    async def workflow(self, name: str) -> StoredWorkflow:
        """A registered one. Raises `NotFoundError`."""
        ...

    async def put_workflow(
        self,
        definition: WorkflowDef,
        *,
        by: str = "",
        text: str | None = None,
        env_names: Sequence[str] = (),
        sim: Mapping[str, Json] | None = None,
        trusted: bool = False,
    ) -> StoredWorkflow:
        """Register it under its name, or replace what was. `text`: the file it was made from; `trusted`: it
        may start programs without another question (only where an admin said so). Raises `InvalidError`."""
        ...

    async def remove_workflow(self, name: str, *, by: str = "") -> None: ...

    async def trust(self, path: str, sha256: str | None, *, by: str = "") -> None: ...

    async def trusted(self, path: str, sha256: str | None) -> bool: ...
