"""Adapters inside of the engine: what of a broken answer is recorded, what is logged, and a conversation with
a tool on the wire."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from aethermind.domain.events import CallFailed, CallFinished, LogWritten
from aethermind.domain.workflow import Prompt, Retry, StepDef
from aethermind.infra.config import load_config
from aethermind.infra.providers.models import ConfiguredModels
from aethermind.infra.secrets import Secrets
from tests.engine.harness import Harness, workflow
from tests.servers import wires
from tests.servers.http import Handler, HttpServer, Script, serve
from tests.servers.peers import ask, collect, end_of
from tests.servers.wires import WIRES, Chat, Counts, Ollama, Responses, Wire

KIND = {"chat": "openai", "responses": "openai", "anthropic": "anthropic", "ollama": "ollama"}
PRICES = "prices = {m = {input = 2.0, output = 10.0}}"


@asynccontextmanager
async def configured(
    wire: Wire, tmp_path: Path, *replies: Handler, more: str = PRICES
) -> AsyncIterator[tuple[ConfiguredModels, HttpServer]]:
    """The provider `lab`, from a config file, at a server that plays these replies."""
    async with serve(Script(replies)) as server:
        url = f"{server.url}/v1" if KIND[wire.name] == "openai" else server.url
        api = f'api = "{wire.name}"\n' if KIND[wire.name] == "openai" else ""
        path = tmp_path / "config.toml"
        path.write_text(f'[providers.lab]\nkind = "{KIND[wire.name]}"\nbase_url = "{url}"\n{api}{more}\n')
        environ = {"LAB_KEY": "lab-0123456789", "TEAM": "tides"}
        config = load_config(environ, path=path, home=tmp_path)
        key_env = {name: item.key_env for name, item in config.providers.items() if item.key_env}
        secrets = Secrets(config.environ, key_env=key_env, use_keyring=False)
        models = ConfiguredModels(config, secrets=secrets)
        try:
            yield models, server
        finally:
            await models.close()


async def ran(models: ConfiguredModels, **more: Any) -> list[Any]:
    """The events of a run of one prompt, which may be tried twice."""
    action = Prompt(template="Tides?", models=("lab:m",), **more)
    step = StepDef(id="a", action=action, retry=Retry(max_attempts=2, backoff_ms=1))
    async with Harness(models=models, prices=models.prices) as h:
        run_id = await h.start(workflow(step), simulated=False)
        run = await asyncio.wait_for(h.client.wait(run_id), 20)
        await h.verify(run_id)
        assert run.status == "succeeded"
        return [recorded.event for recorded in await h.store.read_all(0, stream=f"run/{run_id}")]


@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)
async def test_a_broken_answer_keeps_its_text_and_its_cost_is_unknown(wire: Wire, tmp_path: Path) -> None:
    counts = Counts(input=1_000, cached=0, written=0, output=200, reasoning=0)
    replies = [wires.raw(wire, wire.cut("half of it")), wires.good(wire, "Twice a day.", counts)]
    async with configured(wire, tmp_path, *replies) as (models, _):
        events = await ran(models)
    (failed,) = [event for event in events if isinstance(event, CallFailed)]
    (finished,) = [event for event in events if isinstance(event, CallFinished)]
    assert (failed.error.kind, failed.text) == ("truncated", "half of it")
    assert failed.cost is not None
    assert failed.cost.micro_usd is None, "begun, so perhaps billed: unknown, not nothing"
    assert finished.usage == wire.usage(counts)
    if not isinstance(wire, Ollama):  # on this machine it costs nothing
        assert finished.cost.micro_usd == 2_000 + 2_000


async def test_a_prompt_that_ollama_cut_is_a_line_in_the_log(tmp_path: Path) -> None:
    counts = Counts(input=8_191, cached=0, written=0, output=5, reasoning=0)
    async with configured(Ollama(), tmp_path, wires.good(Ollama(), "Hm.", counts)) as (models, _):
        events = await ran(models)
    (line,) = [e for e in events if isinstance(e, LogWritten) and e.level == "warning"]
    assert line.message.startswith("lab:m #1: m read 8191 tokens")
    assert "num_ctx: 16384" in line.message
    assert line.step == "a"


@pytest.mark.parametrize("wire", [Chat(), Responses()], ids=lambda wire: wire.name)
async def test_an_endpoint_of_ones_own(wire: Wire, tmp_path: Path) -> None:
    """Its address, API, key, headers and prices come from the config."""
    more = 'key_env = "LAB_KEY"\nheaders = {X-Team = "$TEAM"}\n' + PRICES
    async with configured(wire, tmp_path, wires.good(wire), more=more) as (models, server):
        assert models.resolve("lab:m", sim=False) == "lab:m"
        end = end_of(await collect(models.provider("lab"), ask(model="m")))
        sent = server.last
    assert sent.path == wire.path
    assert sent.headers["authorization"] == "Bearer lab-0123456789"
    assert sent.headers["x-team"] == "tides"
    assert end.usage is not None
    # 1,200·2 + 50·10: no price of its own for what came from the cache
    cost = models.prices.cost("lab", "m", end.usage, at=1_795_305_600_000)
    assert (cost.micro_usd, cost.source) == (2_900, "config")
