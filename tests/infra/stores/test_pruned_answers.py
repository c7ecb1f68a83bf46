"""What `prune` does to answers that could be used again."""

from __future__ import annotations

from pathlib import Path

from aethermind.domain import events as e
from aethermind.infra.stores.sqlite import open_store
from aethermind.infra.stores.upkeep import Upkeep
from tests.infra.stores.histories import DAY, T0, answered, call, created, on, started, succeeded

OVER = e.RunSucceeded(outputs={})


async def test_answers_go_with_their_run_and_an_older_one_counts_again(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    store = await open_store(path, durability="process")
    facts = (created(), started(), call(), answered(content_key="0a"), succeeded())
    await store.append(on("young", *facts), {"run/young": 0})
    await store.append(on("old", *facts, OVER), {"run/old": 0})
    newest = await store.answer("0a")
    assert newest is not None
    assert newest.stream == "run/old"
    await store.close()
    Upkeep(path).prune(T0 + DAY)
    store = await open_store(path, durability="process")
    left = await store.answer("0a")
    assert left is not None
    assert left.stream == "run/young"
    await store.close()
