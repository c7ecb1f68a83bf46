"""The part of `RemoteClient` that runs what the engine knows by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aethermind.engine.away import WorkflowThere
from aethermind.engine.registered import StoredWorkflow
from aethermind.infra.remote.asking import part
from aethermind.infra.remote.speaking import CREATING_S, Speaking

Json = Any


class RemoteWorkflows(Speaking):
    """See `Away`."""

    async def workflows_there(self) -> list[WorkflowThere]:
        return (await self._page("/api/workflows", {"all": True}, WorkflowThere)).items

    async def workflow_there(self, name: str) -> StoredWorkflow:
        found = await self._get(f"/api/workflows/{part(name)}", {"all": True}, dict[str, Json])
        return self._record({**found, "updated_at": found.get("updated_at") or 0}, StoredWorkflow)

    async def execute(
        self,
        name: str,
        inputs: Mapping[str, Json],
        *,
        sim: bool = False,
        model: str | None = None,
        budget_micro_usd: int | None = None,
        by: str = "",
    ) -> str:
        body = {
            "inputs": dict(inputs),
            "sim": sim,
            "model": model,
            "budget_usd": None if budget_micro_usd is None else budget_micro_usd / 1_000_000,
        }
        path = f"/api/workflows/{part(name)}/execute"
        return self._field(await self._act(path, body, by=by, timeout_s=CREATING_S), "id", str)
