"""The `Client` protocol: what every client does, whether its engine is embedded or another process's."""

from __future__ import annotations

import asyncio
import itertools
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from aethermind.domain.errors import AethermindError, DeniedError, InvalidError, NotFoundError
from aethermind.domain.events import Recorded, Submitter
from aethermind.domain.run import Run, fold
from aethermind.domain.workflow import (
    AgentDef,
    Ask,
    Fail,
    Group,
    InputDef,
    Prompt,
    StepDef,
    Value,
    WorkflowDef,
)
from aethermind.engine.client import Client, FeedItem, RunRequest, TokenDelta
from aethermind.engine.queries import CostFilter, LogFilter, RunFilter
from tests.contract.clients import client_of
from tests.engine.harness import Harness, workflow

PATIENCE = 20


@pytest.fixture(params=["local", "remote"])
async def client(request: pytest.FixtureRequest) -> AsyncIterator[Client]:
    async with client_of(request.param) as opened:
        yield opened


A = StepDef(id="a", action=Value(value="{{ inputs.topic or 'none' }} ✓"))
B = StepDef(id="b", action=Value(value={"said": "{{ a }}", "n": 3}), references=("a",))
ASK = StepDef(
    id="ask",
    action=Ask(message="Go on with {{ a }}?", fields={"choice": {"type": "string", "enum": ["yes", "no"]}}),
    references=("a",),
)
FAILS = StepDef(id="fails", action=Fail(reason="as it was told"))
TOPIC = {"topic": InputDef(schema={"type": "string"}, required=False)}
TALK = StepDef(id="talk", action=Prompt(template="Say something", models=("sim:fast",)))


def request(*steps: StepDef, **fields: Any) -> RunRequest:
    return RunRequest(
        definition=workflow(*steps, inputs=TOPIC),
        inputs=fields.pop("inputs", {}),
        submitter=Submitter(user="ana", cwd=str(Path.cwd()), interpreter=sys.executable),
        **{"simulated": True, **fields},
    )


async def finished(client: Client, *steps: StepDef, **fields: Any) -> Run:
    run_id = await client.start_run(request(*steps, **fields))
    async with asyncio.timeout(PATIENCE):
        return await client.wait(run_id)


async def take(feed: AsyncIterator[FeedItem], until: Callable[[FeedItem], bool]) -> list[FeedItem]:
    found: list[FeedItem] = []
    async with asyncio.timeout(PATIENCE), aclosing(feed) as items:  # type: ignore[type-var]  # feeds are async generators
        async for item in items:
            found.append(item)
            if until(item):
                return found
    return found


def is_end(item: FeedItem) -> bool:
    return isinstance(item, Recorded) and item.type in {"RunSucceeded", "RunFailed", "RunCancelled"}


def recorded(items: Sequence[FeedItem]) -> list[Recorded]:
    return [item for item in items if isinstance(item, Recorded)]


async def refusal(asked: Awaitable[object]) -> AethermindError:
    with pytest.raises(AethermindError) as caught:
        await asked
    return caught.value


# --- runs --------------------------------------------------------------------------------------------


async def test_a_run_is_started_and_its_copy_goes_on_folding(client: Client) -> None:
    run = await finished(client, A, B, inputs={"topic": "tides ⇄ \u202e"}, tags={"k": "v"}, priority=3)
    assert (run.status, run.created.priority, run.created.tags["k"]) == ("succeeded", 3, "v")
    assert run.outputs == {"b": {"said": "tides ⇄ \u202e ✓", "n": 3}}
    assert run.created.submitter.user == "ana"
    again = await client.run(run.id)
    assert (again.seq, again.outputs, again.definition) == (run.seq, run.outputs, run.definition)


async def test_runs_are_found_by_prefix_or_as_the_last(client: Client) -> None:
    first, second = await finished(client, A), await finished(client, A)
    assert await client.find_run("last") == second.id
    assert await client.find_run(first.id) == first.id
    assert await client.find_run(first.id[2:]) == first.id
    assert isinstance(await refusal(client.find_run("nothing")), NotFoundError)
    assert isinstance(await refusal(client.find_run("r_")), InvalidError)
    assert isinstance(await refusal(client.find_run("../a b?c#d")), NotFoundError)


