"""Draws the pictures of README and tour from the running app: real engine, real samples, simulated models.

    python docs/pictures.py            (make pictures; about two minutes)

Writes docs/pictures/*.svg. The runs take place in a temporary directory; nothing is spent or kept.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from textual.pilot import Pilot

from aethermind import bootstrap
from aethermind.engine.hosting import EngineThread
from aethermind.tui.app import AethermindApp
from aethermind.tui.context import StartIntent
from aethermind.tui.launch import settings_of

HERE = Path(__file__).parent / "pictures"
WORKFLOW = "research-brief"
MIDWAY = "▸● write"
PATIENCE_S = 60.0
Show = tuple[AethermindApp, Pilot[int]]


class Studio:
    """An engine and what it takes to put a screen in front of it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.composition = bootstrap.load(bootstrap.Options(home=home / "data", sim=True))
        self.engine: EngineThread = bootstrap.engine_thread(self.composition)
        self.engine.start()

    async def start(self, name: str, **inputs: object) -> str:
        loaded = bootstrap.load_workflow(self.composition, name)
        request = bootstrap.submission(self.composition, loaded, inputs, sim=True, origin="tui")
        return await self.engine.ask(lambda client: client.start_run(request))

    @asynccontextmanager
    async def app(self, run_id: str, size: tuple[int, int] = (120, 36)) -> AsyncIterator[Show]:
        settings = replace(
            settings_of({}, {}, theme_dirs=(self.composition.themes_dir,)), place="me@box", clipboard="file"
        )
        app = AethermindApp(
            self.engine, settings=settings, start=StartIntent(run_id=run_id), composition=self.composition
        )
        async with app.run_test(size=size) as pilot:
            await until(pilot, lambda: "r_" in text(app))
            yield app, pilot

    def save(self, app: AethermindApp, name: str) -> None:
        svg = app.export_screenshot(title="aethermind")
        # The reader's own fixed-width font: a picture in a README fetches nothing.
        svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
        svg = svg.replace("Fira Code", "ui-monospace, Menlo, Consolas, DejaVu Sans Mono")
        svg = svg.replace(str(self.home), "/home/me")
        svg = svg.replace(str(self.composition.samples_dir.parent), "/opt/aethermind")
        (HERE / f"{name}.svg").write_text(svg, encoding="utf-8")
        print(name, flush=True)


def text(app: AethermindApp) -> str:
    strips = app.screen._compositor.render_strips()  # noqa: SLF001 - what is on the screen, as tests look at it
    return "\n".join(strip.text for strip in strips)


async def until(pilot: Pilot[int], so: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not so():
        if time.monotonic() > end:
            app = pilot.app
            assert isinstance(app, AethermindApp)
            sys.exit(f"this is not what was to be seen:\n{text(app)}")
        await pilot.pause(0.05)


async def go(show: Show, keys: str, word: str) -> None:
    """Press these (separated by spaces), until the word is there."""
    app, pilot = show
    for key in keys.split():
        await pilot.press(key)
    await until(pilot, lambda: word in text(app))
    await pilot.pause(0.3)


async def research(studio: Studio) -> str:
    """The main screen while it works, a step that streams, and the card at the end."""
    run_id = await studio.start(WORKFLOW, topic="the tides")
    async with studio.app(run_id) as show:
        app, pilot = show
        await until(pilot, lambda: "●▸analyze" in text(app))
        await pilot.pause(2.0)
        studio.save(app, "main")
        await go(show, "j " * 11 + "enter", "1 Answer")
        await pilot.pause(1.5)
        studio.save(app, "step")
        await go(show, "escape", "3 Trace")
        await studio.engine.ask(lambda client: client.wait(run_id))
        await go(show, "", "make your own")
        studio.save(app, "end")
    return run_id


async def finished(studio: Studio, run_id: str) -> None:
    """What there is to see of a run that is over, and of all runs."""
    other = await studio.engine.ask(lambda client: client.fork(run_id, "write", model="fast"))
    await studio.engine.ask(lambda client: client.wait(other))
    async with studio.app(run_id) as show:
        app, pilot = show
        await go(show, "3 g c", "write")
        studio.save(app, "critical")
        await go(show, "c g j j j j j j j enter", "1 Answer")
        await go(show, "6", "the same")
        studio.save(app, "changes")
        await go(show, "1 escape b", "leave it as it is")
        studio.save(app, "again")
        await pilot.pause(1.0)  # a key that comes too soon is no answer
        await go(show, "f", "takes over")
        studio.save(app, "fork")
        for keys, word, name in (
            ("escape D", "waits", "layers"),
            ("escape 5", "burn rate", "cost"),
            ("C s", "sim:smart", "spending"),
            ("escape O", "FOLLOW", "logs"),
            ("z 3 v" + " right" * 30, "REPLAY", "replay"),
            ("escape m", "3 Trace", ""),
            ("r", "Run a workflow", "picker"),
            ("enter", "simulate", "form"),
            ("escape escape ctrl+p", "an action", "palette"),
            ("escape ?", "Help", "help"),
            ("escape S", "density", "settings"),
            ("escape", "3 Trace", ""),
        ):
            await go(show, keys, word)
            if name:
                studio.save(app, name)
        _ = app.context.spawn(_compare(app, run_id, other))
        await go(show, "", "OUTPUTS AND STEPS")
        studio.save(app, "diff")
    async with studio.app(run_id, (80, 24)) as (app, pilot):
        await until(pilot, lambda: "research" in text(app))
        studio.save(app, "small")


async def _compare(app: AethermindApp, one: str, other: str) -> None:
    from aethermind.tui.screens.compare import CompareScreen

    app.context.push(CompareScreen(app.context, one, other))


async def waiting(studio: Studio) -> None:
    """What asks: a question of a step, a tool that wants to write, and the inbox with both."""
    asking = await studio.start("interview", subject="Moving to a four-day week")
    mending = await studio.start("fix-until-green")
    await studio.engine.ask(lambda client: client.wait(asking))
    await studio.engine.ask(lambda client: client.wait(mending))
    async with studio.app(asking) as show:
        app, pilot = show
        await until(pilot, lambda: "asks" in text(app))
        await go(show, "a", "answer   esc later")
        studio.save(app, "question")
        await go(show, "escape", "3 Trace")
        await until(pilot, lambda: "3 Trace" in text(app))
        while app.screen is not app.main_screen:
            await pilot.press("escape")
            await pilot.pause(0.2)
        await go(show, "I", "SINCE")
        studio.save(app, "inbox")
    async with studio.app(mending) as show:
        await go(show, "a", "allow it")
        studio.save(show[0], "approval")


async def draw(home: Path) -> None:
    studio = Studio(home)
    try:
        run_id = await research(studio)
        await finished(studio, run_id)
        await waiting(studio)
    finally:
        studio.engine.stop(drain_s=0)


def main() -> None:
    HERE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder).resolve()
        os.environ |= {"HOME": folder, "XDG_CONFIG_HOME": str(home / ".config")}
        os.chdir(home)
        asyncio.run(draw(home))


if __name__ == "__main__":
    main()
