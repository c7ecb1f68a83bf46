from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input

from aethermind import bootstrap
from aethermind.engine.queries import RunRow
from aethermind.tui.app import AethermindApp
from aethermind.tui.context import Settings, StartIntent
from aethermind.tui.remembered import LARGEST, NAME, Filters, Remembered, load, save
from aethermind.tui.screens.picker import PickerScreen
from aethermind.tui.screens.welcome import WelcomeScreen
from tests.tui.fakes import FakeEngine
from tests.tui.histories import research
from tests.tui.theatre import THEMES, Wall, playing, settle, text


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    kept = Remembered(
        welcomed=True, pane="logs", zoomed=True, side=40, filters=Filters(runs="nightly", level="warning")
    )
    save(tmp_path, kept)
    assert load(tmp_path) == (kept, "")
    assert [path.name for path in tmp_path.iterdir()] == [NAME]
    assert load(tmp_path / "none") == (Remembered(), "")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b'{"v": 2}',
        b'{"side": 4}',
        b'{"side": "wide"}',
        b'{"pane": "kitchen"}',
        b'{"filters": {"runs": "' + b"x" * 300 + b'"}}',
        b" " * (LARGEST + 1),
    ],
)
def test_a_file_that_is_broken_is_one_line_and_counts_as_empty(raw: bytes, tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(raw)
    found, problem = load(tmp_path)
    assert found == Remembered()
    assert problem.startswith(f"{tmp_path / NAME}: ")
    assert "\n" not in problem


def test_a_file_that_may_not_be_read_keeps_nobody_out(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    assert load(tmp_path)[0] == Remembered()
    assert "directory" in load(tmp_path)[1]


# --- the screen ------------------------------------------------------------------------------------


def composition(home: Path) -> Any:
    return bootstrap.load(bootstrap.Options(home=home))


def app_on(home: Path, *, empty: bool = False, **settings: Any) -> AethermindApp:
    script = research()
    return AethermindApp(
        FakeEngine(*([] if empty else [script])),
        settings=Settings(theme_dirs=(THEMES,), wall=Wall(), **settings),
        start=StartIntent() if empty else StartIntent(run_id=script.run_id),
        composition=composition(home),
    )


async def test_the_layout_is_as_it_was_left(tmp_path: Path) -> None:
    app = app_on(tmp_path)
    async with playing(app) as pilot:
        side, logs = app.main_screen.query_one("#side").size.width, app.main_screen.logs.size.height
        await pilot.press(">", ">", "}", "4", "L")
        await settle(pilot)
        assert app.main_screen.query_one("#side").size.width == side + 6
        assert app.main_screen.logs.size.height == logs + 2
        app.main_screen.runs_pane.filter_text = "res"
    assert json.loads((tmp_path / NAME).read_bytes()) == {
        "pane": "logs",
        "side": side + 6,
        "logs": logs + 2,
        "filters": {"runs": "res", "level": "info"},
    }
    again = app_on(tmp_path)
    async with playing(again) as pilot:
        main = again.main_screen
        assert (main.query_one("#side").size.width, main.logs.size.height) == (side + 6, logs + 2)
        assert main.focused_pane == "logs"
        assert main.logs.level == "info"
        assert "/res" in text(again)
        await pilot.resize_terminal(80, 24)  # one pane alone: it fills the line
        await settle(pilot)
        await pilot.press("1")
        await settle(pilot)
        assert main.agents.size.width == 80
        await pilot.resize_terminal(120, 36)
        await pilot.press("=")
        await settle(pilot)
        assert (main.query_one("#side").size.width, main.logs.size.height) == (side, logs)


async def test_what_was_typed_after_the_colon_comes_back_but_no_keys(tmp_path: Path) -> None:
    app = app_on(tmp_path)
    async with playing(app) as pilot:
        for line in ("level info", "filter sk-proj-" + "a1B2" * 12, "x" * 300):
            app.context.history.add(line)
        await pilot.press("colon", *"level warning", "enter")
        await settle(pilot)
    assert json.loads((tmp_path / NAME).read_bytes())["commands"] == ["level info", "level warning"]
    again = app_on(tmp_path)
    async with playing(again) as pilot:
        await pilot.press("colon", "up", "up")
        assert again.screen.query_one(Input).value == "level info"


async def test_a_broken_file_is_told_and_the_next_one_is_whole(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("{")
    app = app_on(tmp_path)
    async with playing(app) as pilot:
        assert any("the layout begins anew" in str(n.message) for n in app._notifications)
        await pilot.press("z")
        await settle(pilot)
    assert load(tmp_path) == (Remembered(zoomed=True), "")


async def test_the_first_screen_comes_once_and_tells_what_there_is(tmp_path: Path) -> None:
    app = app_on(tmp_path, empty=True)
    async with playing(app, size=(80, 24)) as pilot:
        assert isinstance(app.screen, WelcomeScreen)
        await app.workers.wait_for_complete()
        await pilot.pause()
        shown = text(app)
        for words in (
            "Welcome to Aethermind",
            "smart",
            "Nothing is called",
            "run the sample",
            "esc look around",
        ):
            assert words in shown
        await pilot.press("escape")
        await settle(pilot)
        assert "no run yet: r runs a workflow, i makes one of your own, ? all keys" in text(app)
    again = app_on(tmp_path, empty=True)
    async with playing(again) as pilot:
        assert isinstance(again.screen, PickerScreen)


async def test_a_call_goes_to_the_terminal_that_nobody_looks_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = app_on(tmp_path, notify="osc9")
    written: list[str] = []
    monkeypatch.setattr(app, "to_terminal", lambda sequence: written.append(sequence) if sequence else None)
    async with playing(app) as pilot:
        app.comfort.attention.focus(False)
        item = app.bridge.runs.items[0]
        row = RunRow(id=item.id, workflow=item.workflow, status="waiting_answer", created_at=item.created_at)
        app.bridge.runs.merge(row)
        app.frame()
        await pilot.pause()
    assert written == ["\x1b]9;aethermind: research waits for an answer\x1b\\"]
