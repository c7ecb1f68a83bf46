"""The real app on a fake engine, with a clock that stands still and frames that a test asks for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from textual.app import App
from textual.pilot import Pilot
from textual.worker import WorkerCancelled

from aethermind.tui.app import AethermindApp
from aethermind.tui.context import Settings, StartIntent
from tests.tui.fakes import FakeEngine
from tests.tui.histories import T0, Script

THEMES = Path(__file__).resolve().parents[2] / "themes"
NOW = T0 + 102_000


class Wall:
    """Epoch milliseconds, as the test says."""

    def __init__(self, now: int = NOW) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


def make(
    *scripts: Script,
    wall: Wall | None = None,
    start: StartIntent | None = None,
    theme_dirs: tuple[Path, ...] = (THEMES,),
    **settings: Any,
) -> AethermindApp:
    """An app on these histories; the first one is opened unless `start` says otherwise."""
    if start is None and scripts:
        start = StartIntent(run_id=scripts[0].run_id)
    fields: dict[str, Any] = {"place": "me@box", "wall": wall or Wall(), "theme_dirs": theme_dirs, **settings}
    return AethermindApp(FakeEngine(*scripts), settings=Settings(**fields), start=start)


def engine_of(app: AethermindApp) -> FakeEngine:
    engine = app.context.engine
    assert isinstance(engine, FakeEngine)
    return engine


@asynccontextmanager
async def playing(app: AethermindApp, size: tuple[int, int] = (120, 36)) -> AsyncIterator[Pilot[int]]:
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        yield pilot


async def worked(app: App[Any]) -> None:
    """Until no worker is at work. One that was called off because a newer one does its job is no failure."""
    while [worker for worker in app.workers if not worker.is_finished]:
        with suppress(WorkerCancelled):
            await app.workers.wait_for_complete()


async def settle(pilot: Pilot[Any]) -> None:
    """Until the app has done what it had to, and has drawn it."""
    app = pilot.app
    assert isinstance(app, AethermindApp)
    await pilot.pause()
    await app.workers.wait_for_complete(
        [
            w
            for w in app.workers
            if w.group == "default" and not w.is_finished and app.screen is app.main_screen
        ]
    )
    app.frame()
    await pilot.pause()


def lines(app: AethermindApp) -> list[str]:
    """The screen as text."""
    return [strip.text for strip in app.screen._compositor.render_strips()]


def text(app: AethermindApp) -> str:
    return "\n".join(lines(app))
