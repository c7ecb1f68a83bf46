"""The screen on the real engine: a simulated run from its start to its card, and attached to afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from textual.pilot import Pilot

from aethermind import bootstrap
from aethermind.engine.hosting import EngineThread
from aethermind.tui.app import AethermindApp
from aethermind.tui.context import Settings, StartIntent
from aethermind.tui.screens.card import CardScreen
from tests.tui.theatre import THEMES, lines, text

WORKFLOW = """
name: tides
inputs: {topic: string}
steps:
  - {id: plan, prompt: "Plan {{ inputs.topic }}", model: fast}
  - {id: parts, for_each: [moon, sun, sea], prompt: "On {{ item }}: {{ plan }}", model: fast}
  - {id: count, run: [wc, -w], stdin: "{{ parts }}"}
outputs: {count: "{{ count }}"}
"""
REPLIES = """
plan: {reply: three parts, delay: 1ms, tokens_per_second: 100000}
parts: {reply: "Water moves.", delay: 1ms, tokens_per_second: 100000}
"""


@pytest.fixture
def composition(tmp_path: Path) -> bootstrap.Composition:
    return bootstrap.load(bootstrap.Options(home=tmp_path / "home", sim=True))


@pytest.fixture
def engine(composition: bootstrap.Composition) -> Iterator[EngineThread]:
    thread = bootstrap.engine_thread(composition)
    thread.start()
    yield thread
    thread.stop(drain_s=0)


async def until(pilot: Pilot[int], so: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not so():
            await pilot.pause(0.01)


def app_on(engine: EngineThread, composition: bootstrap.Composition, start: StartIntent) -> AethermindApp:
    settings = Settings(theme_dirs=(THEMES,))
    return AethermindApp(engine, settings=settings, start=start, composition=composition)


async def test_a_run_from_its_start_to_its_card(
    composition: bootstrap.Composition, engine: EngineThread, tmp_path: Path
) -> None:
    file = tmp_path / "tides.yaml"
    file.write_text(WORKFLOW)
    (tmp_path / "tides.sim.yaml").write_text(REPLIES)
    loaded = bootstrap.load_workflow(composition, file)
    request = bootstrap.submission(composition, loaded, {"topic": "tides"}, cwd=tmp_path, origin="tui")
    app = app_on(engine, composition, StartIntent(request=request))
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, CardScreen))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.main_screen)
        shown = text(app)
        assert "✓ SUCCEEDED" in lines(app)[0]
        assert "sim" in lines(app)[0]
        for part in ("plan", "parts  3/3", "[0] moon", "count", "✓ done — outputs: count"):
            assert part in shown
        run_id = app.main_screen.open_run_id
        assert run_id is not None
        stored = await engine.ask(lambda client: client.run(run_id))
        held = app.bridge.run(run_id)
        assert held is not None
        assert (held.seq, held.tally.cost, held.outputs) == (stored.seq, stored.tally.cost, stored.outputs)
    later = app_on(engine, composition, StartIntent())
    async with later.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: later.main_screen.open_run_id == run_id)
        await until(pilot, lambda: "parts  3/3" in text(later))
        assert "SUCCEEDED" in lines(later)[0]
