"""`LocalClient`: tokens, the audit log, and the workflows and agents that are registered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import msgspec

from aethermind.domain.errors import InvalidError, NotFoundError
from aethermind.domain.events import (
    AgentRegistered,
    AgentRemoved,
    TokenCreated,
    TokenRevoked,
    WorkflowRemoved,
)
from aethermind.domain.ids import SYSTEM, agent_stream
from aethermind.domain.workflow import AgentDef, WorkflowDef
from aethermind.engine import access, registered
from aethermind.engine.access import AuditRow, AuditVerdict, Draw, NewToken, Scope, TokenRow
from aethermind.engine.engine import Engine
from aethermind.engine.queries import Page
from aethermind.engine.registered import StoredAgent, StoredWorkflow

Json = Any


class LocalAccess:
    """Part of `LocalClient`; see `Client`."""

    _engine: Engine
    draw: Draw = staticmethod(access.draw)
    """Where new tokens come from."""

    if TYPE_CHECKING:

        def _own(self) -> Engine: ...

    # --- tokens --------------------------------------------------------------------------------

    async def create_token(
        self, name: str, *, scope: Scope = "viewer", expires_at: int | None = None, by: str = ""
    ) -> NewToken:
        engine = self._own()
        access.check_new(name, scope, expires_at, engine.clock.now())
        token_id, secret = self.draw()
        token = access.written(token_id, secret)
        event = TokenCreated(
            id=token_id, name=name, sha256=access.sha256(token), scope=scope, expires_at=expires_at, by=by
        )
        await engine.record(SYSTEM, [event])
        return NewToken(id=token_id, name=name, token=token, scope=scope, expires_at=expires_at)

    async def tokens(self) -> list[TokenRow]:
        return await self._engine.store.tokens()

    async def revoke_token(self, token_id: str, *, by: str = "") -> None:
        engine = self._own()
        kept = await engine.store.token(token_id)
        if kept is None:
            raise NotFoundError(f"there is no token {token_id!r}", hint="aethermind tokens list")
        if kept.row.revoked_at is None:
            await engine.record(SYSTEM, [TokenRevoked(id=token_id, by=by)])

    async def authenticate(self, token: str) -> TokenRow:
        kept = await self._engine.store.token(access.token_id(token))
        return access.admit(token, kept, self._engine.clock.now())

    # --- audit ---------------------------------------------------------------------------------

    async def audit(self, *, limit: int = 50, cursor: str | None = None) -> Page[AuditRow]:
        return await self._engine.store.audit(limit=limit, cursor=cursor)

    async def verify_audit(self, head: str | None = None) -> AuditVerdict:
        return await self._engine.store.verify_audit(head)

    # --- agents --------------------------------------------------------------------------------

    async def agent(self, name: str) -> StoredAgent:
        found = await self._engine.store.registered_agent(name)
        if found is None:
            rows = await self._engine.store.agents()
            raise _missing("agent", name, [row.name for row in rows if row.registered])
        return registered.stored_agent(found)

    async def put_agent(
        self, name: str, definition: AgentDef, *, by: str = "", env_names: Sequence[str] = ()
    ) -> StoredAgent:
        engine = self._own()
        registered.check_agent(definition, name)
        event = AgentRegistered(
            name=name, definition=msgspec.to_builtins(definition), by=by, env_names=tuple(env_names)
        )
        await engine.record(agent_stream(name), [event])
        return await self.agent(name)

    async def remove_agent(self, name: str, *, by: str = "") -> None:
        engine = self._own()
        await self.agent(name)
        await engine.record(agent_stream(name), [AgentRemoved(name=name, by=by)])

    # --- workflows -----------------------------------------------------------------------------

    async def workflow(self, name: str) -> StoredWorkflow:
        found = await self._engine.store.registered_workflow(name)
        if found is None:
            raise _missing("workflow", name, [row.name for row in await self._engine.store.workflows()])
        return registered.stored_workflow(found)

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
        engine = self._own()
        registered.check_workflow(definition)
        if functions := registered.functions_in(definition):
            raise InvalidError(
                f"step {functions[0]} is a function of a program: only that program can keep this workflow",
                hint="python: module:function",
            )
        event = registered.workflow_registered(
            definition, by=by, text=text, env_names=tuple(env_names), sim=dict(sim or {}), trusted=trusted
        )
        await engine.record(SYSTEM, [event])
        return await self.workflow(definition.name)

    async def remove_workflow(self, name: str, *, by: str = "") -> None:
        engine = self._own()
        await self.workflow(name)
        await engine.record(SYSTEM, [WorkflowRemoved(name=name, by=by)])


def _missing(what: str, name: str, known: Sequence[str]) -> NotFoundError:
    near = get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"aethermind {what}s"
    return NotFoundError(f"no {what} {name!r} is registered", hint=hint)
