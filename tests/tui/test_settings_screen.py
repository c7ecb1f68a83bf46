"""Settings by keys, on the whole app: effective at once, and written into the config."""

from __future__ import annotations

import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from aethermind.tui import launch
from aethermind.tui.app import AethermindApp
from aethermind.tui.context import Settings, StartIntent
from aethermind.tui.screens.settings import SettingsScreen
from tests.tui.fakes import FakeEngine
from tests.tui.histories import research
from tests.tui.theatre import THEMES, Wall, lines, playing, settle, text


def make(path: Path | None, **settings: Any) -> AethermindApp:
    script = research()
    composition = SimpleNamespace(config=SimpleNamespace(path=path)) if path is not None else None
    fields: dict[str, Any] = {"wall": Wall(), "theme_dirs": (THEMES,), **settings}
    return AethermindApp(
        FakeEngine(script),
        settings=Settings(**fields),
        start=StartIntent(run_id=script.run_id),
        composition=composition,
    )


def select(app: AethermindApp, name: str) -> None:
    assert isinstance(app.screen, SettingsScreen)
    app.screen.view.go_to(next(n for n, option in enumerate(app.screen.options) if option.name == name))


def looks(app: AethermindApp) -> tuple[str, bool, float]:
    return app.theme, app.glyphs.ascii, app.clock.period


@pytest.mark.parametrize("size", [(120, 36), (80, 24), (60, 16)], ids=["wide", "small", "tiny"])
async def test_every_setting_is_there_and_works_at_once(size: tuple[int, int], tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("# mine\n[tui]\ntheme = 'aether-dark' # dark\n")
    app = make(path)
    async with playing(app, size) as pilot:
        await pilot.press("S")
        await settle(pilot)
        for name in ("theme", "density", "ascii", "animations", "low_bandwidth"):
            select(app, name)
            await pilot.press("right")
            await settle(pilot)
            await pilot.pause()
        theme, plain, period = looks(app)
        assert theme != "aether-dark"
        assert plain
        assert period == 1.0
        assert app.main_screen.has_class("-dense")
        assert app.animation_level == "full"
        assert all(line.isascii() for line in lines(app))
        await pilot.press("escape")
        await settle(pilot)
        assert all(line.isascii() for line in lines(app))
    written = path.read_text()
    assert written.startswith("# mine\n[tui]\n")
    assert "# dark" in written
    assert tomllib.loads(written)["tui"] == {
        "theme": theme, "density": "dense", "ascii": True, "animations": True, "low_bandwidth": True,
    }  # fmt: skip
    again = launch.settings_of(tomllib.loads(written)["tui"], {})
    assert (again.theme, again.density, again.low_bandwidth) == (theme, "dense", True)


async def test_keys_follow_their_preset_at_once(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    app = make(path)
    async with playing(app) as pilot:
        await pilot.press(":", *"set keymap emacs", "enter")
        await settle(pilot)
        await pilot.pause()
        before = app.main_screen.trace.cursor
        await pilot.press("ctrl+n")
        assert app.main_screen.trace.cursor == before + 1
        await pilot.press("j")
        assert app.main_screen.trace.cursor == before + 1
        assert "^n" in app.keymap.shown(next(a for a in _registry() if a.id == "move.down"))
    assert tomllib.loads(path.read_text()) == {"tui": {"keymap": {"preset": "emacs"}}}
    assert path.stat().st_mode & 0o777 == 0o600


def _registry() -> Any:
    from aethermind.tui.actions import REGISTRY

    return REGISTRY


async def test_there_and_back_again(tmp_path: Path) -> None:
    app = make(tmp_path / "config.toml")
    async with playing(app) as pilot:
        shown = text(app)
        await pilot.press("S")
        await settle(pilot)
        for name in ("density", "ascii", "low_bandwidth"):
            select(app, name)
            await pilot.press("l")
            await settle(pilot)
            await pilot.press("h")
            await settle(pilot)
        await pilot.press("escape")
        await settle(pilot)
        await pilot.pause()
        assert text(app) == shown


async def test_a_file_that_can_not_be_changed_is_left_and_the_screen_says_so(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("tui = {ascii = false}\n")
    app = make(path)
    async with playing(app) as pilot:
        await pilot.press(":", *"set ascii on", "enter")
        await settle(pilot)
        await pilot.pause()
        assert app.glyphs.ascii
        assert any("for now only" in n.message for n in app._notifications)
    assert path.read_text() == "tui = {ascii = false}\n"


async def test_unknown_names_and_values_are_said(tmp_path: Path) -> None:
    app = make(None)
    async with playing(app) as pilot:
        for typed in ("set colour red", "set ascii perhaps"):
            await pilot.press(":", *typed, "enter")
            await settle(pilot)
        said = [n.message for n in app._notifications]
        assert any("set one of theme" in message for message in said)
        assert any("ascii is off, on" in message for message in said)


def test_the_clock_of_the_screen_does_not_jump_with_the_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    app = make(None, wall=None)
    before = app.now()
    monkeypatch.setattr("time.time_ns", lambda: 0)
    monkeypatch.setattr("time.time", lambda: 0.0)
    assert 0 <= app.now() - before < 60_000
