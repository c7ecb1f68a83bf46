"""What tests of the day's budget share: runs on a paid vendor, a clock, and the sums of a journal."""

from __future__ import annotations

import asyncio
from typing import Any

from aethermind.domain.events import (
    AttemptLost,
    CallFailed,
    CallFinished,
    CallStarted,
    Recorded,
)
from aethermind.domain.ids import run_id_of
from aethermind.domain.run import Run
from aethermind.domain.workflow import Prompt, StepDef
from tests.engine.harness import Harness, StepClock, workflow
from tests.engine.paid import Paid, PaidModels, Tariff

Call = tuple[str, str, int, int]
"""Run, step, attempt, number."""


def paid(provider: Paid | None = None, **more: Any) -> Harness:
    return Harness(models=PaidModels(provider or Paid()), prices=Tariff(), **more)


def ask(step: str, *, most: int = 100, model: str = "paid:m", **fields: Any) -> StepDef:
    return StepDef(
        id=step, action=Prompt(template=step, models=(model,), settings={"max_tokens": most}), **fields
    )


async def begin(h: Harness, *steps: StepDef, **more: Any) -> str:
    return await h.start(workflow(*steps), simulated=False, **more)


async def rest(h: Harness, run_id: str) -> Run:
    return await asyncio.wait_for(h.client.wait(run_id), 20)


async def seen(h: Harness, run_id: str, kind: type, count: int = 1) -> None:
    """Until so many of these have been recorded of the run."""
    found = 0
    async with asyncio.timeout(20):
        async for item in h.client.feed(after=0, run_id=run_id):
            found += isinstance(item, Recorded) and isinstance(item.event, kind)
            if found == count:
                return


def check_ledger(history: list[Recorded], *, day: int, runs: dict[str, int]) -> None:
    """At no moment had more been spent, reserved or perhaps spent than the day and the runs allowed."""
    flying: dict[Call, int] = {}
    gone: dict[str, int] = dict.fromkeys(runs, 0)
    for item in history:
        event, run = item.event, run_id_of(item.stream) or ""
        if isinstance(event, CallStarted):
            flying[run, event.step, event.attempt, event.call] = event.reserved_micro_usd or 0
        elif isinstance(event, CallFinished | CallFailed):
            reserved = flying.pop((run, event.step, event.attempt, event.call))
            if event.cost is not None:
                gone[run] += reserved if event.cost.micro_usd is None else event.cost.micro_usd
        elif isinstance(event, AttemptLost):
            for key in [k for k in flying if k[:3] == (run, event.step, event.attempt)]:
                gone[run] += flying.pop(key)
        else:
            continue
        held = dict(gone)
        for key, reserved in flying.items():
            held[key[0]] += reserved
        assert sum(held.values()) <= day
        for run_id, cap in runs.items():
            assert held[run_id] <= cap


class Clock(StepClock):
    """Goes on with the monotonic clock, from any moment; may be moved."""

    def __init__(self, start: int = StepClock.START) -> None:
        super().__init__()
        self._moved = start - StepClock.START

    def now(self) -> int:
        return super().now() + self._moved

    def skip(self, ms: int) -> None:
        self._moved += ms
