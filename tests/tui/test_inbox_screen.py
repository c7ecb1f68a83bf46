"""The inbox by its keys, on the whole app: what it shows, and what it asks of the engine."""

from __future__ import annotations

import pytest
from textual.widgets import Input

from aethermind.domain import events as e
from aethermind.tui.app import AethermindApp
from aethermind.tui.screens import dialog
from aethermind.tui.screens.confirm import ConfirmScreen
from aethermind.tui.screens.inbox import InboxScreen
from tests.tui import waits
from tests.tui.histories import failed, research
from tests.tui.theatre import engine_of, make, playing, settle, text

SIZES = pytest.mark.parametrize("size", [(120, 36), (80, 24), (60, 16)], ids=["wide", "small", "tiny"])


@pytest.fixture(autouse=True)
def _no_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    """The guard has tests of its own."""
    monkeypatch.setattr(dialog, "GUARD_S", 0.0)


def inbox(app: AethermindApp) -> InboxScreen:
    screen = next(s for s in app.screen_stack if isinstance(s, InboxScreen))
    assert isinstance(screen, InboxScreen)
    return screen


def several() -> AethermindApp:
    return make(
        research(), failed(), waits.approval(seq=1_000), waits.in_doubt(seq=2_000), waits.held(seq=3_000),
        waits.held("day", run_id="r_day", seq=4_000), waits.guarded(seq=5_000),
    )  # fmt: skip


@SIZES
async def test_it_lists_what_waits_over_all_runs(size: tuple[int, int]) -> None:
    app = several()
    async with playing(app, size) as pilot:
        await pilot.press("I")
        await settle(pilot)
        assert [row.about for row in inbox(app).rows] == [
            "day budget", "run budget", "in doubt", "approval", "guard",
        ]  # fmt: skip
        shown = text(app)
        assert "5 things to decide in 5 runs" in shown
        assert "publish" in shown
        await pilot.press("escape")
        assert app.screen is app.main_screen


def go_to(app: AethermindApp, about: str) -> None:
    screen = inbox(app)
    screen.view.go_to(next(n for n, row in enumerate(screen.rows) if row.about == about))


async def test_an_approval_is_answered_right_there_and_goes() -> None:
    script = waits.approval(seq=1_000)
    app = make(research(), script)
    async with playing(app) as pilot:
        await pilot.press("I")
        await settle(pilot)
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, ConfirmScreen)
        await pilot.press("y")
        await settle(pilot)
        assert ("answer", "r_ask", "publish", {"approved": True}) in engine_of(app).asked
        engine_of(app).play(
            script,
            lambda s: s.add(2_000, e.AskAnswered(step="publish", values={"approved": True}, by="me")),
        )
        await settle(pilot)
        await pilot.pause()
        assert inbox(app).rows == []
        assert "nothing waits for you" in text(app)


@pytest.mark.parametrize(
    "about, asked",
    [("run budget", ("raise_budget", "r_held", 2_500_000)), ("day budget", ("raise_day_budget", 2_500_000))],
)
async def test_a_budget_is_raised_right_there(about: str, asked: tuple[object, ...]) -> None:
    app = several()
    async with playing(app) as pilot:
        await pilot.press("I")
        await settle(pilot)
        go_to(app, about)
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.focused, Input)
        await pilot.press(*"$2.50", "enter")
        await settle(pilot)
        assert asked in engine_of(app).asked


async def test_what_is_no_amount_is_said() -> None:
    app = several()
    async with playing(app) as pilot:
        await pilot.press("I")
        await settle(pilot)
        go_to(app, "run budget")
        await pilot.press("enter")
        await pilot.pause()
        await pilot.press(*"much", "enter")
        await settle(pilot)
        assert not any(asked[0] == "raise_budget" for asked in engine_of(app).asked)
        assert any(n.severity == "error" for n in app._notifications)


@pytest.mark.parametrize("key, asked", [("y", ("resume", "r_loop")), ("x", ("cancel", "r_loop", None))])
async def test_what_the_guard_paused_goes_on_or_is_cancelled(
    key: str, asked: tuple[object, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aethermind.bootstrap.environment", lambda composition, names: {})
    app = several()
    async with playing(app) as pilot:
        await pilot.press("I")
        await settle(pilot)
        go_to(app, "guard")
        await pilot.press("enter")
        await pilot.pause()
        await pilot.press(key)
        await settle(pilot)
        assert asked in engine_of(app).asked


async def test_what_comes_while_one_looks_is_shown_and_the_cursor_stays() -> None:
    app = make(research(), waits.approval(seq=1_000))
    async with playing(app) as pilot:
        await pilot.press("I")
        await settle(pilot)
        assert [row.run_id for row in inbox(app).rows] == ["r_ask"]
        engine_of(app).put(*waits.in_doubt(seq=2_000).history)
        await settle(pilot)
        await pilot.pause()
        assert [row.run_id for row in inbox(app).rows] == ["r_doubt", "r_ask"]
        selected = inbox(app).selected
        assert selected is not None
        assert selected.run_id == "r_ask"


async def test_it_leads_to_the_run() -> None:
    app = make(research(), waits.approval(seq=1_000))
    async with playing(app) as pilot:
        await pilot.press("I")
        await settle(pilot)
        await pilot.press("o")
        await settle(pilot)
        assert app.screen is app.main_screen
        assert app.bridge.open_id == "r_ask"


async def test_the_colon_opens_it_and_an_empty_one_says_so() -> None:
    app = make(failed())
    async with playing(app) as pilot:
        await pilot.press(":", *"inbox", "enter")
        await settle(pilot)
        assert "nothing waits for you" in text(app)
        assert "all decided" in text(app)
        await pilot.press("enter")
        assert isinstance(app.screen, InboxScreen)
