"""The library of an engine that knows no files: texts that are sent, and what is registered."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from aethermind.definitions.loader import LoadedWorkflow, load_text
from aethermind.domain.errors import NotFoundError
from aethermind.domain.events import Submitter
from aethermind.engine.client import RunRequest
from aethermind.engine.registered import StoredWorkflow, trust_path

Json = Any


class Texts:
    """See `Library`. `cwd`: where runs take place that name no directory."""

    def __init__(self, *, user: str, cwd: str) -> None:
        self._user = user
        self._cwd = cwd

    def listed(self) -> list[dict[str, Json]]:
        return []

    def load(self, name: str) -> LoadedWorkflow:
        raise NotFoundError(f"there is no workflow {name!r}", hint="GET /api/workflows")

    def read(self, text: str, name: str) -> LoadedWorkflow:
        return load_text(text, name)

    def ships(self, path: str) -> bool:
        return False

    def interpreter(self, cwd: str) -> str:
        return sys.executable

    def environment(self, names: Sequence[str]) -> dict[str, str]:
        return {name: os.environ[name] for name in names if name in os.environ}

    def programs(self, model: str) -> Sequence[str]:
        return ()

    def check_model(self, model: str) -> None:
        """Raises `InvalidError`."""

    def request(
        self,
        loaded: LoadedWorkflow | StoredWorkflow,
        inputs: Mapping[str, Json],
        *,
        by: str,
        cwd: str | None = None,
        sim: bool = False,
        model: str | None = None,
        budget_micro_usd: int | None = None,
        priority: int | None = None,
        limit: int | None = None,
        tags: Mapping[str, str] = {},
    ) -> RunRequest:
        if model is not None:
            self.check_model(model)
        where = cwd or self._cwd
        if isinstance(loaded, LoadedWorkflow):
            source, source_hash = loaded.path, loaded.content_hash or None
        else:
            source, source_hash = trust_path(loaded.name), loaded.definition_hash
        return RunRequest(
            definition=loaded.definition,
            inputs=dict(inputs),
            submitter=Submitter(
                user=self._user,
                cwd=where,
                interpreter=self.interpreter(where),
                env_names=loaded.env_names,
                origin="api",
            ),
            env=self.environment(loaded.env_names),
            by=by,
            priority=priority,
            simulated=sim,
            model=model,
            budget_micro_usd=budget_micro_usd,
            limit=limit,
            source=source,
            source_hash=source_hash,
            sim=loaded.sim,
            tags=dict(tags),
        )
