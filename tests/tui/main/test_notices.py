"""What the engine has to say at once: a store in trouble, a run that was dropped, a feed that broke."""

from __future__ import annotations

from aethermind.domain.errors import StoreError
from aethermind.engine.client import FeedItem, Notice
from aethermind.tui.app import AethermindApp
from tests.tui.fakes import FakeSubscription
from tests.tui.histories import research
from tests.tui.theatre import engine_of, lines, make, playing, settle


def toasts(app: AethermindApp) -> list[str]:
    return [notification.message for notification in app._notifications]


FULL = Notice(kind="held", message="the disk that holds aethermind.db is full")


async def test_a_store_in_trouble_stands_in_the_header_until_it_is_over() -> None:
    app = make(research())
    async with playing(app, (120, 36)) as pilot:
        assert "HELD" not in lines(app)[0]
        engine_of(app).put(FULL)
        await settle(pilot)
        assert "HELD" in lines(app)[0]
        assert any("the disk that holds aethermind.db is full" in said for said in toasts(app))
        engine_of(app).put(Notice(kind="over", message="there is room on the disk again: going on"))
        await settle(pilot)
        assert "HELD" not in lines(app)[0]
        assert any("there is room on the disk again" in said for said in toasts(app))


async def test_it_fits_a_narrow_terminal() -> None:
    app = make(research())
    async with playing(app, (80, 24)) as pilot:
        engine_of(app).put(FULL)
        await settle(pilot)
        assert "HELD" in lines(app)[0]


async def test_a_dropped_run_is_said_and_its_line_read_again() -> None:
    script = research()
    app = make(script)
    async with playing(app) as pilot:
        app.bridge.runs.unknown.clear()
        engine_of(app).put(
            Notice(kind="dropped", message="run r_8f21 was stopped: the disk is full", run_id="r_8f21")
        )
        await settle(pilot)
        assert any("run r_8f21 was stopped: the disk is full" in said for said in toasts(app))
        assert "HELD" not in lines(app)[0]
        assert app.bridge.runs.unknown == set(), "it was asked for"


async def test_a_feed_that_broke_is_said_once_and_the_screen_stays() -> None:
    app = make(research())
    async with playing(app) as pilot:
        subscription = app.bridge._subscription
        assert isinstance(subscription, FakeSubscription)

        def broken(limit: int = 5_000) -> list[FeedItem]:
            raise StoreError("the feed of events broke off: the disk can't be read")

        subscription.drain = broken  # type: ignore[method-assign]  # it breaks
        app.clock.request()
        await settle(pilot)
        assert any("the feed of events broke off" in said for said in toasts(app))
        app.clock.request()
        await settle(pilot)
        assert len(toasts(app)) == 1
        assert app.is_running
