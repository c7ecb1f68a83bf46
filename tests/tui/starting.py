"""Workflows to start, and a stage that starts them: for tests of the picker and the form."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from aethermind import bootstrap
from aethermind.domain.errors import InvalidError
from aethermind.domain.usage import Cost, Usage
from aethermind.engine.ports import Estimate
from aethermind.tui.screens.picker import PickerScreen
from aethermind.tui.screens.start import StartScreen
from tests.tui import histories
from tests.tui.stage import Stage
from tests.tui.theatre import worked

KINDS = """\
name: kinds
description: All kinds of inputs.
inputs:
  topic: {type: string, description: What it is about}
  depth: {type: integer, default: 3, minimum: 1, maximum: 10}
  lang: de|en|fr
  deep: {type: boolean, default: false}
  tags: {type: array, items: string, default: [a, b]}
steps:
  - {id: a, prompt: "{{ inputs.topic }}"}
  - {id: b, model: fast, prompt: "{{ a }}"}
budget: {usd: 0.50}
"""
SHELL = "name: shell\nsteps: [{id: a, run: [echo, hi]}]\n"


class FakePrices:
    """So much for a prompt, at least and at most; models called `secret` have no price."""

    def __init__(self, low: int, high: int) -> None:
        self.low, self.high = low, high

    def estimate(self, provider: str, model: str, *, input_bytes: int, max_output_tokens: int) -> Estimate:
        if model == "secret":
            return Estimate(low_micro_usd=None, high_micro_usd=None)
        return Estimate(low_micro_usd=self.low, high_micro_usd=self.high)

    def cost(self, provider: str, model: str, usage: Usage, *, at: int) -> Cost:
        """A micro-USD a token."""
        return Cost(micro_usd=usage.total_tokens, source="config")


class FakeModels:
    def check(self, name: str) -> str:
        return name

    def check_settings(self, name: str, settings: Any) -> list[Any]:
        return []

    def __init__(self, low: int = 0, high: int = 0) -> None:
        self.prices = FakePrices(low, high)

    def programs_in(self, names: Sequence[str]) -> tuple[str, ...]:
        return ()

    def resolve(self, name: str, *, sim: bool) -> str:
        if sim:
            return f"sim:{name}"
        if name == "nokey":
            raise InvalidError("openai:x: no key for openai", hint="aethermind auth openai")
        return {"smart": "openai:gpt-6.1-sol", "fast": "openai:gpt-6-luna"}.get(name, name)


def composition(here: Path, models: FakeModels | None = None) -> Any:
    """The real one, but with models that need no key."""
    made = bootstrap.load(bootstrap.Options(home=here / "home"))
    made.__dict__ |= {"samples_dir": here / "samples", "models": models or FakeModels()}
    return made


@asynccontextmanager
async def stage(
    here: Path, *, size: tuple[int, int] = (100, 36), models: FakeModels | None = None
) -> AsyncIterator[tuple[Stage, Pilot[None]]]:
    made = Stage(histories.research(), composition=composition(here, models))
    async with made.run_test(size=size) as pilot:
        await pilot.pause()
        yield made, pilot


async def form_of(made: Stage, pilot: Pilot[None], name: str) -> StartScreen:
    await made.push_screen(PickerScreen(made.context, wanted=name))
    await pilot.pause()
    await worked(made)
    await pilot.pause()
    assert isinstance(made.screen, StartScreen)
    return made.screen
