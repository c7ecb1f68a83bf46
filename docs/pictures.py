"""Draws the README's pictures from the running app: real engine, real sample, simulated models.

    python docs/pictures.py            (make pictures)

Writes docs/pictures/*.svg. The runs take place in a temporary directory; nothing is spent or kept.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
from pathlib import Path

from aethermind import bootstrap
from aethermind.engine.hosting import EngineThread
from aethermind.tui.app import AethermindApp
from aethermind.tui.context import StartIntent
from aethermind.tui.launch import settings_of

HERE = Path(__file__).parent / "pictures"
WORKFLOW = "research-brief"
MIDWAY_S = 10.5
"""When the trace shows most: the sections are done, the analysis streams."""


async def draw(composition: bootstrap.Composition, engine: EngineThread) -> None:
    loaded = bootstrap.load_workflow(composition, WORKFLOW)
    request = bootstrap.submission(composition, loaded, {"topic": "the tides"}, sim=True, origin="tui")
    run_id = await engine.ask(lambda client: client.start_run(request))
    settings = settings_of({}, {}, theme_dirs=(composition.themes_dir,))
    app = AethermindApp(engine, settings=settings, start=StartIntent(run_id=run_id), composition=composition)
    async with app.run_test(size=(120, 36)) as pilot:
        await asyncio.sleep(MIDWAY_S)
        await pilot.pause()
        save(app, "main")
        await pilot.press(*"j" * 11, "enter")
        await pilot.pause(1.0)
        save(app, "step")
        await pilot.press("escape")
        await engine.ask(lambda client: client.wait(run_id))
        await pilot.pause(1.5)
        save(app, "end")


def save(app: AethermindApp, name: str) -> None:
    svg = app.export_screenshot(title="aethermind")
    # The reader's own fixed-width font: a picture in a README fetches nothing.
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    svg = svg.replace("Fira Code", "ui-monospace, Menlo, Consolas, DejaVu Sans Mono")
    (HERE / f"{name}.svg").write_text(svg, encoding="utf-8")


def main() -> None:
    HERE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as home:
        composition = bootstrap.load(bootstrap.Options(home=home, sim=True))
        engine = bootstrap.engine_thread(composition)
        engine.start()
        try:
            asyncio.run(draw(composition, engine))
        finally:
            engine.stop(drain_s=0)


if __name__ == "__main__":
    main()
