"""Pruning of whatever was recorded, and the room that it gives back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from aethermind.domain import events as e
from aethermind.engine.queries import RunFilter
from aethermind.infra.stores.inspection import check
from aethermind.infra.stores.upkeep import Upkeep
from tests.infra.stores.files import OVER, costs, opened
from tests.infra.stores.histories import DAY, T0, appends, created, on, started, succeeded


async def test_the_space_goes_back_to_the_disk(tmp_path: Path) -> None:
    store = await opened(tmp_path / "x.db")
    for number in range(20):
        history = (created(), started(), succeeded(output="long " * 5_000), OVER)
        await store.append(on(f"r{number}", *history), {})
    await store.close()
    size = (tmp_path / "x.db").stat().st_size
    pruned = Upkeep(tmp_path / "x.db").prune(T0 + DAY)
    assert len(pruned.runs) == 20
    assert (tmp_path / "x.db").stat().st_size < size / 2
    assert pruned.freed_bytes > size / 2
    assert pruned.note is None


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=appends)
async def test_whatever_was_recorded_pruning_keeps_the_sums_and_the_rest(
    tmp_path_factory: pytest.TempPathFactory, history: Sequence[Sequence[e.Draft]]
) -> None:
    path = tmp_path_factory.mktemp("random") / "x.db"
    store = await opened(path)
    for drafts in history:
        await store.append(drafts, {})
    spent = await costs(store), await costs(store, simulated=True)
    finished = {row.id for row in (await store.runs(RunFilter())).items if row.finished_at is not None}
    await store.close()
    pruned = Upkeep(path).prune(T0 + 1_000 * DAY)
    assert {run.id for run in pruned.runs} == finished
    assert not any(table.changed for table in Upkeep(path).rebuild())
    assert [p for p in check(path).problems if p.check != "files"] == []
    store = await opened(path)
    assert (await costs(store), await costs(store, simulated=True)) == spent
    await store.close()
