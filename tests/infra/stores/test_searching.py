"""Searching the log: each page looks at a bounded number of records, and all pages together find all."""

from __future__ import annotations

from pathlib import Path

import pytest

from aethermind.engine.queries import LogFilter, LogRow
from aethermind.infra.stores import sqlite
from tests.infra.stores.histories import log, on, system


@pytest.mark.parametrize("scan", [1, 3, 7, 1_000])
@pytest.mark.parametrize("limit", [1, 2, 50])
async def test_all_pages_of_a_search_find_what_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scan: int, limit: int
) -> None:
    monkeypatch.setattr(sqlite, "SEARCHED_AT_ONCE", scan)
    store = await sqlite.open_store(tmp_path / "x.db", durability="process")
    try:
        wanted = []
        for n in range(30):
            hit = n % 11 == 0
            await store.append(on("r", log("needle" if hit else "hay", step=f"s{n}")), {})
            await store.append(system(log("needle of nobody")), {})
            wanted += [f"s{n}"] if hit else []
        where = LogFilter(run_id="r", text="NEEDLE")
        found: list[LogRow] = []
        cursor: str | None = None
        for _ in range(200):
            page = await store.logs(where, limit=limit, cursor=cursor)
            assert len(page.items) <= limit
            found += page.items
            if (cursor := page.next) is None:
                break
        assert cursor is None
        assert [row.step for row in found] == wanted
    finally:
        await store.close()
