"""Any events in any order: both stores hold the same, and a rebuild or a restart changes nothing."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from aethermind.domain.events import Draft
from aethermind.engine.queries import AttemptFilter, CostFilter, LogFilter, Partial, RunFilter
from aethermind.infra.stores.memory import InMemoryStore
from aethermind.infra.stores.sqlite import SqliteStore, open_store
from tests.infra.stores.histories import T0, appends

Store = SqliteStore | InMemoryStore
RUNS = ("r_1", "r_2", "r_22")
GROUPS: tuple[Any, ...] = ("model", "agent", "workflow", "day", "run")


async def answers(store: Store, since: int) -> list[Any]:
    """All that can be asked of it."""
    found: list[Any] = [
        await store.read_all(0, limit=10_000),
        await store.last_seq(),
        await store.agents(),
        await store.workflows(),
        [await store.runs(RunFilter(id_prefix=p)) for p in ("", *RUNS)],
        [await store.runs(RunFilter(status=s)) for s in ("queued", "running", "parked", "failed")],
        await store.runs(RunFilter(unfinished=True, workflow="flow")),
        [await store.attempts(AttemptFilter(run_id=r)) for r in (None, *RUNS)],
        [await store.attempts(AttemptFilter(agent="writer", status=s)) for s in ("running", "lost")],
        [await store.attempts(AttemptFilter(status=s)) for s in ("running", "lost")],
        [await store.logs(LogFilter(run_id=r, min_level="warning")) for r in (None, *RUNS)],
        await store.logs(LogFilter(step="b", text="A")),
        [await store.trusted(p, h) for p in ("/p", "/q") for h in (None, "aa", "bb")],
        [await store.tokens(), await store.token("aa"), await store.token("cc")],
        [await store.registered_workflow(n) for n in "vw"],
        [await store.registered_agent(n) for n in ("writer", "other")],
        await store.audit(limit=1_000),
    ]  # fmt: skip
    for run in RUNS:
        found += [await store.read_stream(f"run/{run}"), await store.calls(run), await store.partials(run)]
        found.append(await store.read_all(3, limit=5, stream=f"run/{run}"))
    for by in GROUPS:
        for simulated in (False, True):
            for start in (None, since):
                found.append(await store.costs(CostFilter(by=by, simulated=simulated, since=start)))
    return found


@settings(max_examples=60, deadline=None)
@given(appends, st.integers(T0 - 1, T0 + 250_000_000))
def test_both_stores_tell_the_same(history: list[list[Draft]], since: int) -> None:
    async def scenario(directory: str) -> None:
        path = Path(directory) / "x.db"
        memory = InMemoryStore(logs_per_run=3)
        disk = await open_store(path, durability="process", logs_per_run=3)
        half = len(history) // 2
        partial = Partial(run_id="r_1", step="a", attempt=1, call=1, text="…")
        for part in (history[:half], history[half:]):
            # All at once: they share a transaction or not, as it happens.
            done = await asyncio.gather(*(disk.append(drafts, {}) for drafts in part))
            assert [await memory.append(drafts, {}) for drafts in part] == done
            await asyncio.gather(disk.save_partials([partial]), memory.save_partials([partial]))
            # A restart in the middle: what was in memory has to be found again.
            await disk.close()
            disk = await open_store(path, durability="process", logs_per_run=3)
        wanted = await answers(memory, since)
        assert await answers(disk, since) == wanted
        hashes = await memory.projection_hashes()
        assert await disk.projection_hashes() == hashes
        for store in (memory, disk):
            await store.rebuild()
            assert await store.projection_hashes() == hashes
            assert await answers(store, since) == wanted
            await check_money(store)
            verdict = await store.verify_audit()
            assert verdict.ok, verdict.problem
            await store.close()

    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(scenario(directory))


async def check_money(store: Store) -> None:
    """Every grouping sums up to the same, and to what the runs say."""
    runs = (await store.runs(RunFilter())).items
    for simulated in (False, True):
        totals = []
        for by in GROUPS:
            rows = await store.costs(CostFilter(by=by, simulated=simulated))
            totals.append((
                sum(row.calls for row in rows),
                sum(row.cost_micro_usd or 0 for row in rows),
                sum(row.unpriced_calls for row in rows),
                sum(row.in_flight_calls for row in rows),
                sum(row.reserved_micro_usd for row in rows),
                sum(row.usage.total_tokens for row in rows),
            ))  # fmt: skip
        assert len(set(totals)) == 1
        mine = [run for run in runs if run.simulated == simulated]
        assert totals[0][1] == sum(run.cost_micro_usd or 0 for run in mine)
        assert totals[0][2] == sum(run.unpriced_calls for run in mine)
        assert totals[0][5] == sum(run.usage.total_tokens for run in mine)
