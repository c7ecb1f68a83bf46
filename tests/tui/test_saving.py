"""Running what is saved, and a workflow of one's own in two keys: on a real engine, with a real file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aethermind import bootstrap
from aethermind.engine.hosting import EngineThread
from aethermind.tui import saving
from aethermind.tui.actions import perform
from aethermind.tui.app import AethermindApp
from aethermind.tui.context import StartIntent
from aethermind.tui.screens import dialog, making
from aethermind.tui.screens.making import MakingScreen
from aethermind.tui.screens.start import StartScreen
from tests.tui.test_real_engine import app_on, until
from tests.tui.theatre import text

FLOW = """\
name: tides
steps:
  - {id: plan, value: a plan}
  - {id: ask, prompt: "What is {{ plan }}?"}
  - {id: write, value: "{{ ask }} is written"}
"""
SIM = "steps: {ask: the answer}\n"


@pytest.fixture
def composition(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bootstrap.Composition:
    monkeypatch.setattr(dialog, "GUARD_S", 0.0)
    monkeypatch.setattr(saving, "POLL_S", 0.02)
    monkeypatch.chdir(tmp_path)
    return bootstrap.load(bootstrap.Options(home=tmp_path / "home", sim=True))


@pytest.fixture
def engine(composition: bootstrap.Composition) -> Iterator[EngineThread]:
    thread = bootstrap.engine_thread(composition)
    thread.start()
    yield thread
    thread.stop(drain_s=0)


def toasts(app: AethermindApp) -> str:
    return "\n".join(str(notification.message) for notification in app._notifications)


async def test_each_save_runs_what_it_changed(
    composition: bootstrap.Composition, engine: EngineThread, tmp_path: Path
) -> None:
    file, script = tmp_path / "tides.yaml", tmp_path / "tides.sim.yaml"
    file.write_text(FLOW)
    script.write_text(SIM)
    request = bootstrap.submission(composition, bootstrap.load_workflow(composition, file), {}, origin="tui")
    app = app_on(engine, composition, StartIntent(request=request))
    async with app.run_test(size=(100, 30)) as pilot:

        async def output(wanted: str) -> None:
            await until(pilot, lambda: app.main_screen.open_run_id is not None)

            def there() -> bool:
                run = app.context.run(app.main_screen.open_run_id or "")
                return run is not None and run.status == "succeeded" and run.nodes["write"].output == wanted

            await until(pilot, there)

        await output("the answer is written")
        first = app.main_screen.open_run_id
        perform(app.context, "run.watch")  # by its key a card that comes up just now would get it
        await until(pilot, lambda: "watching tides.yaml: saving it runs what changed; W stops" in toasts(app))

        file.write_text(FLOW + "# only a remark\n")
        await until(pilot, lambda: "nothing that this run does has changed" in toasts(app))

        file.write_text(FLOW.replace("value: a plan", "vlaue: a plan"))
        await until(pilot, lambda: "tides.yaml:3:" in toasts(app))

        file.write_text(FLOW.replace("is written", "was said"))
        await output("the answer was said")
        assert app.main_screen.open_run_id == first
        run = await engine.ask(lambda client: client.run(first or ""))
        tries = {path: len(node.attempts) for path, node in run.nodes.items() if path}
        assert tries == {"plan": 1, "ask": 1, "write": 2}

        script.write_text(SIM.replace("the answer", "a tide"))  # no run can take another script
        await output("a tide was said")
        second = app.main_screen.open_run_id
        assert second != first
        run = await engine.ask(lambda client: client.run(second or ""))
        assert run.created.forked_from == first
        assert run.nodes["plan"].attempts == []  # it was taken over

        await until(pilot, lambda: app.comfort.watching is not None)
        perform(app.context, "run.watch")
        await until(pilot, lambda: "tides.yaml is no longer watched" in toasts(app))
        assert app.comfort.watching is None


async def test_two_keys_from_a_sample_to_the_editor_and_its_form(
    composition: bootstrap.Composition,
    engine: EngineThread,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened: list[Path] = []

    async def edit(context: object, path: Path, *, line: int | None = None) -> None:
        opened.append(path)

    monkeypatch.setattr("aethermind.tui.editor.edit", edit)
    app = app_on(engine, composition, StartIntent())
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "Welcome to Aethermind" in text(app))
        await pilot.press("i")
        await until(pilot, lambda: isinstance(app.screen, MakingScreen))
        assert "writes my-document-sections.yaml" in text(app)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, StartScreen))
        assert opened == [Path("my-document-sections.yaml")]
        assert (tmp_path / "my-document-sections.sim.yaml").is_file()
        assert making.free_name(opened[0]) == "my-document-sections-2"
