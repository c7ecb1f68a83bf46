"""A whole engine on an in-memory store: simulated models, real expressions, schemas and children.

`Harness` is an async context manager; `run` starts a definition and waits until it rests.
"""

from __future__ import annotations

import itertools
import random
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from aethermind.definitions.expressions import JinjaExpressions
from aethermind.definitions.schemas import JsonSchemas
from aethermind.domain import invariants
from aethermind.domain.events import Recorded, Submitter
from aethermind.domain.ids import run_stream
from aethermind.domain.run import Run
from aethermind.domain.workflow import StepDef, WorkflowDef
from aethermind.engine.client import RunRequest
from aethermind.engine.concealing import NO_VEIL, Veil
from aethermind.engine.engine import Engine
from aethermind.engine.governor import Governor
from aethermind.engine.guard import Limits
from aethermind.engine.local import LocalClient
from aethermind.engine.ports import Clock, EventStore, Models, Prices
from aethermind.engine.toolbox import Tools
from aethermind.infra.children.local import LocalChildren
from aethermind.infra.config import load_config
from aethermind.infra.files import LocalFiles
from aethermind.infra.providers.models import ConfiguredModels
from aethermind.infra.providers.simulated import SimulatedProvider
from aethermind.infra.stores.memory import InMemoryStore


class StepClock:
    """A fixed date that goes on with the monotonic clock, as asyncio's timers do."""

    START = 1_767_225_600_000

    def __init__(self) -> None:
        self._zero = time.monotonic()

    def now(self) -> int:
        return self.START + int((time.monotonic() - self._zero) * 1000)

    def monotonic(self) -> float:
        return time.monotonic()


_NUMBERS = itertools.count(1)
"""Of runs: not twice the same, though a store may outlive its engine."""


class SeededChance:
    def __init__(self, seed: int = 1) -> None:
        self._random = random.Random(seed)

    def run_id(self) -> str:
        return f"r_test{next(_NUMBERS):04d}"

    def jitter(self) -> float:
        return self._random.random() * 0.01


async def no_sleep(_seconds: float) -> None:
    return None


class Kept(InMemoryStore):
    """Outlives its engine."""

    async def close(self) -> None:
        return None


class Harness:
    def __init__(
        self,
        *,
        store: EventStore | None = None,
        max_concurrent: int = 10,
        cwd: Path | None = None,
        sleep: Callable[[float], Awaitable[None]] = no_sleep,
        clock: Clock | None = None,
        prices: Prices | None = None,
        models: Models | None = None,
        day_budget: int | None = None,
        limits: Limits | None = None,
        tools: Callable[[LocalChildren], Tools] | None = None,
        veil: Veil = NO_VEIL,
        governor: Governor | None = None,
    ) -> None:
        self.governor = governor
        self._tools = tools
        self.store = store or InMemoryStore()
        self.max_concurrent = max_concurrent
        self.cwd = cwd or Path.cwd()
        self.sleep = sleep
        self.clock = clock or StepClock()
        self.prices = prices
        self.models = models
        self.day_budget = day_budget
        self.limits = limits or Limits()
        self.veil = veil

    async def __aenter__(self) -> Self:
        models = ConfiguredModels(load_config({}), simulated=SimulatedProvider(sleep=self.sleep))
        children = LocalChildren()
        self.engine = Engine(
            tools=None if self._tools is None else self._tools(children),
            store=self.store,
            models=self.models or models,
            prices=self.prices or models.prices,
            children=children,
            files=LocalFiles(),
            expressions=JinjaExpressions(),
            schemas=JsonSchemas(),
            clock=self.clock,
            chance=SeededChance(),
            scrub=str,
            max_concurrent=self.max_concurrent,
            day_budget_micro_usd=self.day_budget,
            limits=self.limits,
            veil=self.veil,
            governor=self.governor,
        )
        self.client = LocalClient(self.engine)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.engine.close(drain_s=0)

    async def start(self, definition: WorkflowDef, inputs: Mapping[str, Any] = {}, **request: Any) -> str:
        return await self.client.start_run(
            RunRequest(
                definition=definition,
                inputs=dict(inputs),
                submitter=Submitter(user="test", cwd=str(self.cwd), interpreter=sys.executable),
                **{"simulated": True, **request},
            )
        )

    async def run(self, definition: WorkflowDef, inputs: Mapping[str, Any] = {}, **request: Any) -> Run:
        run = await self.client.wait(await self.start(definition, inputs, **request))
        await self.verify(run.id)
        return run

    async def verify(self, run_id: str) -> None:
        """Replay the log event by event, the invariants checked after each."""
        run = Run(run_id)
        for recorded in await self.history(run_id):
            run.fold(recorded)
            invariants.check(run)

    async def history(self, run_id: str) -> list[Recorded]:
        return await self.store.read_stream(run_stream(run_id))


def workflow(*steps: StepDef, **fields: Any) -> WorkflowDef:
    return WorkflowDef(name="test", steps=tuple(steps), **fields)


def types(history: Sequence[Recorded]) -> list[str]:
    return [recorded.type for recorded in history]
