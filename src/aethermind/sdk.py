"""The SDK's front: `open`, `AgentRuntime`, `connect`. Adapters come from the composition root."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

from aethermind import bootstrap
from aethermind.domain.events import Submitter
from aethermind.domain.usage import micro_usd
from aethermind.domain.views import diff_object
from aethermind.domain.workflow import WorkflowDef
from aethermind.engine.client import Client, RunRequest
from aethermind.engine.engine import Engine
from aethermind.engine.ports import EventStore
from aethermind.engine.results import RunResult
from aethermind.engine.runtime import Runtime

Json = Any


class AgentRuntime(Runtime):
    """An embedded engine in the caller's event loop.

    `db` a SQLite file (`:memory:` keeps nothing; None: the user's own database) · `store` any event store
    instead · `max_concurrent_executions` attempts at once · `default_timeout` seconds per attempt ·
    `default_retries` after the first attempt · `durability` `"power"` survives a loss of power, `"process"`
    the death of the process. Raises `BusyError` on entering if another process owns the database.
    """

    def __init__(
        self,
        db: str | Path | None = None,
        *,
        store: EventStore | None = None,
        max_concurrent_executions: int = 10,
        default_timeout: float | None = 600.0,
        default_retries: int = 3,
        durability: str | None = None,
        home: str | Path | None = None,
    ) -> None:
        composition = bootstrap.load(bootstrap.Options(home=home))
        self.composition = composition

        @asynccontextmanager
        async def open_engine() -> AsyncIterator[Engine]:
            if db is None and store is None:
                composition.config.make_home()
            opened = bootstrap.open_engine(
                composition,
                db if db is not None else composition.database,
                store=store,
                durability=durability,
                max_concurrent=max_concurrent_executions,
            )
            async with opened as engine:
                yield engine

        super().__init__(
            open_engine,
            request=lambda target, inputs, options: request(composition, target, inputs, options),
            default_timeout=default_timeout,
            default_retries=default_retries,
        )


def request(
    composition: bootstrap.Composition,
    target: str | Path | WorkflowDef,
    inputs: Mapping[str, Json],
    options: Mapping[str, Any],
) -> RunRequest:
    """A run of a definition, a file or a known name, submitted from this process. Code that calls the SDK
    is trusted to know what it starts."""
    dollars = options.get("budget_usd")
    budget = None if dollars is None else micro_usd(Decimal(str(dollars)))
    common: dict[str, Any] = {
        "priority": options.get("priority"),
        "model": options.get("model"),
        "budget_micro_usd": budget,
    }
    sim = bool(options.get("sim"))
    if isinstance(target, WorkflowDef):
        return RunRequest(
            definition=target,
            inputs=dict(inputs),
            submitter=_submitter(composition, os.getcwd()),  # noqa: PTH109 - for each run: ten times as fast
            simulated=sim,
            **common,
        )
    loaded = bootstrap.load_workflow(composition, target)
    return bootstrap.submission(composition, loaded, inputs, sim=sim, origin="sdk", **common)


@lru_cache(maxsize=16)
def _submitter(composition: bootstrap.Composition, cwd: str) -> Submitter:
    return bootstrap.submitter(composition, cwd=cwd, origin="sdk")


class Session:
    """What `aethermind.open()` gives: run things and look at what ran. `client` does all that the command
    line does: list, fork, retry, answer, cancel."""

    def __init__(self, composition: bootstrap.Composition, client: Client) -> None:
        self._composition = composition
        self.client = client

    async def run(
        self,
        workflow: str | Path | WorkflowDef,
        inputs: Mapping[str, Json] | None = None,
        *,
        sim: bool = False,
        model: str | None = None,
        budget_usd: float | None = None,
        priority: int | None = None,
        **named: Json,
    ) -> RunResult:
        """Run a file, a sample or a definition to its end; inputs as a mapping or by name."""
        options = {"sim": sim, "model": model, "budget_usd": budget_usd, "priority": priority}
        given = {**(inputs or {}), **named}
        run_id = await self.client.start_run(request(self._composition, workflow, given, options))
        return RunResult(await self.client.wait(run_id))

    async def resume(self, run_id: str) -> RunResult:
        """Go on with an interrupted or paused run; a finished one gives its result."""
        full = await self.client.find_run(run_id)
        await self.client.resume(full, by="sdk")
        return RunResult(await self.client.wait(full))

    async def diff(self, left: str, right: str) -> dict[str, Json]:
        """Two runs side by side, by id, its beginning or `last`: what `aethermind diff --json` prints, with
        each run's recorded status. Money is micro-USD, durations ms. Raises `NotFoundError`, `InvalidError`.
        """
        runs = [await self.client.run(await self.client.find_run(ref)) for ref in (left, right)]
        return diff_object(*runs)


@asynccontextmanager
async def open(home: str | Path | None = None) -> AsyncIterator[Session]:
    """The user's own database: an engine in this event loop, to which terminals can attach; or, if another
    process owns the data, that one's. Raises `BusyError` if the owner is silent for two seconds."""
    composition = bootstrap.load(bootstrap.Options(home=home))
    composition.host.origin = "sdk"
    async with bootstrap.open_client(composition) as client:
        if client.attached is not None:
            yield Session(composition, client)
            return
        async with bootstrap.open_door(composition, client):
            yield Session(composition, client)


@asynccontextmanager
async def connect(target: str, *, token: str | None = None, read_only: bool = False) -> AsyncIterator[Client]:
    """The engine at `target`: `unix:PATH`, `ssh://[user@]host[:port]` (through the system's `ssh`) or
    `http(s)://host[:port]` (with `token`, or that of `AETHERMIND_TOKEN` or the keyring). The client
    reconnects by itself; leaving the block stops nothing there.

    Raises `InvalidError` for what is no target, `BusyError` if nobody answers or another version does,
    `DeniedError` without a good token.
    """
    composition = bootstrap.load(bootstrap.Options(read_only=read_only))
    async with bootstrap.attach(composition, target, token=token) as client:
        yield client


__all__ = ["AgentRuntime", "Session", "connect", "open"]
