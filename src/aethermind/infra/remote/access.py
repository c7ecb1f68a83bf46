"""The part of `RemoteClient` that is about access, acts and what is registered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aethermind import wire
from aethermind.domain.errors import DeniedError
from aethermind.domain.system_events import Scope
from aethermind.domain.workflow import AgentDef, WorkflowDef
from aethermind.engine.access import AuditRow, AuditVerdict, NewToken, TokenRow
from aethermind.engine.queries import Page
from aethermind.engine.registered import StoredAgent, StoredWorkflow
from aethermind.infra.remote.asking import part
from aethermind.infra.remote.speaking import Speaking

Json = Any


class RemoteAccess(Speaking):
    """See `Client`."""

    async def create_token(
        self, name: str, *, scope: Scope = "viewer", expires_at: int | None = None, by: str = ""
    ) -> NewToken:
        expires = None if expires_at is None else wire.iso(expires_at)
        body = {"name": name, "scope": scope, "expires_at": expires}
        return self._record(await self._act("/api/tokens", body, by=by), NewToken)

    async def tokens(self) -> list[TokenRow]:
        return (await self._page("/api/tokens", {}, TokenRow)).items

    async def revoke_token(self, token_id: str, *, by: str = "") -> None:
        await self._act(f"/api/tokens/{part(token_id)}", None, by=by, method="DELETE")

    async def authenticate(self, token: str) -> TokenRow:
        raise DeniedError("a token is checked by the engine that gave it")

    async def audit(self, *, limit: int = 50, cursor: str | None = None) -> Page[AuditRow]:
        return await self._page("/api/audit", {"limit": min(limit, 1_000), "cursor": cursor}, AuditRow)

    async def verify_audit(self, head: str | None = None) -> AuditVerdict:
        return await self._get("/api/audit/verify", {"head": head}, AuditVerdict)

    async def agent(self, name: str) -> StoredAgent:
        return await self._get(f"/api/agents/{part(name)}", {}, StoredAgent)

    async def put_agent(
        self, name: str, definition: AgentDef, *, by: str = "", env_names: Sequence[str] = ()
    ) -> StoredAgent:
        body = {"definition": definition, "env_names": list(env_names)}
        found = await self._act(f"/api/agents/{part(name)}", body, by=by, method="PUT")
        return self._record(found, StoredAgent)

    async def remove_agent(self, name: str, *, by: str = "") -> None:
        await self._act(f"/api/agents/{part(name)}", None, by=by, method="DELETE")

    async def workflow(self, name: str) -> StoredWorkflow:
        return await self._get(f"/api/workflows/{part(name)}", {}, StoredWorkflow)

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
        body = {
            "definition": definition,
            "text": text,
            "env_names": list(env_names),
            "sim": sim or {},
            "trusted": trusted,
        }
        found = await self._act(f"/api/workflows/{part(definition.name)}", body, by=by, method="PUT")
        return self._record(found, StoredWorkflow)

    async def remove_workflow(self, name: str, *, by: str = "") -> None:
        await self._act(f"/api/workflows/{part(name)}", None, by=by, method="DELETE")
