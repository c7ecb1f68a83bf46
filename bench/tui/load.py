"""What the engine has to do while its screen is measured: real runs of functions that keep to a pace."""

from __future__ import annotations

import asyncio
import random
import time
from typing import Any

from aethermind import StepContext
from aethermind.domain.workflow import Function, InputDef, StepDef, WorkflowDef
from aethermind.engine.engine import Engine
from aethermind.engine.local import LocalClient
from bench.engine.lag import wave
from bench.engine.ours import request
from tests.hostile import HOSTILE

EVENTS_PER_STEP = 2
"""Started and succeeded."""
WIDE = {"wide": 5_000, "vast": 50_000}
"""Steps of a run that is watched."""
_TURN_S = 0.01
_WORDS = ("fetching", "page", "of", "the", "answer", "with", "tokens", "retrying", "cache", "plan accepted")
_chance = random.Random(3)
SAID = tuple(" ".join(_chance.choices(_WORDS, k=_chance.randint(3, 12))) for _ in range(997))
"""Lines that have little in common: what differs from the line above has to be sent."""


class Pace:
    """Lets so many pass in a second; `per_s` may change at any time, 0 lets nobody pass."""

    def __init__(self) -> None:
        self.per_s = 0.0
        self._due = 0.0

    async def take(self) -> None:
        while not self.per_s:  # noqa: ASYNC110 - whoever sets the pace is no task
            await asyncio.sleep(_TURN_S)
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._due = max(self._due + 1 / self.per_s, now - 0.1)
        if self._due - now > 0.001:
            await asyncio.sleep(self._due - now)


class Load:
    """Functions of the bench, registered with an engine, and the orders to them."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._pace = Pace()
        self._lines_per_s = 0.0
        self.made = 0
        """Events (or log lines) so far."""
        for name, function in (
            ("step", self._step),
            ("chatter", self._chatter),
            ("noop", self._noop),
            ("bench", self._noop),  # that of `wave`
            ("wordy", self._wordy),
            ("hostile", self._hostile),
        ):
            engine.register(name, function)

    # --- functions -----------------------------------------------------------------------------

    async def _noop(self, ctx: StepContext) -> Any:
        return {"n": ctx.index}

    async def _step(self, ctx: StepContext) -> Any:
        await self._pace.take()
        self.made += EVENTS_PER_STEP
        return {"n": ctx.index}

    async def _chatter(self, ctx: StepContext) -> Any:
        loop = asyncio.get_running_loop()
        due, said = loop.time(), 0.0
        while self._lines_per_s:
            said += self._lines_per_s * _TURN_S
            for _ in range(int(said)):
                ctx.log(f"wave {self.made}: {SAID[self.made % len(SAID)]}")
                self.made += 1
            said -= int(said)
            due = max(due + _TURN_S, loop.time() - 0.1)
            await asyncio.sleep(max(due - loop.time(), 0))
        return None

    async def _wordy(self, ctx: StepContext) -> Any:
        for n in range(ctx.inputs["lines_each"]):
            ctx.log(f"{'fetching page' if n % 3 else 'wrote section'} {n} of {ctx.step}")
            if n % 500 == 499:
                await asyncio.sleep(0)
        return {"n": ctx.index}

    async def _hostile(self, ctx: StepContext) -> Any:
        for level in ("debug", "info", "warning", "error"):
            for text in HOSTILE:
                ctx.log(text, level=level, note=text)
        if ctx.step == "break":
            raise ValueError("".join(HOSTILE[:40]))
        return {f"{n} {text[:500]}": [text, {text[:80]: text}] for n, text in enumerate(HOSTILE)}

    # --- orders --------------------------------------------------------------------------------

    async def events(self, per_s: float, most: int) -> str:
        """A run of a fan-out over `most` items that emits so many events a second; its id."""
        self.made = 0
        self._pace.per_s = per_s / EVENTS_PER_STEP
        return await self._start(fan_out("events", "step", most))

    async def logs(self, per_s: float) -> str:
        """A run that logs so many lines a second until `quiet`; its id."""
        self.made = 0
        self._lines_per_s = per_s
        return await self._start(alone("logs", "chatter"))

    async def quiet(self) -> None:
        """End all that runs."""
        self._lines_per_s = 0
        client = LocalClient(self.engine)
        for run in [live.run for live in self.engine.scheduler.live.values()]:
            if run.finished is None:
                await client.cancel(run.id)
        self._pace.per_s = 0

    async def many(self, steps: int, lines: int) -> str:
        """A finished run of so many steps and log lines; its id."""
        run = await self.engine.start(request(large(steps, lines)))
        done = await self.engine.scheduler.settled(run)
        if done.status != "succeeded":
            raise RuntimeError(f"the large run has {done.status}")
        return done.id

    async def hostile(self) -> list[str]:
        """Runs of functions that log, return and raise hostile texts; their ids, when they have ended."""
        ids = []
        for name in ("texts", "break"):
            step = StepDef(id=name, action=Function(name="hostile"))
            flow = WorkflowDef(name=HOSTILE[0] + HOSTILE[12], description=HOSTILE[14], steps=(step,))
            live = await self.engine.start(request(flow))
            ids.append((await self.engine.scheduler.settled(live)).id)
        return ids

    async def saturate(self, seconds: float, shape: str) -> dict[str, float]:
        """As much as the engine can for so long; events, and events per CPU second of the whole process."""
        began, cpu, events = time.perf_counter(), time.process_time(), 0
        while time.perf_counter() - began < seconds:
            if shape == "crowd":
                await wave(self.engine)
                events += 200 * (2 + 5 * EVENTS_PER_STEP)
            else:
                steps = WIDE[shape]
                run = await self.engine.start(request(fan_out(shape, "noop", steps)))
                self.opened(run.run.id)
                await self.engine.scheduler.settled(run)
                events += steps * EVENTS_PER_STEP
        cpu = time.process_time() - cpu
        seconds = time.perf_counter() - began
        return {"events": events, "events_per_s": events / seconds, "events_per_cpu_s": events / cpu}

    def opened(self, run_id: str) -> None:
        """A run that is to be watched has begun."""

    async def _start(self, flow: WorkflowDef) -> str:
        return (await self.engine.start(request(flow))).run.id


def fan_out(name: str, function: str, items: int) -> WorkflowDef:
    step = StepDef(
        id="work",
        action=Function(name=function),
        for_each=list(range(items)),
        max_items=items,
        max_parallel=64,
    )
    return WorkflowDef(name=name, steps=(step,))


def large(steps: int, lines: int) -> WorkflowDef:
    """A fifth of the steps stand in the definition, in layers of up to a hundred; the others are a fan-out.
    The first layer writes the log lines."""
    across = max(min(100, steps // 10), 1)
    layers = max(steps // 5 // across, 1)
    made = [
        StepDef(
            id=f"s{layer}_{n}",
            action=Function(name="noop" if layer else "wordy"),
            depends_on=(f"s{layer - 1}_{n}", f"s{layer - 1}_{(n + 1) % across}") if layer else (),
        )
        for layer in range(layers)
        for n in range(across)
    ]
    items = steps - len(made)
    made.append(
        StepDef(id="many", action=Function(name="noop"), for_each=list(range(items)), max_items=items)
    )
    inputs = {"lines_each": InputDef(schema={"type": "integer"}, default=lines // across)}
    return WorkflowDef(name="large", steps=tuple(made), inputs=inputs)


def alone(name: str, function: str) -> WorkflowDef:
    return WorkflowDef(name=name, steps=(StepDef(id="work", action=Function(name=function)),))
