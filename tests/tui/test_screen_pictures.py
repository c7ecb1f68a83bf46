"""How the screens look. The clock stands still, the cursor does not blink, times are UTC.

`pytest --snapshot-update` takes new pictures; look at them before they are kept.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input

from aethermind.definitions.loader import LoadedWorkflow, load_file
from aethermind.tui.actions import warm
from aethermind.tui.screens.card import CardScreen
from aethermind.tui.screens.detail.screen import DetailScreen
from aethermind.tui.screens.found import Found
from aethermind.tui.screens.help import HelpScreen
from aethermind.tui.screens.palette import PaletteScreen
from aethermind.tui.screens.start import StartScreen
from tests.tui import histories
from tests.tui.histories import Script
from tests.tui.stage import Stage

Compare = Callable[..., bool]
WIDE, SMALL = (120, 36), (80, 24)
BOTH = pytest.mark.parametrize("size", [WIDE, SMALL], ids=["wide", "small"])

WORKFLOW = """\
name: review
description: Review a change from three sides.
inputs:
  change: {type: string, description: "The diff, or @ and the name of a file"}
  depth: {type: integer, default: 3, minimum: 1, maximum: 10}
  tone: kind|plain|harsh
  paths: {type: array, items: string, default: [src, tests]}
budget: {usd: 0.50}
steps:
  - {id: look, prompt: "{{ inputs.change }}"}
  - {id: judge, model: fast, prompt: "{{ look }}"}
"""


@pytest.fixture(autouse=True)
def _still(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    warm()
    monkeypatch.setattr(Input, "cursor_blink", False)
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


class Models:
    def resolve(self, name: str, *, sim: bool) -> str:
        return f"sim:{name}" if sim else {"smart": "openai:gpt-6.1-sol", "fast": "openai:gpt-6-luna"}[name]


COMPOSITION = SimpleNamespace(
    samples_dir=Path("/none"), workflow_dirs=[], models=Models(), options=SimpleNamespace(sim=False)
)


def picture(
    compare: Compare,
    scripts: list[Script],
    screen: Callable[[Stage], Screen[Any]],
    size: tuple[int, int],
    *keys: str,
    **options: Any,
) -> bool:
    stage = Stage(*scripts, composition=COMPOSITION, **options)

    async def show(pilot: Pilot[Any]) -> None:
        await stage.push_screen(screen(stage))
        await pilot.pause()
        await pilot.press(*keys)
        await stage.workers.wait_for_complete()
        await pilot.pause()

    before: Callable[[Pilot[Any]], Awaitable[None]] = show
    return compare(stage, terminal_size=size, run_before=before)


@BOTH
def test_a_step_that_was_tried_three_times(snap_compare: Compare, size: tuple[int, int]) -> None:
    script = histories.research()
    step = "gather/scrape"
    assert picture(snap_compare, [script], lambda s: DetailScreen(s.context, script.run_id, step), size)


@BOTH
def test_a_step_that_streams(snap_compare: Compare, size: tuple[int, int]) -> None:
    script = histories.research()

    def screen(stage: Stage) -> DetailScreen:
        text = "\n".join(f"Tides follow the moon, and this is sentence number {n}." for n in range(1, 41))
        stage.bridge.texts[script.run_id, *histories.streaming(script)] = text
        return DetailScreen(stage.context, script.run_id, "sections[2]")

    assert picture(snap_compare, [script], screen, size)


def test_a_json_answer(snap_compare: Compare) -> None:
    script = histories.research()
    assert picture(
        snap_compare, [script], lambda s: DetailScreen(s.context, script.run_id, "plan"), SMALL, "j"
    )


def test_a_step_in_plain_ascii(snap_compare: Compare) -> None:
    script = histories.research()

    def screen(stage: Stage) -> DetailScreen:
        return DetailScreen(stage.context, script.run_id, "gather/scrape")

    assert picture(snap_compare, [script], screen, WIDE, ascii=True)


@BOTH
def test_the_usage_of_a_run(snap_compare: Compare, size: tuple[int, int]) -> None:
    script = histories.research(until="end", simulated=True)
    assert picture(snap_compare, [script], lambda s: DetailScreen(s.context, script.run_id, ""), size, "4")


@BOTH
def test_the_start_form(
    snap_compare: Compare, size: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "review.yaml"
    path.write_text(WORKFLOW)
    loaded: LoadedWorkflow = load_file(path)
    flow = Found("review", Path("review.yaml"), "here", "review", "")
    keys = ("tab", "9", "tab", "right")
    assert picture(snap_compare, [], lambda s: StartScreen(s.context, flow, loaded), size, *keys)


@BOTH
def test_help(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert picture(snap_compare, [histories.research()], lambda s: HelpScreen(s.context, "trace"), size)


@BOTH
def test_the_palette(
    snap_compare: Compare, size: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    scripts = [histories.research(), histories.failed()]
    assert picture(snap_compare, scripts, lambda s: PaletteScreen(s.context), size, *"re")


@BOTH
@pytest.mark.parametrize("how", ["succeeded", "failed"])
def test_the_card(snap_compare: Compare, size: tuple[int, int], how: str) -> None:
    script = histories.failed() if how == "failed" else histories.research(until="end", simulated=True)
    assert picture(snap_compare, [script], lambda s: CardScreen(s.context, script.run_id), size)


def rows_of(stage: Stage) -> list[str]:
    """The text of the screen, row by row."""
    width, height = stage.size
    lines = stage.screen._compositor.render_strips()
    assert len(lines) == height
    return ["".join(segment.text for segment in strip)[:width] for strip in lines]


@pytest.mark.parametrize("number", range(6), ids=["step", "json", "help", "palette", "card", "form"])
async def test_ascii_means_every_sign(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "review.yaml"
    path.write_text(WORKFLOW)
    script = histories.research(until="end")
    stage = Stage(script, ascii=True, composition=COMPOSITION)
    context = stage.context
    screens: list[Callable[[], Screen[Any]]] = [
        lambda: DetailScreen(context, script.run_id, "gather/scrape"),
        lambda: DetailScreen(context, script.run_id, "plan"),
        lambda: HelpScreen(context, "trace"),
        lambda: PaletteScreen(context),
        lambda: CardScreen(context, script.run_id),
        lambda: StartScreen(context, Found("review", path, "here", "review", ""), load_file(path)),
    ]
    async with stage.run_test(size=SMALL) as pilot:
        await stage.push_screen(screens[number]())
        await pilot.pause()
        await stage.workers.wait_for_complete()
        await pilot.pause()
        rows = rows_of(stage)
    assert any(row.strip() for row in rows)
    assert [row for row in rows if not row.isascii()] == []