async def test_what_is_wrong_is_said_in_the_same_words(client: Client) -> None:
    run = await finished(client, A, ASK)
    done = await finished(client, A)
    asks: list[tuple[Awaitable[object], type[AethermindError], str]] = [
        (client.run("r_unknown"), NotFoundError, "there is no run 'r_unknown' (aethermind runs)"),
        (client.wait("r_unknown"), NotFoundError, "there is no run 'r_unknown'"),
        (client.resume("r_unknown"), NotFoundError, "there is no run"),
        (client.cancel(done.id), InvalidError, f"run {done.id} is already succeeded"),
        (client.pause(done.id), InvalidError, "is already succeeded"),
        (client.retry(run.id), InvalidError, "is still being driven"),
        (client.answer(run.id, "asc", {}), NotFoundError, "has no step 'asc' (did you mean ask?)"),
        (
            client.answer(run.id, "ask", {"choice": "may be"}),
            InvalidError,
            "choice can't be 'may be' (yes | no)",
        ),
        (client.fork(run.id, "nowhere"), AethermindError, "nowhere"),
        (client.start_run(request(A, inputs={"topic": 3})), InvalidError, "3 is not of type 'string'"),
        (client.start_run(request(TALK, model="nobody:x", simulated=False)), InvalidError, "nobody"),
        (client.revoke_token("none"), NotFoundError, "none"),
        (client.workflow("none"), NotFoundError, "none"),
        (client.agent("none"), NotFoundError, "none"),
        (client.runs(RunFilter(), cursor="~"), InvalidError, "cursor"),
    ]
    for asked, kind, words in asks:
        error = await refusal(asked)
        assert isinstance(error, kind), (words, error)
        assert words in error.line(), error.line()


async def test_the_life_of_a_run(client: Client) -> None:
    run = await finished(client, A, ASK, B)
    assert run.status == "waiting_answer"
    await client.pause(run.id, by="bo")
    assert (await client.run(run.id)).status == "paused"
    await client.resume(run.id, by="bo")
    assert (await client.wait(run.id)).status == "waiting_answer"
    await client.raise_budget(run.id, 2_000_000, by="bo")
    assert (await client.run(run.id)).budget_micro_usd == 2_000_000
    await client.cancel(run.id, by="bo", reason="enough")
    assert (await client.wait(run.id)).status == "cancelled"
    await client.retry(run.id, by="bo")
    assert (await client.wait(run.id)).status == "waiting_answer"
    await client.cancel(run.id, step="ask", by="bo")
    ended = await client.wait(run.id)
    assert ended.nodes["ask"].status == "cancelled"
    events = await client.events(run_id=run.id)
    who = {recorded.type: getattr(recorded.event, "by", "") for recorded in events}
    assert {name: by for name, by in who.items() if by and name != "RunCreated"} == {
        "RunPaused": "bo",
        "RunResumed": "bo",
        "BudgetRaised": "bo",
        "CancelRequested": "bo",
        "RunReopened": "bo",
    }


async def test_a_question_is_decided_once(client: Client) -> None:
    run = await finished(client, A, ASK)
    await client.answer(run.id, "ask", {"choice": "yes"}, by="ana")
    await client.answer(run.id, "ask", {"choice": "yes"}, by="bo")  # the same again is fine
    error = await refusal(client.answer(run.id, "ask", {"choice": "no"}, by="bo"))
    assert isinstance(error, DeniedError)
    assert "decided by ana: choice=yes" in error.message
    assert (await client.wait(run.id)).outputs["ask"]["by"] == "ana"


async def test_failed_steps_are_run_again_and_forks_take_over_what_succeeded(client: Client) -> None:
    run = await finished(client, A, FAILS)
    assert (run.status, run.error and run.error.message) == ("failed", "as it was told")
    mended = workflow(A, StepDef(id="fails", action=Value(value="{{ a }}!"), references=("a",)), inputs=TOPIC)
    assert await client.edited(run.id, mended) == ("a",)
    fork = await client.fork(
        run.id, "fails", definition=mended, inputs={"topic": "other"}, budget_micro_usd=5, by="bo"
    )
    forked = await client.wait(fork)
    assert (forked.status, forked.outputs) == ("succeeded", {"fails": "none ✓!"})
    assert (forked.created.forked_from, forked.budget_micro_usd) == (run.id, 5)
    await client.retry(run.id, steps=["a"])
    assert (await client.wait(run.id)).status == "failed"
    await client.resume_edited(run.id, mended, by="bo", source_hash="abc", env_names=["A_NAME"])
    adopted = await client.wait(run.id)
    assert (adopted.status, adopted.source_hash) == ("succeeded", "abc")
    assert "A_NAME" in adopted.env_names


