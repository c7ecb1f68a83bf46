"""What every adapter of the port `EventStore` keeps: the log. Its projections are in the file beside."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from aethermind.domain import events as e
from aethermind.domain.errors import ConflictError, InvalidError, StoreError
from aethermind.engine.ports import EventStore
from aethermind.engine.queries import AttemptFilter, LogFilter, RunFilter
from aethermind.infra.stores.memory import InMemoryStore
from aethermind.infra.stores.sqlite import open_store
from tests.infra.stores.histories import T0, call, created, log, on, started, succeeded, system

CAP = 40
"""Log records kept of a run, in these tests."""


@pytest.fixture(params=["memory", "power", "process"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[EventStore]:
    adapter: EventStore
    if request.param == "memory":
        adapter = InMemoryStore(logs_per_run=CAP)
    else:
        adapter = await open_store(tmp_path / "x.db", durability=request.param, logs_per_run=CAP)
    yield adapter
    await adapter.close()


def short(recorded: list[e.Recorded]) -> list[tuple[int, str, int, str]]:
    return [(r.seq, r.stream, r.version, r.type) for r in recorded]


# --- appending ---------------------------------------------------------------------------------


async def test_an_append_is_numbered_and_read_back(store: EventStore) -> None:
    done = await store.append(
        [*on("r", created(), started()), *system(e.TrustRevoked(path="/p")), *on("r", succeeded(output=[1]))],
        {"run/r": 0},
    )
    assert short(done) == [
        (1, "run/r", 1, "RunCreated"),
        (2, "run/r", 2, "AttemptStarted"),
        (3, "system", 1, "TrustRevoked"),
        (4, "run/r", 3, "AttemptSucceeded"),
    ]
    assert await store.read_all(0) == done
    assert await store.read_stream("run/r") == [r for r in done if r.stream == "run/r"]
    assert await store.read_stream("run/r", 2) == [done[3]]
    assert await store.read_stream("run/other") == []
    assert await store.last_seq() == 4


async def test_nothing_to_append(store: EventStore) -> None:
    assert await store.append([], {}) == []
    assert await store.last_seq() == 0
    with pytest.raises(ConflictError):
        await store.append([], {"run/r": 3})


async def test_what_is_read_is_nobody_elses_object(store: EventStore) -> None:
    output = {"list": [1]}
    await store.append(on("r", created(), started(), succeeded(output=output)), {})
    output["list"].append(2)
    event = (await store.read_stream("run/r"))[-1].event
    assert isinstance(event, e.AttemptSucceeded)
    assert event.output == {"list": [1]}


async def test_a_conflict_leaves_nothing_behind(store: EventStore) -> None:
    await store.append(on("r", created()), {"run/r": 0})
    for wrong in (0, 2, 7):
        with pytest.raises(ConflictError, match="run/r is at version 1"):
            await store.append([*on("r", started()), *on("s", created())], {"run/r": wrong, "run/s": 0})
    assert await store.read_stream("run/s") == []
    assert len((await store.runs(RunFilter())).items) == 1
    assert (await store.attempts(AttemptFilter())).items == []
    assert short(await store.append(on("r", started()), {"run/r": 1})) == [(2, "run/r", 2, "AttemptStarted")]


async def test_a_stream_believed_to_be_new_is_not(store: EventStore) -> None:
    """Also when the store has forgotten that it knows better: a new stream is not looked up."""
    await store.append(on("r", created()), {"run/r": 0})
    results = await asyncio.gather(
        store.append(on("r", started()), {"run/r": 0}),
        store.append(on("s", created()), {"run/s": 0}),
        return_exceptions=True,
    )
    assert isinstance(results[0], ConflictError)
    assert isinstance(results[1], list)


async def test_unguarded_streams_take_any_version(store: EventStore) -> None:
    for n in range(3):
        await store.append(system(e.TrustGranted(path=f"/{n}", sha256=None)), {})
    assert [r.version for r in await store.read_stream("system")] == [1, 2, 3]


async def test_of_two_owners_one_wins(store: EventStore) -> None:
    await store.append(on("r", created()), {"run/r": 0})
    results = await asyncio.gather(
        *(store.append(on("r", started(attempt=n)), {"run/r": 1}) for n in range(1, 6)),
        return_exceptions=True,
    )
    assert [isinstance(r, ConflictError) for r in results] == [False, True, True, True, True]
    assert len(await store.read_stream("run/r")) == 2


async def test_concurrent_appends_are_atomic_and_in_order(store: EventStore) -> None:
    async def chain(name: str) -> list[int]:
        seqs = [r.seq for r in await store.append(on(name, created()), {f"run/{name}": 0})]
        for n in range(1, 21):
            pair = await store.append(
                on(name, started("a", n), succeeded("a", n)), {f"run/{name}": 2 * n - 1}
            )
            assert pair[1].seq == pair[0].seq + 1
            seqs += [r.seq for r in pair]
        return seqs

    chains = await asyncio.gather(*(chain(f"r{n}") for n in range(25)))
    assert sorted(seq for seqs in chains for seq in seqs) == list(range(1, 25 * 41 + 1))
    assert all(seqs == sorted(seqs) for seqs in chains)
    everything = await store.read_all(0, limit=10_000)
    assert [r.seq for r in everything] == list(range(1, 25 * 41 + 1))
    for n, seqs in enumerate(chains):
        stream = await store.read_stream(f"run/r{n}")
        assert [r.seq for r in stream] == seqs
        assert [r.version for r in stream] == list(range(1, 42))


async def test_what_cannot_be_encoded_fails_alone(store: EventStore) -> None:
    results = await asyncio.gather(
        store.append(on("r", created()), {"run/r": 0}),
        store.append([*on("s", created()), *on("s", succeeded(output=object()))], {"run/s": 0}),
        store.append(on("t", created(), succeeded(output="\ud800")), {"run/t": 0}),
        store.append(on("u", created()), {"run/u": 0}),
        return_exceptions=True,
    )
    assert [isinstance(r, InvalidError) for r in results] == [False, True, True, False]
    assert [run.id for run in (await store.runs(RunFilter())).items] == ["u", "r"]


async def test_hostile_text_is_kept_as_it_is(store: EventStore) -> None:
    nasty = "\x00\x1b[31m\u202e'; DROP TABLE events; -- \U0001f600\n"
    await store.append([*on(nasty, created(nasty), started(nasty, agent=nasty)), *on("r", log(nasty))], {})
    assert (await store.read_stream(f"run/{nasty}"))[1].event == started(nasty, agent=nasty)
    assert (await store.runs(RunFilter(workflow=nasty))).items[0].id == nasty
    assert (await store.logs(LogFilter())).items[0].message == nasty


# --- reading -----------------------------------------------------------------------------------


async def test_reading_on_from_any_seq(store: EventStore) -> None:
    for n in range(30):
        await store.append([*on("r", started("a", n + 1)), *on("s", started("b", n + 1), log(str(n)))], {})
        if n < 5:
            await store.append(on("r", log(f"r{n}")), {})
    everything = await store.read_all(0)
    assert [r.seq for r in everything] == list(range(1, 96))
    for stream in (None, "run/r", "run/s", "run/none"):
        mine = [r for r in everything if stream in {None, r.stream}]
        for after in (0, 1, 7, 20, 50, 93, 94, 95, 1000):
            wanted = [r for r in mine if r.seq > after]
            assert await store.read_all(after, stream=stream) == wanted
            assert await store.read_all(after, limit=4, stream=stream) == wanted[:4]


async def test_a_long_stream_is_read_whole(store: EventStore) -> None:
    await store.append(on("r", *(started("a", n) for n in range(1, 2502))), {})
    assert [r.version for r in await store.read_stream("run/r")] == list(range(1, 2502))
    assert [r.version for r in await store.read_stream("run/r", 1499)] == list(range(1500, 2502))


# --- logs --------------------------------------------------------------------------------------


async def test_logs_take_a_seq_but_no_version(store: EventStore) -> None:
    done = await store.append(
        on("r", log("early"), created(), log("late", metadata={"k": [1]}), started()), {}
    )
    assert [(r.seq, r.version) for r in done] == [(1, 0), (2, 1), (3, 0), (4, 2)]
    assert [r.type for r in await store.read_stream("run/r")] == ["RunCreated", "AttemptStarted"]
    assert await store.read_all(0) == done
    await store.append(on("r", log("again")), {"run/r": 2})


async def test_logs_of_a_run_are_capped_with_one_marker(store: EventStore) -> None:
    first = await store.append(on("r", created(), *(log(str(n)) for n in range(CAP - 2))), {})
    assert len(first) == CAP - 1
    second = await store.append(on("r", *(log(str(n)) for n in range(CAP - 2, 90)), started()), {"run/r": 1})
    assert [r.type for r in second] == ["LogWritten"] * 3 + ["AttemptStarted"]
    assert await store.append(on("r", log("more")), {}) == []
    rows = (await store.logs(LogFilter(run_id="r"))).items
    assert [row.message for row in rows[:CAP]] == [str(n) for n in range(CAP)]
    assert [(row.level, row.metadata) for row in rows[CAP:]] == [("warning", {"truncated": True})]
    assert len(await store.append(on("s", log("another run")), {})) == 1
    assert len(await store.append(system(*(log(str(n)) for n in range(CAP + 9))), {})) == CAP + 9


async def test_filters_of_logs(store: EventStore) -> None:
    await store.append(
        on(
            "r",
            log("Alpha", "debug", step="a"),
            log("beta", "info", step="a[1]", agent="writer"),
            log("GAMMA alpha", "warning", step="ab"),
            log("100%_", "error", step="a#2/x", attempt=3, metadata={"k": 1}),
        ),
        {},
    )
    await store.append([*on("s", log("alpha", "error")), *system(log("none"))], {})

    async def found(**where: object) -> list[str]:
        return [row.message for row in (await store.logs(LogFilter(**where))).items]  # type: ignore[arg-type]  # checked by use

    assert await found() == ["Alpha", "beta", "GAMMA alpha", "100%_", "alpha", "none"]
    assert await found(run_id="r") == ["Alpha", "beta", "GAMMA alpha", "100%_"]
    assert await found(run_id="nobody") == []
    assert await found(min_level="info", run_id="r") == ["beta", "GAMMA alpha", "100%_"]
    assert await found(min_level="warning", run_id="r") == ["GAMMA alpha", "100%_"]
    assert await found(min_level="error") == ["100%_", "alpha"]
    assert await found(step="a") == ["Alpha", "beta", "100%_"]
    assert await found(step="a[1]") == ["beta"]
    assert await found(agent="writer") == ["beta"]
    assert await found(text="ALPHA") == ["Alpha", "GAMMA alpha", "alpha"]
    assert await found(text="%_") == ["100%_"]
    assert await found(after_seq=3, run_id="r") == ["100%_"]
    row = (await store.logs(LogFilter(text="100"))).items[0]
    assert (row.seq, row.at, row.run_id, row.level, row.step) == (4, T0 + 3, "r", "error", "a#2/x")
    assert (row.attempt, row.agent, row.metadata) == (3, None, {"k": 1})
    assert (await store.logs(LogFilter(text="none"))).items[0].run_id is None


# --- pages -------------------------------------------------------------------------------------


async def test_pages_have_no_gaps_and_no_doubles(store: EventStore) -> None:
    for n in range(23):
        await store.append(
            on(f"r{n:02}", created(), started("a", 1, "writer"), log(str(n)), log("x", "error")), {}
        )
    await store.append(on("r00", *(call(n=n) for n in range(1, 24))), {})
    await store.append(on("r00", *(started("b", n) for n in range(1, 23))), {})

    async def all_of(page: Any, limit: int) -> list[Any]:
        items, cursor = [], None
        while True:
            got = await page(limit=limit, cursor=cursor)
            assert len(got.items) <= limit
            items += got.items
            if got.next is None:
                return items
            assert len(got.items) == limit
            cursor = got.next

    listings = [
        lambda **k: store.runs(RunFilter(), **k),
        lambda **k: store.runs(RunFilter(id_prefix="r"), **k),
        lambda **k: store.runs(RunFilter(status="running", workflow="flow"), **k),
        lambda **k: store.attempts(AttemptFilter(agent="writer"), **k),
        lambda **k: store.attempts(AttemptFilter(run_id="r00"), **k),
        lambda **k: store.calls("r00", **k),
        lambda **k: store.logs(LogFilter(min_level="error"), **k),
    ]
    for page in listings:
        whole = await all_of(page, 1000)
        assert len(whole) == 23
        for limit in (1, 5, 22, 23, 24):
            assert await all_of(page, limit) == whole


@pytest.mark.parametrize("cursor", ["", "!", "a", "AAAAAAAAAAAAAAAAAAAAAAAA", "1 OR 1=1", "é"])
async def test_a_cursor_that_is_none(store: EventStore, cursor: str) -> None:
    with pytest.raises(InvalidError, match="cursor"):
        await store.runs(RunFilter(), cursor=cursor)
    with pytest.raises(InvalidError, match="page of 0"):
        await store.logs(LogFilter(), limit=0)


# --- the end -----------------------------------------------------------------------------------


async def test_closing_twice_is_fine_and_nothing_works_after(store: EventStore) -> None:
    pending = [asyncio.ensure_future(store.append(on(f"r{n}", created()), {})) for n in range(10)]
    await asyncio.sleep(0)
    await store.close()
    assert all(len(done) == 1 for done in await asyncio.gather(*pending))
    await store.close()
    with pytest.raises(StoreError, match="closed"):
        await store.append(on("r", created()), {})
    with pytest.raises(StoreError, match="closed"):
        await store.runs(RunFilter())
