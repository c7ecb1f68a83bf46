from __future__ import annotations

import asyncio

from aethermind.engine.queries import Page, RunFilter, RunRow
from aethermind.tui.past import FIRST, MORE, Past
from aethermind.tui.rows.runs import RunItem, RunList, Shown
from tests.tui.fakes import FakeEngine
from tests.tui.histories import T0, failed, research
from tests.tui.theatre import engine_of, lines, make, playing, settle, text

COUNT = FIRST + MORE + 50


class Stored:
    """So many finished runs: `r_00000` is the oldest, every hundredth failed."""

    def __init__(self, count: int) -> None:
        self.rows = [
            RunRow(
                id=f"r_{n:05}",
                workflow="nightly" if n else "first",
                status="failed" if n % 100 == 7 else "succeeded",
                created_at=T0 - 10_000_000 + n * 1_000,
                finished_at=T0,
            )
            for n in range(count)
        ]
        self.rows.reverse()
        self.asked: list[tuple[RunFilter, int]] = []

    async def runs(self, where: RunFilter, *, limit: int = 50, cursor: str | None = None) -> Page[RunRow]:
        self.asked.append((where, limit))
        await asyncio.sleep(0)  # others get their turn meanwhile
        found = [
            row
            for row in self.rows
            if (where.text or "") in f"{row.id} {row.workflow} {row.status}"
            and row.id.startswith(where.id_prefix or "")
            and not (where.unfinished and row.finished_at is not None)
        ]
        begin = int(cursor or 0)
        return Page(found[begin : begin + limit], str(begin + limit) if begin + limit < len(found) else None)


def past_of(count: int) -> tuple[Past, RunList, Stored]:
    stored, engine, known = Stored(count), FakeEngine(), RunList()
    engine.client.runs = stored.runs  # type: ignore[method-assign]  # more runs than are worth a history
    return Past(engine, known), known, stored


def seen(known: RunList, filtered: str = "") -> list[RunItem]:
    shown = Shown()
    shown.update(known, filtered, frozenset())
    return shown.items


async def test_the_list_is_read_page_by_page() -> None:
    past, known, stored = past_of(COUNT)
    await past.begin()
    assert (len(known), known.more) == (FIRST, True)
    await past.more()
    assert (len(known), known.more) == (FIRST + MORE, True)
    await past.more()
    assert (len(known), known.more) == (COUNT, False)
    assert [item.id for item in known.items] == [row.id for row in stored.rows]
    asked = len(stored.asked)
    await past.more()
    assert len(stored.asked) == asked, "there is no more to ask for"


async def test_who_goes_to_the_end_gets_all_of_it_though_a_page_is_on_its_way() -> None:
    past, known, stored = past_of(COUNT)
    await past.begin()
    await asyncio.gather(past.more(), past.more(everything=True), past.more())
    assert (len(known), known.more) == (COUNT, False)
    assert len(stored.asked) == 3, "each page once"


async def test_a_filter_finds_what_was_not_read() -> None:
    past, known, _ = past_of(COUNT)
    await past.begin()
    await past.seek("first")
    assert [item.id for item in seen(known, "first")] == ["r_00000"]
    assert len(seen(known)) == FIRST, "what lies between is not known: there it is not shown"
    await past.more(everything=True)
    assert len(seen(known)) == len(known) == COUNT
    assert not known.sought


async def test_only_the_last_of_what_is_typed_meanwhile_is_sought_and_nothing_twice() -> None:
    past, _, stored = past_of(COUNT)
    await past.begin()
    await asyncio.gather(*(past.seek(typed) for typed in ("f", "fi", "fir", "fail")))
    assert [where.text for where, _ in stored.asked if where.text] == ["f", "fail"]
    await past.seek("fail")
    await past.seek("")
    assert [where.text for where, _ in stored.asked if where.text] == ["f", "fail"]


async def test_what_is_opened_or_goes_on_is_in_the_list_from_then_on() -> None:
    past, known, stored = past_of(COUNT)
    await past.begin()
    await past.seek("first")
    known.keep("r_00000")
    assert seen(known)[-1].id == "r_00000"
    known.merge(stored.rows[-2], sought=True)
    assert seen(known)[-2].id != "r_00001"
    known.apply(failed(run_id="r_00001").history[0])
    assert seen(known)[-2].id == "r_00001"


async def test_going_down_the_list_and_filtering_it_read_on() -> None:
    app = make(research(), failed(), start=None)
    stored = Stored(COUNT)
    engine_of(app).client.runs = stored.runs  # type: ignore[method-assign]  # more runs than are worth a history
    async with playing(app) as pilot:
        assert f"2 Runs {FIRST}+" in text(app)
        await pilot.press("2", "G")
        await settle(pilot)
        assert f"2 Runs {COUNT} " in text(app)
        assert app.main_screen.runs_pane.cursor == COUNT - 1
        assert app.main_screen.runs_pane.selected is not None
        assert app.main_screen.runs_pane.selected.id == "r_00000"


async def test_a_filter_reaches_beyond_what_was_read() -> None:
    app = make(research(), failed(), start=None)
    stored = Stored(COUNT)
    engine_of(app).client.runs = stored.runs  # type: ignore[method-assign]  # more runs than are worth a history
    async with playing(app) as pilot:
        await pilot.press("2", "slash", *"first", "enter")
        await settle(pilot)
        assert any("r_0000" in line and "first" in line for line in lines(app))
        assert app.main_screen.runs_pane.row_count() == 1
