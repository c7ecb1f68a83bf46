"""What besides the `Client` protocol an engine on another machine can be asked: the workflows that it knows.

On this machine they are files, read here; there they are the engine's to read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from aethermind.engine.client import Client
from aethermind.engine.registered import StoredWorkflow

Json = Any


class WorkflowThere(msgspec.Struct, frozen=True, kw_only=True):
    """A workflow that can be run there by its name. `origin`: `registered`, `samples`, or a directory."""

    name: str
    description: str = ""
    origin: str = "registered"


class Away(Client, Protocol):
    """A client of an engine elsewhere."""

    async def workflows_there(self) -> list[WorkflowThere]:
        """Registered ones, its user's files and the samples."""
        ...

    async def workflow_there(self, name: str) -> StoredWorkflow:
        """What a name means there. Raises `NotFoundError`, `InvalidError`."""
        ...

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
        """Start it there, in that engine's directory and with its environment; gives the run's id. Raises
        `DeniedError` for one that starts programs and is not trusted there."""
        ...
