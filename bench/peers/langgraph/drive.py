"""W1–W4 on LangGraph, as fast as it honestly goes with each step durable.

Chosen, after reading the installed code:
- `AsyncSqliteSaver` with `durability="sync"`: the next superstep waits until the checkpoint is written. The
  saver switches WAL on; `synchronous` is SQLite's FULL, or NORMAL where only a crash is to be survived.
- One channel that keeps the last answer. A channel per step (or a growing list) would put all answers so far
  into each checkpoint, which is quadratic in W1; like this, each answer is once in `writes` and none grows.
- Static nodes and edges; a fan-out by `Send` was no faster. The graph is compiled before the clock starts,
  and all runs share it.
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, TypedDict

import aiosqlite
from langgraph.checkpoint.sqlite.aio import (  # type: ignore[import-not-found]  # only in the peer's environment
    AsyncSqliteSaver,
)
from langgraph.graph import START, StateGraph  # type: ignore[import-not-found]  # the same

from bench.engine.limit import ANSWER, SLEEP_S, WORKLOADS, Dag
from bench.engine.serve import Watch, serve


def _last(_before: Any, after: Any) -> Any:
    return after


class Kept(TypedDict, total=False):
    answer: Annotated[Any, _last]


async def noop(state: Kept) -> Kept:
    return {"answer": ANSWER}


async def sleepy(state: Kept) -> Kept:
    await asyncio.sleep(SLEEP_S)
    return {"answer": ANSWER}


def graph(dag: Dag, *, sleep: float) -> Any:
    made = StateGraph(Kept)
    for name in dag:
        made.add_node(name, sleepy if sleep else noop)
    for name, needs in dag.items():
        if len(needs) > 1:
            made.add_edge(list(needs), name)
        else:
            made.add_edge(needs[0] if needs else START, name)
    return made


async def run(workload: str, db_path: str, full: bool) -> Watch:
    dag, runs, sleep = WORKLOADS[workload]
    async with aiosqlite.connect(db_path) as db:
        saver = AsyncSqliteSaver(db)
        await saver.setup()
        await db.execute(f"PRAGMA synchronous = {'FULL' if full else 'NORMAL'}")
        app = graph(dag, sleep=sleep).compile(checkpointer=saver)

        async def one(n: int) -> None:
            config = {"configurable": {"thread_id": f"r{n}"}, "recursion_limit": len(dag) + 10}
            await app.ainvoke({"answer": None}, config, durability="sync")

        with Watch() as watch:
            await asyncio.gather(*(one(n) for n in range(runs)))
        sql = "SELECT count(DISTINCT thread_id || task_id) FROM writes WHERE channel = 'answer'"
        async with db.execute(sql) as cursor:
            row = await cursor.fetchone()
        # The input is written like an answer, once for each run.
        if row is None or row[0] - runs not in {len(dag) * runs, (len(dag) - 1) * runs}:
            raise RuntimeError(f"{row} answers on disk")
    return watch


if __name__ == "__main__":
    serve(run)