async def test_paths_of_steps_within_steps(client: Client) -> None:
    inner = StepDef(id="ask", action=Ask(message="Go on with {{ item }}?", approval=True))
    deep = StepDef(id="deep", action=Group(steps=(inner,)), for_each=[1, 2])
    run = await finished(client, A, deep)
    assert run.status == "waiting_answer"
    for n in range(2):
        await client.answer(run.id, f"deep[{n}]/ask", {"approved": True}, by="ana")
    assert (await client.wait(run.id)).status == "succeeded"


# --- the feed ----------------------------------------------------------------------------------------


async def test_the_feed_catches_up_and_goes_on_live(client: Client) -> None:
    first = await finished(client, A, B)
    reading = asyncio.create_task(
        take(client.feed(after=0), lambda i: is_end(i) and isinstance(i, Recorded) and i.seq > first.seq)
    )
    second = await finished(client, A, B)
    found = recorded(await reading)
    everything = await client.events(limit=1_000)
    assert found == everything[: len(found)]
    assert everything[len(found) :] == []
    assert await client.last_seq() == everything[-1].seq
    for run in (first, second):
        own = [r for r in found if r.stream == f"run/{run.id}"]
        assert own == await client.events(run_id=run.id)
        assert fold(run.id, own).outputs == run.outputs
    middle = everything[len(everything) // 2].seq
    after = await client.events(after=middle, limit=3)
    assert after == everything[middle : middle + 3]


async def test_the_feed_of_one_run_from_now(client: Client) -> None:
    run = await finished(client, A, ASK)
    feed = client.feed(run_id=run.id, after=run.seq)
    reading = asyncio.create_task(take(feed, is_end))
    await finished(client, A, B)
    await client.answer(run.id, "ask", {"choice": "no"})
    found = recorded(await reading)
    assert {r.stream for r in found} == {f"run/{run.id}"}
    assert found[0].seq > run.seq
    for item in found:
        run.fold(item)
    assert run.status == "succeeded"


async def test_a_feed_from_now_has_nothing_of_before(client: Client) -> None:
    before = await finished(client, A)
    began = asyncio.Event()

    async def read() -> list[FeedItem]:
        feed = client.feed()
        async with aclosing(feed) as items:  # type: ignore[type-var]  # feeds are async generators
            first = asyncio.ensure_future(anext(items))
            began.set()
            found = [await first]
            while not is_end(found[-1]):
                found.append(await anext(items))
            return found

    reading = asyncio.create_task(read())
    await began.wait()
    async with asyncio.timeout(PATIENCE):
        while not reading.done():  # until it listens, what begins is of before
            await finished(client, A)
    assert all(item.seq > before.seq for item in recorded(await reading))


@pytest.mark.parametrize("kind", ["local", "remote"])
async def test_texts_in_flight_are_signals(kind: str) -> None:
    gate, paces = threading.Event(), itertools.count()

    async def pace(_seconds: float) -> None:
        if next(paces) == 3:  # in the middle of the answer, until somebody has seen the beginning
            await asyncio.to_thread(gate.wait, PATIENCE)

    async with client_of(kind, lambda: Harness(sleep=pace)) as client:
        heard = asyncio.Event()

        def is_delta(item: FeedItem) -> bool:
            if is_end(item):
                heard.set()
            return isinstance(item, TokenDelta)

        reading = asyncio.create_task(take(client.feed(after=0), is_delta))
        await finished(client, A)
        await heard.wait()  # it listens: signals are not repeated
        reply = "one two three four five six seven eight"
        sim = {"talk": {"reply": reply, "tokens_per_second": 10}}
        run_id = await client.start_run(request(TALK, sim=sim))
        items = await reading
        gate.set()
        run = await client.wait(run_id)
        text = ""
        for delta in (item for item in items if isinstance(item, TokenDelta)):
            assert (delta.run_id, delta.step, delta.attempt, delta.call) == (run_id, "talk", 1, 1)
            assert delta.offset <= len(text)
            text = text[: delta.offset] + delta.text
        assert text
        assert reply.startswith(text)
        assert run.outputs == {"talk": reply}
        assert await client.partials(run_id) == []


# --- lists -------------------------------------------------------------------------------------------


async def test_lists_and_pages(client: Client) -> None:
    runs = [await finished(client, TALK if n else FAILS) for n in range(3)]
    page = await client.runs(RunFilter(), limit=2)
    rest = await client.runs(RunFilter(), limit=2, cursor=page.next)
    assert [row.id for row in (*page.items, *rest.items)] == [run.id for run in reversed(runs)]
    assert rest.next is None
    newest = page.items[0]
    assert (newest.status, newest.workflow, newest.simulated) == ("succeeded", "test", True)
    assert (newest.created_at, newest.usage) == (runs[-1].created_at, runs[-1].tally.usage)
    assert [row.id for row in (await client.runs(RunFilter(status="failed"))).items] == [runs[0].id]
    assert (await client.runs(RunFilter(workflow="other"))).items == []
    assert (await client.runs(RunFilter(unfinished=True))).items == []
    calls = (await client.calls(runs[1].id)).items
    assert [(call.step, call.status, call.model) for call in calls] == [("talk", "succeeded", "fast")]
    assert calls[0].usage == runs[1].tally.usage
    (cost,) = await client.costs(CostFilter(simulated=True))
    assert (cost.key, cost.calls) == ("sim:fast", 2)
    assert await client.costs(CostFilter()) == []
    logs = (await client.logs(LogFilter(run_id=runs[0].id, min_level="error"))).items
    assert all(row.level == "error" and row.run_id == runs[0].id for row in logs)
    assert "sim" in {model.provider for model in await client.models()}
    assert [agent.name for agent in await client.agents()] == ["talk"]
    assert isinstance(await client.lanes(), list)
    assert await client.partials(runs[0].id) == []


async def test_the_budget_of_the_day(client: Client) -> None:
    await client.raise_day_budget(7_000_000, simulated=True, by="bo")
    assert (await client.day_budget(simulated=True)).cap == 7_000_000
    row = await client.day_budget()
    assert (row.scope, row.cap) == ("day", None)


# --- access, and what is registered --------------------------------------------------------------------


async def test_trust_tokens_and_the_audit_log(client: Client) -> None:
    assert not await client.trusted("/a b/f.yaml", "0" * 64)
    await client.trust("/a b/f.yaml", "0" * 64, by="bo")
    assert await client.trusted("/a b/f.yaml", "0" * 64)
    assert not await client.trusted("/a b/f.yaml", "1" * 64)
    await client.trust("/a b", None, by="bo")
    assert await client.trusted("/a b/g.yaml", None)
    new = await client.create_token("ci", scope="operator", expires_at=4_102_444_800_000, by="bo")
    assert (new.name, new.scope, new.expires_at) == ("ci", "operator", 4_102_444_800_000)
    assert new.token.startswith(f"aeth_{new.id}_")
    (row,) = await client.tokens()
    assert (row.id, row.revoked_at, row.expires_at) == (new.id, None, 4_102_444_800_000)
    await client.revoke_token(new.id, by="bo")
    (row,) = await client.tokens()
    assert row.revoked_at is not None
    page = await client.audit(limit=2)
    rest = await client.audit(limit=10, cursor=page.next)
    acts = [item.act for item in (*page.items, *rest.items)]
    assert acts == ["tokens revoke", "tokens create", "trust", "trust"]
    assert {item.who for item in page.items} == {"bo"}
    verdict = await client.verify_audit()
    assert (verdict.ok, verdict.checked, verdict.head) == (True, 4, page.items[0].hash)
    assert (await client.verify_audit("0" * 64)).ok is False


async def test_what_is_registered(client: Client) -> None:
    definition = WorkflowDef(name="kept", description="for later", steps=(A,), inputs=TOPIC)
    stored = await client.put_workflow(definition, by="bo", text="name: kept", env_names=["A_NAME"])
    assert (stored.name, stored.text, stored.env_names) == ("kept", "name: kept", ("A_NAME",))
    found = await client.workflow("kept")
    assert (found.definition, found.definition_hash) == (definition, stored.definition_hash)
    assert found == stored
    assert [row.name for row in await client.workflows()] == ["kept"]
    await client.remove_workflow("kept", by="bo")
    assert isinstance(await refusal(client.workflow("kept")), NotFoundError)
    agent = AgentDef(name="judge", models=("sim:fast",), instructions="Judge hard.")
    assert (await client.put_agent("judge", agent, by="bo")).definition == agent
    assert (await client.agent("judge")).by.startswith("bo")
    assert [row.name for row in await client.agents() if row.registered] == ["judge"]
    await client.remove_agent("judge", by="bo")
    assert isinstance(await refusal(client.agent("judge")), NotFoundError)


async def test_what_the_engine_says_of_itself(client: Client) -> None:
    info = await client.engine_info()
    assert (info.protocol, info.live) == (1, 0)
    if client.attached is not None:
        assert (client.attached.pid, client.attached.local) == (info.pid, True)
        await client.drain(0)  # leaving an engine that is another's stops nothing
    assert (await finished(client, A)).status == "succeeded"
