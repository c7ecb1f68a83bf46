"""What every adapter of the port `EventStore` keeps: the projections, against scripted histories."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from aethermind.domain import events as e
from aethermind.domain.usage import Cost, Usage
from aethermind.engine.queries import (
    AttemptFilter,
    CostFilter,
    Partial,
    RunFilter,
    RunRow,
)
from aethermind.infra.stores.memory import InMemoryStore
from aethermind.infra.stores.sqlite import SqliteStore, open_store
from tests.infra.stores.histories import (
    FLOW,
    T0,
    answered,
    call,
    created,
    error,
    failed,
    lost,
    on,
    refused,
    started,
    succeeded,
    system,
)

Store = SqliteStore | InMemoryStore


@pytest.fixture(params=["memory", "power", "process"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    adapter: Store
    if request.param == "memory":
        adapter = InMemoryStore()
    else:
        adapter = await open_store(tmp_path / "x.db", durability=request.param)
    yield adapter
    before = await adapter.projection_hashes()
    await adapter.rebuild()
    assert await adapter.projection_hashes() == before, "a rebuild changed the projections"
    await adapter.close()


async def run_row(store: Store, run: str = "r") -> RunRow:
    (row,) = (await store.runs(RunFilter(id_prefix=run))).items
    return row


# --- runs --------------------------------------------------------------------------------------


async def test_status_of_a_run(store: Store) -> None:
    def opened(step: str, about: Any) -> e.AskOpened:
        return e.AskOpened(step=step, attempt=1, about=about, message="?")

    def held(step: str, attempt: int = 1) -> e.BudgetHeld:
        return e.BudgetHeld(
            step=step, attempt=attempt, scope="run", needed_micro_usd=2, available_micro_usd=1
        )

    answer = e.AskAnswered(step="a", values={}, by="me")
    script: list[tuple[e.AnyEvent, str]] = [
        (created(), "queued"),
        (e.RunPaused(), "paused"),
        (e.RunResumed(), "queued"),
        (started("a"), "running"),
        (e.RunPaused(), "paused"),
        (e.RunResumed(), "running"),
        (opened("a", "ask"), "waiting_answer"),
        (started("b"), "running"),  # it works, whatever else of it waits
        (answer, "running"),
        (lost("a"), "running"),
        (opened("a", "in_doubt"), "running"),
        (opened("b", "tool"), "parked"),
        (answer, "waiting_answer"),
        (e.AskExpired(step="b", policy="fail"), "running"),
        (held("b"), "waiting_budget"),
        (e.BudgetRaised(scope="run", micro_usd=900), "running"),
        (started("b", 2), "running"),
        (held("b", 2), "waiting_budget"),
        (started("b", 3), "running"),
        (opened("b", "tool"), "waiting_answer"),
        (succeeded("b", 3), "running"),
        (opened("g#1/x", "ask"), "waiting_answer"),
        (e.CancelRequested(step="g"), "running"),
        (e.CancelRequested(), "stopping"),
        (e.RunPaused(), "stopping"),
        (e.RunCancelled(reason="asked"), "cancelled"),
        (e.RunReopened(steps=("a",), generation=2), "running"),
        (e.RunFailed(error=error("broken"), step="a"), "failed"),
        (e.RunReopened(steps=("a",), generation=3), "running"),
        (e.RunSucceeded(outputs={}), "succeeded"),
    ]
    for n, (event, status) in enumerate(script):
        await store.append(on("r", event, at=T0 + n), {"run/r": n})
        row = await run_row(store)
        assert row.status == status, f"after {event}"
        assert (row.finished_at is not None) == (status in {"succeeded", "failed", "cancelled"})
        assert row.error == {"cancelled": "asked", "failed": "broken"}.get(status)


async def test_a_run_from_its_start_to_its_end(store: Store) -> None:
    creation = created(priority=4, budget_micro_usd=1000, source="x.yaml", simulated=True)
    await store.append(on("r", creation), {})
    assert await run_row(store) == RunRow(
        id="r",
        workflow="flow",
        status="queued",
        priority=4,
        created_at=T0,
        simulated=True,
        budget_micro_usd=1000,
        source="x.yaml",
    )
    await store.append(on("r", started("a"), started("b"), at=T0 + 10), {})
    await store.append(on("r", e.BudgetRaised(scope="run", micro_usd=2000), at=T0 + 20), {})
    await store.append(on("r", e.RunSucceeded(outputs=1), at=T0 + 90), {})
    row = await run_row(store)
    assert (row.status, row.started_at, row.finished_at) == ("succeeded", T0 + 10, T0 + 90)
    assert row.budget_micro_usd == 2000


async def test_usage_and_cost_of_a_run(store: Store) -> None:
    await store.append(on("r", created(), started(agent="writer"), call(), call(n=2), call(n=3)), {})
    assert (await run_row(store)).cost_micro_usd is None
    await store.append(on("r", answered(cost=None)), {})
    row = await run_row(store)
    assert (row.cost_micro_usd, row.unpriced_calls, row.usage.input_tokens) == (None, 1, 10)
    await store.append(on("r", answered(n=2, cost=250), refused(n=3)), {})
    row = await run_row(store)
    assert (row.cost_micro_usd, row.unpriced_calls, row.at_most_micro_usd) == (250, 1, 0)
    assert row.usage == Usage(input_tokens=20, cached_input_tokens=8, output_tokens=10, reasoning_tokens=4)
    await store.append(on("r", call(n=4), refused(n=4, cost=Cost(), usage=Usage(input_tokens=1))), {})
    row = await run_row(store)
    assert (row.cost_micro_usd, row.unpriced_calls, row.usage.input_tokens) == (250, 2, 21)


@pytest.mark.parametrize("end", [lost(), failed(), e.AttemptCancelled(step="a", attempt=1), succeeded()])
async def test_a_call_whose_end_nobody_saw(store: Store, end: e.AnyEvent) -> None:
    await store.append(on("r", created(), started(), started("b"), call(), call(n=2, reserved=None)), {})
    await store.append(on("r", call("b"), end), {})
    assert (await run_row(store)).at_most_micro_usd == 500
    calls = (await store.calls("r")).items
    assert [(c.step, c.call, c.status) for c in calls] == [
        ("a", 1, "lost"),
        ("a", 2, "lost"),
        ("b", 1, "running"),
    ]
    (cost,) = await store.costs(CostFilter())
    assert (cost.calls, cost.in_flight_calls, cost.reserved_micro_usd, cost.unpriced_calls) == (3, 1, 500, 0)
    # Its answer comes late, after all.
    await store.append(on("r", answered(cost=70)), {})
    row = await run_row(store)
    assert (row.at_most_micro_usd, row.cost_micro_usd) == (0, 70)
    (cost,) = await store.costs(CostFilter())
    assert (cost.calls, cost.in_flight_calls, cost.cost_micro_usd) == (3, 1, 70)
    assert (await store.costs(CostFilter(by="run")))[0].calls == 3


async def test_finding_runs(store: Store) -> None:
    for n in range(8):
        run = f"r_{'aab' if n % 2 else 'ab'}{n}"
        await store.append(on(run, created("odd" if n % 2 else "even"), started(), at=T0 + n), {})
        if n >= 4:
            await store.append(
                on(run, e.RunFailed(error=error()) if n < 6 else e.RunSucceeded(outputs=1)), {}
            )

    async def found(**where: Any) -> list[str]:
        return [run.id for run in (await store.runs(RunFilter(**where))).items]

    newest = [f"r_{'aab' if n % 2 else 'ab'}{n}" for n in range(8)][::-1]
    assert await found() == newest
    assert await found(id_prefix="r_a") == newest
    assert await found(id_prefix="r_aa") == ["r_aab7", "r_aab5", "r_aab3", "r_aab1"]
    assert await found(id_prefix="r_aab3") == ["r_aab3"]
    assert await found(id_prefix="r_%") == []
    assert await found(text="AAB") == ["r_aab7", "r_aab5", "r_aab3", "r_aab1"]
    assert await found(text="even") == ["r_ab6", "r_ab4", "r_ab2", "r_ab0"]
    assert await found(text="Failed") == ["r_aab5", "r_ab4"]
    assert await found(text="%") == await found(text="' OR 1") == []
    assert await found(text="") == newest
    assert await found(status="failed") == ["r_aab5", "r_ab4"]
    assert await found(workflow="odd") == ["r_aab7", "r_aab5", "r_aab3", "r_aab1"]
    assert await found(workflow="odd", status="running") == ["r_aab3", "r_aab1"]
    assert await found(unfinished=True) == newest[4:]
    assert await found(unfinished=True, workflow="even") == ["r_ab2", "r_ab0"]


# --- attempts and calls ------------------------------------------------------------------------


async def test_attempts(store: Store) -> None:
    await store.append(on("r", created(), started("a", 1, "writer"), started("b"), at=0), {})
    await store.append(on("r", failed("a", message="first"), started("a", 2, "writer"), at=10), {})
    await store.append(on("r", lost("b"), started("b", 2), succeeded("b", 2), at=20), {})
    await store.append(on("s", created(), started("c", 1, "critic"), started("d", 1, "writer"), at=30), {})
    await store.append(on("s", e.AttemptCancelled(step="d", attempt=1, reason="enough"), at=40), {})

    async def found(**where: Any) -> list[tuple[str, str, int, str]]:
        rows = (await store.attempts(AttemptFilter(**where))).items
        return [(row.run_id, row.step, row.attempt, row.status) for row in rows]

    everything = [
        ("s", "d", 1, "cancelled"),
        ("s", "c", 1, "running"),
        ("r", "b", 2, "succeeded"),
        ("r", "a", 2, "running"),
        ("r", "b", 1, "lost"),
        ("r", "a", 1, "failed"),
    ]
    assert await found() == everything
    assert await found(run_id="r") == everything[2:]
    assert await found(run_id="none") == []
    assert await found(agent="writer") == [everything[0], everything[3], everything[5]]
    assert await found(agent="writer", status="running") == [everything[3]]
    for status in ("running", "succeeded", "failed", "cancelled", "lost"):
        assert await found(status=status) == [row for row in everything if row[3] == status]
        assert await found(status=status, run_id="r") == [
            row for row in everything if row[3] == status and row[0] == "r"
        ]
    rows = {(r.step, r.attempt): r for r in (await store.attempts(AttemptFilter())).items}
    first = rows["a", 1]
    assert (first.kind, first.agent, first.started_at, first.finished_at) == ("prompt", "writer", 1, 10)
    assert (first.error, rows["d", 1].error, rows["b", 1].error) == ("first", "enough", None)
    assert rows["a", 2].finished_at is None


async def test_calls(store: Store) -> None:
    await store.append(on("r", created(simulated=True), started(agent="writer"), call(), at=0), {})
    await store.append(on("r", answered(), call(n=2, agent=None), refused(n=2), call(n=3), at=10), {})
    await store.append(on("s", created(), call("z")), {})
    one, two, three = (await store.calls("r")).items
    assert (one.run_id, one.step, one.attempt, one.call, one.workflow) == ("r", "a", 1, 1, "flow")
    assert (one.agent, one.provider, one.model, one.status) == ("writer", "openai", "big", "succeeded")
    assert (one.simulated, one.started_at, one.finished_at) == (True, 2, 10)
    assert (one.cost_micro_usd, one.price_source, one.reserved_micro_usd) == (100, "config", 500)
    assert one.usage == Usage(input_tokens=10, cached_input_tokens=4, output_tokens=5, reasoning_tokens=2)
    assert (two.status, two.usage, two.cost_micro_usd, two.error) == ("failed", None, None, "429")
    assert (three.status, three.usage, three.finished_at) == ("running", None, None)
    assert (await store.calls("nobody")).items == []


async def test_events_of_a_run_that_was_never_created(store: Store) -> None:
    await store.append(on("r", started(), call(), answered(), e.RunSucceeded(outputs=1)), {})
    assert (await store.runs(RunFilter())).items == []
    assert (await store.attempts(AttemptFilter())).items == []
    assert await store.costs(CostFilter()) == []


# --- the rest ----------------------------------------------------------------------------------


async def test_agents(store: Store) -> None:
    definition = {"name": "idle", "models": ["smart", "fast"]}
    await store.append(system(e.AgentRegistered(name="idle", definition=definition)), {})
    await store.append(system(e.AgentRegistered(name="gone", definition={}), e.AgentRemoved(name="gone")), {})
    await store.append(on("r", created(), started(agent="writer"), call(), answered(), failed(), at=5), {})
    await store.append(on("r", started("a", 2, "writer"), call(attempt=2), answered(attempt=2), at=50), {})
    await store.append(
        on("x", created(simulated=True), started(agent="sim"), call(agent="sim"), answered()), {}
    )
    rows = {row.name: row for row in await store.agents()}
    assert list(rows) == ["idle", "sim", "writer"]
    idle, sim, writer = rows.values()
    assert (idle.registered, idle.model, idle.attempts, idle.last_seen_at) == (True, "smart", 0, None)
    assert (writer.registered, writer.model, writer.attempts, writer.failed) == (False, "openai:big", 2, 1)
    assert (writer.last_seen_at, writer.cost_micro_usd) == (51, 200)
    assert (sim.attempts, sim.cost_micro_usd) == (1, None), "notional money is no money"
    registered = e.AgentRegistered(name="writer", definition={"models": ["fast"]})
    await store.append(system(registered, e.AgentRemoved(name="idle")), {})
    (sim, writer) = await store.agents()
    assert (writer.registered, writer.model, writer.attempts) == (True, "fast", 2)


async def test_workflows(store: Store) -> None:
    def registered(name: str, hash_: str) -> e.WorkflowRegistered:
        return e.WorkflowRegistered(name=name, definition=FLOW, definition_hash=hash_)

    await store.append(system(registered("b", "1"), registered("a", "1"), registered("c", "1")), {})
    await store.append(system(registered("b", "2"), e.WorkflowRemoved(name="c"), at=T0 + 50), {})
    a, b = await store.workflows()
    assert (a.name, a.description, a.definition_hash, a.updated_at, a.source) == (
        "a", "A flow", "1", T0 + 1, "f.yaml",
    )  # fmt: skip
    assert (b.name, b.definition_hash, b.updated_at) == ("b", "2", T0 + 50)


async def test_trust(store: Store) -> None:
    grants = [("/f", "aa"), ("/f", "bb"), ("/d", None)]
    await store.append(system(*(e.TrustGranted(path=p, sha256=h) for p, h in grants)), {})
    for path, sha256 in grants:
        assert await store.trusted(path, sha256)
    assert not await store.trusted("/f", "cc")
    assert not await store.trusted("/f", None)
    assert not await store.trusted("/d", "aa")
    await store.append(system(e.TrustRevoked(path="/f"), e.TrustGranted(path="/f", sha256="cc")), {})
    assert [await store.trusted("/f", h) for h in ("aa", "bb", "cc")] == [False, False, True]
    assert await store.trusted("/d", None)


async def test_partial_texts_live_as_long_as_their_call(store: Store) -> None:
    def partial(n: int, text: str) -> Partial:
        return Partial(run_id="r", step="a", attempt=1, call=n, text=text, reasoning="why")

    await store.append(on("r", created(), started(), call(), call(n=2), call(n=3)), {})
    await store.save_partials([partial(1, "He"), partial(2, "x"), partial(3, "y")])
    await store.save_partials([partial(1, "Hello")])
    assert await store.partials("r") == [partial(1, "Hello"), partial(2, "x"), partial(3, "y")]
    assert await store.partials("s") == []
    await store.append(on("r", answered(), refused(n=2)), {})
    await store.save_partials([partial(1, "too late")])
    assert await store.partials("r") == [partial(3, "y")]
    await store.append(on("r", lost()), {})
    assert await store.partials("r") == []
