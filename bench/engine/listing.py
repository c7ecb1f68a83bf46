"""Listings from 100,000 runs and 10,000,000 log lines: first, middle and last pages, each with usual filters.

    python -m bench.engine.listing FILE PAGES       every page so often, told as JSON

Asked is the store, as the client does; the pages have the sizes that the screen and the commands ask for. The
system's file cache is warm, the connection's is not at the first query (which p95 of 20 leaves out).
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, NamedTuple

from aethermind.engine.queries import AttemptFilter, CostFilter, CostGroup, LogFilter, RunFilter
from aethermind.infra.stores.pages import encode_cursor
from aethermind.infra.stores.sqlite import SqliteStore
from bench.engine import past
from bench.engine.child import ask, tell
from bench.engine.goals import Line, quantile
from bench.engine.plan import Plan

GOAL_MS = 50.0
RUNS, LOGS, ATTEMPTS, COSTS = 50, 200, 100, 200
"""Rows of a page."""
GROUPS: tuple[CostGroup, ...] = ("model", "agent", "workflow", "day", "run")


class Query(NamedTuple):
    listing: str
    what: str
    ask: Callable[[], Awaitable[Any]]


def lines(plan: Plan) -> list[Line]:
    file = past.cached(plan.past_runs, plan.log_lines)
    told = ask("bench.engine.listing", file, plan.pages)
    made = []
    for listing, pages in told.items():
        slowest = max(pages, key=lambda page: page["p95_ms"])
        over = [page["what"] for page in pages if page["p95_ms"] > GOAL_MS]
        typical = sorted(page["p50_ms"] for page in pages)[len(pages) // 2]
        note = f"slowest p95 of {len(pages)}: {slowest['what']}; p50 of the middle one {typical:.2f} ms"
        if over:
            note += f"; over: {', '.join(over)}"
        made.append(
            Line(
                part="listing",
                what=f"a page of {listing}",
                measured=slowest["p95_ms"],
                unit="ms",
                goal=GOAL_MS,
                note=note,
            )
        )
    return made


def _places(last_seq: int, *, newest_first: bool) -> Iterator[tuple[str, str | None]]:
    """First, middle and last page: their names and cursors."""
    yield "first", None
    yield "middle", encode_cursor(last_seq // 2)
    yield "last", encode_cursor(last_seq // 500 if newest_first else last_seq - last_seq // 500)


async def _queries(store: SqliteStore) -> list[Query]:
    last_run = (await store.runs(RunFilter(), limit=1)).items[0]
    count = int(last_run.id.removeprefix("r_")) + 1
    some = past.run_id(count // 2)
    top = await store.last_seq()
    events = await _last_event(store, some, top)
    made: list[Query] = []
    for what, where in {
        "all": RunFilter(),
        "failed": RunFilter(status="failed"),
        "of a workflow": RunFilter(workflow=past.WORKFLOWS[3]),
        "failed of a workflow": RunFilter(workflow=past.WORKFLOWS[3], status="failed"),
        "unfinished": RunFilter(unfinished=True),
        "by prefix": RunFilter(id_prefix=some[:-2]),
    }.items():
        for place, cursor in _places(events, newest_first=True):
            made.append(Query("runs", f"{what}, {place}", _bound(store.runs, where, RUNS, cursor)))
    for what, filter_ in {
        "all": LogFilter(),
        "warnings": LogFilter(min_level="warning"),
        "errors": LogFilter(min_level="error"),
        "of a run": LogFilter(run_id=some),
        "errors of a run": LogFilter(run_id=some, min_level="error"),
        "of a step of a run": LogFilter(run_id=some, step="check"),
        "of an agent": LogFilter(agent=past.AGENTS[3]),
        "with a text": LogFilter(text="retrying"),
        "with a rare text": LogFilter(text="retrying request 976: the answer"),
    }.items():
        for place, cursor in _places(top, newest_first=False):
            made.append(Query("logs", f"{what}, {place}", _bound(store.logs, filter_, LOGS, cursor)))
    for what, wanted in {
        "all": AttemptFilter(),
        "failed": AttemptFilter(status="failed"),
        "of an agent": AttemptFilter(agent=past.AGENTS[3]),
        "failed of an agent": AttemptFilter(agent=past.AGENTS[3], status="failed"),
        "running": AttemptFilter(status="running"),
        "of a run": AttemptFilter(run_id=some),
    }.items():
        for place, cursor in _places(events, newest_first=True):
            made.append(
                Query("attempts", f"{what}, {place}", _bound(store.attempts, wanted, ATTEMPTS, cursor))
            )
    since = past.START + past.DAYS * past.DAY_MS * 9 // 10
    for group in GROUPS:
        for what, start in (("all", None), ("since", since)):
            costs = CostFilter(by=group, since=start, limit=COSTS)
            made.append(Query("costs", f"by {group}, {what}", lambda costs=costs: store.costs(costs)))  # type: ignore[misc]  # bound as a default
    made.append(Query("costs", "calls of a run", lambda: store.calls(some)))
    return made


async def _last_event(store: SqliteStore, some: str, top: int) -> int:
    """The seqs of runs end before those of the log lines; twice the middle run's is about their end."""
    history = await store.read_stream(f"run/{some}")
    return min(top, history[0].seq * 2)


def _bound(
    page: Callable[..., Awaitable[Any]], where: object, limit: int, cursor: str | None
) -> Callable[[], Awaitable[Any]]:
    return lambda: page(where, limit=limit, cursor=cursor)


async def measure(file: str, times: int) -> None:
    from pathlib import Path

    store = SqliteStore(Path(file), read_only=True)
    await store.start()
    found: dict[str, list[dict[str, Any]]] = {}
    try:
        for query in await _queries(store):
            took = []
            for _ in range(times):
                began = time.perf_counter()
                await query.ask()
                took.append((time.perf_counter() - began) * 1_000)
                if sum(took) > 3_000:  # its verdict is clear; the others are waiting
                    break
            page = {"what": query.what, "p50_ms": quantile(took, 0.5), "p95_ms": quantile(took, 0.95)}
            found.setdefault(query.listing, []).append(page)
    finally:
        await store.close()
    tell(found)


if __name__ == "__main__":
    asyncio.run(measure(sys.argv[1], int(sys.argv[2])))
