"""W1, W3 and W4 on Burr, as fast as it honestly goes with each step durable. It has no W2.

Chosen, after reading the installed code:
- `AsyncSQLitePersister`, one connection for all applications, switched to WAL and to FULL or NORMAL: its
  default, a rollback journal, was many times slower.
- The state holds the last answer only, so that a saved state does not grow with the run.
- Burr's applications are linear: a → (b, c) → d → e is run as a → b → c → d → e, which makes the sleeping W4
  one level longer (ideal 0.25 s). Its parallel sub-applications would each be an application of its own.
- Applications are built before the clock starts.
"""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import aiosqlite
from burr.core import (  # type: ignore[import-not-found]  # only in the peer's environment
    ApplicationBuilder,
    State,
    action,
)
from burr.integrations.persisters.b_aiosqlite import (  # type: ignore[import-not-found]  # the same
    AsyncSQLitePersister,
)

from bench.engine.limit import ANSWER, SLEEP_S, WORKLOADS
from bench.engine.serve import Watch, serve


@action(reads=[], writes=["answer"])  # type: ignore[untyped-decorator]  # the same
async def noop(state: Any) -> Any:
    return state.update(answer=ANSWER)


@action(reads=[], writes=["answer"])  # type: ignore[untyped-decorator]  # the same
async def sleepy(state: Any) -> Any:
    await asyncio.sleep(SLEEP_S)
    return state.update(answer=ANSWER)


async def run(workload: str, db_path: str, full: bool) -> Watch:
    dag, runs, sleep = WORKLOADS[workload]
    names = list(dag)
    async with aiosqlite.connect(db_path) as db:
        await db.execute("PRAGMA journal_mode = WAL")
        await db.execute(f"PRAGMA synchronous = {'FULL' if full else 'NORMAL'}")
        persister = AsyncSQLitePersister(db)
        await persister.initialize()
        step = sleepy if sleep else noop
        apps = [
            await ApplicationBuilder()
            .with_actions(**dict.fromkeys(names, step))
            .with_transitions(*pairwise(names))
            .with_entrypoint(names[0])
            .with_state(State({"answer": None}))
            .with_identifiers(app_id=f"r{n}")
            .with_state_persister(persister)
            .abuild()
            for n in range(runs)
        ]
        with Watch() as watch:
            await asyncio.gather(*(app.arun(halt_after=[names[-1]]) for app in apps))
        async with db.execute("SELECT count(*) FROM burr_state") as cursor:
            row = await cursor.fetchone()
        if row is None or row[0] < len(dag) * runs:
            raise RuntimeError(f"{row} states on disk")
    return watch


if __name__ == "__main__":
    serve(run)
