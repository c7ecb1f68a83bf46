"""Databases in files, opened to be written and added up."""

from __future__ import annotations

from pathlib import Path

from aethermind.domain import events as e
from aethermind.engine.queries import CostFilter
from aethermind.infra.stores.sqlite import SqliteStore, open_store

OVER = e.RunSucceeded(outputs={"x": 1})


async def opened(path: Path) -> SqliteStore:
    store = await open_store(path, durability="process")
    assert isinstance(store, SqliteStore)
    return store


async def costs(store: SqliteStore, simulated: bool = False) -> list[object]:
    return [
        await store.costs(CostFilter(by=by, simulated=simulated))
        for by in ("day", "model", "agent", "workflow")
    ]
