"""Mending a run's file on the screen: what is wrong, what stays, what runs; and the editor's line."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot

from aethermind import bootstrap
from aethermind.definitions.edited import Place, line_of
from aethermind.engine.hosting import EngineThread
from aethermind.tui import editor
from aethermind.tui.app import AethermindApp
from aethermind.tui.context import StartIntent
from aethermind.tui.mending import Ready, Unchanged, Wrong, look
from aethermind.tui.screens import dialog
from aethermind.tui.screens.card import CardScreen
from aethermind.tui.screens.mend import MendScreen
from tests.tui.test_real_engine import app_on, until
from tests.tui.theatre import text

FLOW = """\
name: tides
steps:
  - {id: plan, value: a plan}
  - {id: gather, fail: "no moon tonight"}
  - {id: write, value: "{{ plan }} {{ gather }}"}
"""
MENDED = FLOW.replace('fail: "no moon tonight"', "value: a moon")


@pytest.fixture
def composition(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bootstrap.Composition:
    monkeypatch.setattr(dialog, "GUARD_S", 0.0)
    return bootstrap.load(bootstrap.Options(home=tmp_path / "home", sim=True))


@pytest.fixture
def engine(composition: bootstrap.Composition) -> Iterator[EngineThread]:
    thread = bootstrap.engine_thread(composition)
    thread.start()
    yield thread
    thread.stop(drain_s=0)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tides.yaml"
    path.write_text(FLOW)
    return path


@asynccontextmanager
async def failed(
    engine: EngineThread, composition: bootstrap.Composition, file: Path
) -> AsyncIterator[tuple[AethermindApp, Pilot[int], str]]:
    """The main screen on a run of this file that has failed."""
    loaded = bootstrap.load_workflow(composition, file)
    request = bootstrap.submission(composition, loaded, {}, cwd=file.parent, origin="tui")
    app = app_on(engine, composition, StartIntent(request=request))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "FAILED" in text(app))
        if isinstance(app.screen, CardScreen):  # it had not ended when it was opened
            await pilot.press("escape")
        run_id = app.main_screen.open_run_id
        assert run_id is not None
        yield app, pilot, run_id


async def test_a_file_changed_outside_is_taken_without_the_editor(
    composition: bootstrap.Composition, engine: EngineThread, file: Path
) -> None:
    async with failed(engine, composition, file) as (app, pilot, run_id):
        file.write_text(MENDED)
        await pilot.press("M")
        await until(pilot, lambda: isinstance(app.screen, MendScreen))
        await until(pilot, lambda: "go on with the edited file" in text(app))
        assert "keeps  plan" in text(app)
        assert "runs   gather, write" in text(app)
        await pilot.press("enter")
        await until(pilot, lambda: "SUCCEEDED" in text(app) or "succeeded" in text(app))
        run = await engine.ask(lambda client: client.run(run_id))
        assert run.status == "succeeded"
        assert {path: len(node.attempts) for path, node in run.nodes.items() if path} == {
            "plan": 1,
            "gather": 2,
            "write": 1,
        }
        assert run.root.by_id["write"].output == "a plan a moon"


async def test_escape_leaves_the_run_as_it_is(
    composition: bootstrap.Composition, engine: EngineThread, file: Path
) -> None:
    async with failed(engine, composition, file) as (app, pilot, run_id):
        file.write_text(MENDED)
        await pilot.press("M")
        await until(pilot, lambda: isinstance(app.screen, MendScreen))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.main_screen)
        assert (await engine.ask(lambda client: client.run(run_id))).status == "failed"


async def test_what_is_wrong_has_its_place_and_its_line(
    composition: bootstrap.Composition, engine: EngineThread, file: Path
) -> None:
    async with failed(engine, composition, file) as (app, pilot, run_id):
        file.write_text(MENDED.replace("value: a moon", "valu: a moon"))
        await pilot.press("M")
        await until(pilot, lambda: isinstance(app.screen, MendScreen))
        await until(pilot, lambda: "leave the run as it is" in text(app))
        shown = text(app)
        assert "tides.yaml:4:18: " in shown
        assert "   4 |   - {id: gather, valu: a moon}" in shown
        assert "go on" not in shown
        await pilot.press("enter")  # edits again; this terminal can't be handed over
        await until(pilot, lambda: isinstance(app.screen, MendScreen) and app.screen.is_current)
        assert (await engine.ask(lambda client: client.run(run_id))).status == "failed"


async def test_what_is_found_in_the_file(
    composition: bootstrap.Composition, engine: EngineThread, file: Path
) -> None:
    async with failed(engine, composition, file) as (app, _pilot, run_id):
        run = await engine.ask(lambda client: client.run(run_id))
        assert await look(app.context, run) == Unchanged(Place(file, 4))
        file.write_text("# a comment changes nothing\n" + FLOW)
        assert await look(app.context, run) == Unchanged(Place(file, 5))
        file.write_text(FLOW.replace("name: tides", "name: tides\ninputs: {moon: string}"))
        found = await look(app.context, run)
        assert isinstance(found, Wrong)
        assert "no value for: moon" in found.problem
        file.write_text(MENDED.replace("a plan}", "another}"))
        found = await look(app.context, run)
        assert isinstance(found, Ready)
        assert (found.stays, found.runs) == ((), ("plan", "gather", "write"))
        file.unlink()
        assert isinstance(await look(app.context, run), Wrong)


def test_a_step_is_found_in_groups_and_other_files(tmp_path: Path) -> None:
    (tmp_path / "inner.yaml").write_text(
        "name: inner\nsteps:\n  - id: a\n    value: 1\n  - id: b\n    value: 2\n"
    )
    file = tmp_path / "outer.yaml"
    file.write_text(
        "name: outer\nsteps:\n"
        "  - id: polish\n    repeat: {until: 'true', max: 2}\n    steps:\n"
        "      - {id: text, value: 1}\n      - {id: judge, value: 2}\n"
        "  - {id: deep, workflow: inner.yaml}\n"
        "  - id: each\n    for_each: [1, 2]\n    value: 1\n"
    )
    assert line_of(file, "polish#2/judge") == Place(file, 7)
    assert line_of(file, "deep/b") == Place(tmp_path / "inner.yaml", 5)
    assert line_of(file, "each[1]") == Place(file, 9)
    assert line_of(file, "polish/gone") == Place(file, 3)
    assert line_of(file, "gone") == Place(file, 1)
    file.write_text("steps: [")
    assert line_of(file, "polish") == Place(file, 1)


def test_editors_are_told_the_line_in_their_own_way(tmp_path: Path) -> None:
    path = tmp_path / "w.yaml"
    assert editor.opening(["vim"], path, 7) == ["vim", "+7", str(path)]
    assert editor.opening(["/usr/bin/nano", "-w"], path, 7) == ["/usr/bin/nano", "-w", "+7", str(path)]
    assert editor.opening(["hx"], path, 7) == ["hx", f"{path}:7"]
    assert editor.opening(["code", "--wait"], path, 7) == ["code", "--wait", "--goto", f"{path}:7"]
    assert editor.opening(["my-editor"], path, 7) == ["my-editor", str(path)]
    assert editor.opening(["vim"], path, None) == ["vim", str(path)]
