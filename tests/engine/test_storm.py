"""A hundred agents on a provider that says 429: the real SDK against a server on loopback, a twentieth of the
time (Retry-After 0.1 s for 1 s instead of 2 s for 20 s)."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter

from aethermind.domain.events import AttemptFailed, CallStarted, LogWritten
from aethermind.domain.workflow import Prompt, Retry, StepDef
from aethermind.engine.governor import Governor
from aethermind.engine.lane import LaneLimits
from aethermind.infra.clock import SystemClock
from aethermind.infra.config import load_config
from aethermind.infra.providers.lanes import Lanes
from aethermind.infra.providers.models import ConfiguredModels
from tests.engine.harness import Harness, workflow
from tests.servers.http import HttpServer, Reply, Request, serve
from tests.servers.wires import Chat

AGENTS = 100
WINDOW_MS = 100
STORM_S = 1.0


def models_of(server: HttpServer) -> ConfiguredModels:
    environ = {"OPENAI_BASE_URL": f"{server.url}/v1", "OPENAI_API_KEY": "sk-storm-0123456789abcdef"}
    return ConfiguredModels(load_config(environ))


def agents(count: int, models: tuple[str, ...] = ("openai:m-1",), tries: int = 4) -> list[StepDef]:
    retry = Retry(max_attempts=tries, backoff_ms=1)
    return [
        StepDef(id=f"s{n}", action=Prompt(template="x", models=models), retry=retry) for n in range(count)
    ]


async def test_a_hundred_agents_wait_out_a_storm_with_one_probe_per_window() -> None:
    wire = Chat()
    refused: list[float] = []
    began = 0.0

    async def handler(_request: Request, reply: Reply) -> None:
        nonlocal began
        now = time.monotonic()
        began = began or now
        if now - began < STORM_S:
            refused.append(now - began)
            body = wire.error("slow down", code="rate_limit_exceeded")
            await reply.whole(429, body, "application/json", retry_after_ms=str(WINDOW_MS))
            return
        await reply.start(200, wire.content_type)
        await reply.send(*wire.chunks("fine"))
        await reply.end()

    async with (
        serve(handler) as server,
        Harness(models=models_of(server), max_concurrent=AGENTS, clock=SystemClock()) as h,
    ):
        run = await asyncio.wait_for(h.run(workflow(*agents(AGENTS)), simulated=False), 60)
        events = [item.event for item in await h.store.read_all(0, limit=100_000)]
    assert run.status == "succeeded", run.error
    assert {node.output for node in run.nodes.values()} == {"fine"}
    burst = LaneLimits().concurrency
    probes = refused[burst:]
    assert len(probes) <= STORM_S * 1000 / WINDOW_MS
    assert all(after - before >= WINDOW_MS / 1000 * 0.9 for before, after in itertools.pairwise(probes))
    assert len(server.requests) <= AGENTS + len(refused) <= 2 * AGENTS
    assert len([e for e in events if isinstance(e, CallStarted)]) == len(server.requests)
    assert len([e for e in events if isinstance(e, AttemptFailed)]) == len(refused)
    noted = [e.message for e in events if isinstance(e, LogWritten) and "lane" in e.metadata]
    assert noted[0].startswith("openai:m-1: the provider limits the rate: 429: ")
    assert noted[-1] == "openai:m-1: answers again"


async def test_a_broken_provider_is_left_alone_and_a_chain_goes_on_at_once() -> None:
    wire = Chat()
    asked: Counter[str] = Counter()

    async def handler(request: Request, reply: Reply) -> None:
        model = request.json["model"]
        asked[model] += 1
        if model == "broken":
            await reply.whole(503, wire.error("down"), "application/json")
            return
        await reply.start(200, wire.content_type)
        await reply.send(*wire.chunks("fine"))
        await reply.end()

    async with serve(handler) as server:
        models = models_of(server)
        clock = SystemClock()
        lanes = Lanes(load_config({}), models)
        governor = Governor(
            clock, limits=lambda _m: LaneLimits(failures=3, concurrency=1), account=lanes.account
        )
        async with Harness(models=models, max_concurrent=20, clock=clock, governor=governor) as h:
            chained = agents(20, ("openai:broken", "openai:whole"))
            run = await asyncio.wait_for(h.run(workflow(*chained), simulated=False), 30)
            alone = await asyncio.wait_for(
                h.run(workflow(*agents(1, ("openai:broken",), 1)), simulated=False), 30
            )
            state = {lane.lane: lane for lane in await h.client.lanes()}["openai:broken"]
    assert run.status == "succeeded", run.error
    assert asked == {"broken": 3, "whole": 20}
    error = alone.nodes["s0"].error
    assert error is not None
    assert (error.kind, error.retryable) == ("circuit_open", True)
    assert "asked again in" in error.message
    assert "503" in error.message
    assert (state.state, state.why) == ("closed", "circuit")
