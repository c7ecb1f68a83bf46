"""How the screens of rows look. Look at new pictures before they are kept (`pytest --snapshot-update`)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from textual.pilot import Pilot

from aethermind.engine.queries import LedgerRow
from aethermind.tui.app import AethermindApp
from tests.hostile import HOSTILE
from tests.tui import waits
from tests.tui.histories import T0, failed, research
from tests.tui.rows.test_compare import brief
from tests.tui.theatre import engine_of, lines, make, settle

Compare = Callable[..., bool]
BOTH = pytest.mark.parametrize("size", [(120, 36), (80, 24)], ids=["wide", "small"])


@pytest.fixture(autouse=True)
def _times_are_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def waiting() -> AethermindApp:
    return make(
        research(), waits.approval(seq=1_000), waits.in_doubt(seq=2_000), waits.held(seq=3_000),
        waits.guarded(seq=4_000),
    )  # fmt: skip


def spent() -> AethermindApp:
    app = make(research(), failed())
    today = LedgerRow("day", T0 // 86_400_000, spent=322_900, reserved=9_000, cap=5_000_000)
    engine_of(app).client.ledgers[False] = today
    return app


def two() -> AethermindApp:
    return make(brief("Tides rise.", run_id="r_one"), brief("Tides fall.", run_id="r_two", extra=True))


def live() -> AethermindApp:
    return make(research())


def over() -> AethermindApp:
    return make(research(until="end"))


SCREENS: dict[str, tuple[Callable[[], AethermindApp], tuple[str, ...]]] = {
    "inbox": (waiting, ("I",)),
    "spending": (spent, ("C",)),
    "diff": (two, (":", *"diff r_two", "enter")),
    "replay": (over, ("v", "l", "l", "l", "l", "l", "l")),
    "layers": (live, ("D", "j")),
    "logs": (live, ("O", "L")),
    "settings": (live, ("S", "j")),
}


def opening(keys: tuple[str, ...]) -> Callable[[Pilot[Any]], Any]:
    async def show(pilot: Pilot[Any]) -> None:
        await settle(pilot)
        for key in keys:
            await pilot.press(key)
            await pilot.pause()
        await settle(pilot)
        pilot.app.clear_notifications()
        await pilot.pause()

    return show


@BOTH
@pytest.mark.parametrize("name", SCREENS)
def test_a_screen(snap_compare: Compare, size: tuple[int, int], name: str) -> None:
    make_app, keys = SCREENS[name]
    assert snap_compare(make_app(), terminal_size=size, run_before=opening(keys))


@pytest.mark.parametrize(
    "name, size",
    [
        ("spending", (60, 16)),
        ("diff", (60, 16)),
        ("replay", (60, 16)),
        ("spending", (200, 60)),
        ("replay", (200, 60)),
    ],
    ids=["spending-tiny", "diff-tiny", "replay-tiny", "spending-huge", "replay-huge"],
)
def test_a_screen_at_the_ends(snap_compare: Compare, size: tuple[int, int], name: str) -> None:
    make_app, keys = SCREENS[name]
    assert snap_compare(make_app(), terminal_size=size, run_before=opening(keys))


@pytest.mark.parametrize("name", SCREENS)
async def test_ascii_means_every_sign(name: str) -> None:
    make_app, keys = SCREENS[name]
    app = make_app()
    plain = make(ascii=True)
    app.glyphs, app.settings = plain.glyphs, plain.settings
    async with app.run_test(size=(120, 36)) as pilot:
        app.redress()
        await opening(keys)(pilot)
        assert [line for line in lines(app) if not line.isascii()] == []


def hostile() -> AethermindApp:
    """Every hostile text wherever somebody else's text can stand."""
    scripts = []
    for number in range(10):
        text = " ".join(HOSTILE[number::10])
        script = waits.approval(run_id=f"r_{number:03}", seq=1_000 * number, message=text)
        script.log(1_100, "error", text, step="publish")
        scripts.append(script)
    return make(brief("\n".join(HOSTILE), run_id="r_two"), *scripts)


@pytest.mark.parametrize(
    "keys",
    [
        ("I",),
        (":", *"diff r_003", "enter", "enter"),
        (":", *"replay r_two", "enter", "end"),
        ("D",),
        (":", *"open r_003", "enter", "O"),
    ],
    ids=["inbox", "diff", "replay", "layers", "logs"],
)
async def test_hostile_texts_are_shown_harmless(keys: tuple[str, ...]) -> None:
    app = hostile()
    async with app.run_test(size=(120, 36)) as pilot:
        await opening(keys)(pilot)
        shown = "".join(lines(app))
        assert not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in shown)
