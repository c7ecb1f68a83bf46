"""What the main screen looks like. A change of these pictures is a change of the product: look at it
(`pytest --snapshot-report`), then take it over (`pytest --snapshot-update`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from textual.app import App
from textual.pilot import Pilot

from aethermind.engine.client import TokenDelta
from tests.tui.histories import T0, failed, research, wide
from tests.tui.theatre import engine_of, make, settle

Compare = Callable[..., bool]


@pytest.fixture(autouse=True)
def _times_are_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def app_of(**settings: Any) -> App[int]:
    """Three runs; the first one lives, streams, and has its papers unfolded."""
    finished = research(until="end", run_id="r_8f20", seq=2_000, at=T0 - 7_200_000, simulated=True)
    return make(research(), failed(seq=1_000), finished, **settings)


async def live(pilot: Pilot[int]) -> None:
    app = pilot.app
    await settle(pilot)
    engine_of(app).put(TokenDelta("r_8f21", "sections[2]", 1, 1, 0, "The sea " * 90))  # type: ignore[arg-type]  # it is ours
    await pilot.press("j", "j", "j", "j", "l")
    await settle(pilot)


@pytest.mark.parametrize("size", [(120, 36), (80, 24), (60, 20), (200, 60)], ids=lambda s: f"{s[0]}x{s[1]}")
def test_a_run_that_lives(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert snap_compare(app_of(), terminal_size=size, run_before=live)


@pytest.mark.parametrize("theme", ["aether-light", "high-contrast", "colour-blind", "ember", "ansi-dark"])
def test_in_other_colours(snap_compare: Compare, theme: str) -> None:
    assert snap_compare(app_of(theme=theme), terminal_size=(120, 36), run_before=live)


@pytest.mark.parametrize("size", [(120, 36), (80, 24)], ids=lambda s: f"{s[0]}x{s[1]}")
def test_in_ascii(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert snap_compare(app_of(ascii=True), terminal_size=size, run_before=live)


@pytest.mark.parametrize("size", [(120, 36), (80, 24)], ids=lambda s: f"{s[0]}x{s[1]}")
def test_without_colours(
    snap_compare: Compare, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert snap_compare(app_of(), terminal_size=size, run_before=live)


def test_a_run_that_is_over(snap_compare: Compare) -> None:
    app = make(research(until="end"), failed(seq=1_000))
    assert snap_compare(app, terminal_size=(120, 36), run_before=settle)


def test_a_run_that_failed(snap_compare: Compare) -> None:
    assert snap_compare(make(failed()), terminal_size=(80, 24), run_before=settle)


def test_what_it_costs(snap_compare: Compare) -> None:
    async def costs(pilot: Pilot[int]) -> None:
        await live(pilot)
        await pilot.press("5")
        await settle(pilot)

    assert snap_compare(app_of(), terminal_size=(120, 36), run_before=costs)


def test_ten_thousand_steps(snap_compare: Compare) -> None:
    async def unfold(pilot: Pilot[int]) -> None:
        await settle(pilot)
        await pilot.press("j", "j", "l", *["j"] * 30)
        await settle(pilot)

    assert snap_compare(make(wide(10_000, done=25)), terminal_size=(120, 36), run_before=unfold)


def test_nothing_ran_yet(snap_compare: Compare) -> None:
    from aethermind.tui.context import StartIntent

    app = make(start=StartIntent(run_id="r_none"))
    assert snap_compare(app, terminal_size=(80, 24), run_before=settle)
