"""Answers by content: when a call is not sent, what is recorded then, and what is never used again."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Self

import msgspec
import pytest

from aethermind.domain import events as e
from aethermind.domain.call_states import CallState
from aethermind.domain.errors import InvalidError
from aethermind.domain.run import Run
from aethermind.domain.usage import NO_USAGE, Cost, Usage
from aethermind.domain.workflow import (
    AgentDef,
    Budget,
    CachePolicy,
    Function,
    Group,
    Prompt,
    Retry,
    StepDef,
    SubWorkflow,
    WorkflowDef,
)
from aethermind.engine import adoption
from aethermind.engine.agents import create_agent
from aethermind.engine.context import StepContext
from aethermind.engine.ports import Estimate
from aethermind.engine.queries import CostFilter, LogFilter
from tests.engine.harness import Harness, Kept, StepClock, workflow
from tests.engine.numbered import Numbered, Owned

# --- runs --------------------------------------------------------------------------------------


def prompt(name: str = "a", text: str = "hi", cache: CachePolicy = True, **fields: Any) -> StepDef:
    action = Prompt(template=text, models=("paid:m",), **fields.pop("action", {}))
    return StepDef(id=name, action=action, cache=cache, **fields)


class Host(Harness):
    """An engine with that provider, on real money."""

    def __init__(self, paid: Numbered, **options: Any) -> None:
        super().__init__(**options)
        self.paid = paid

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        models: Any = self.engine.models
        models.register("paid", self.paid)
        return self

    async def start(self, definition: WorkflowDef, inputs: Mapping[str, Any] = {}, **request: Any) -> str:
        return await super().start(definition, inputs, **{"simulated": False, **request})


def call_of(run: Run, step: str = "a", attempt: int = 1) -> CallState:
    (call,) = run.nodes[step].attempts[attempt - 1].calls
    return call


async def test_a_call_that_was_answered_is_not_sent_again() -> None:
    flow = workflow(prompt())
    async with Host(Numbered()) as h:
        first = await h.run(flow)
        second = await h.run(flow)
        assert len(h.paid.requests) == 1
        assert first.outputs == second.outputs == {"a": "answer 1"}
        (original,) = [r for r in await h.history(first.id) if isinstance(r.event, e.CallFinished)]
        (hit,) = [r for r in await h.history(second.id) if isinstance(r.event, e.CallFinished)]
        assert isinstance(original.event, e.CallFinished)
        assert hit.event == msgspec.structs.replace(
            original.event,
            usage=NO_USAGE,
            cost=Cost(micro_usd=0, source="cache", saved_micro_usd=1_200),
            first_token_ms=None,
            cached_from=e.Origin(run=first.id, seq=original.seq),
        )
        assert (first.tally.cost, first.tally.saved) == (1_200, 0)
        assert (second.tally.cost, second.tally.saved, second.tally.usage) == (0, 1_200, NO_USAGE)
        assert call_of(second).reserved == 0
        logs = (await h.store.logs(LogFilter(run_id=second.id))).items
        assert [row.message for row in logs] == ["paid:m #1: cached, saved $0.0012"]
        (row,) = await h.store.costs(CostFilter(by="model"))
        assert (row.calls, row.cost_micro_usd, row.usage.output_tokens) == (2, 1_200, 5)


async def test_begun_and_finished_is_one_commit() -> None:
    """Nothing is under way in between, so a crash leaves no call in doubt."""
    flow = workflow(prompt())
    async with Host(Numbered()) as h:
        await h.run(flow)
        history = await h.history((await h.run(flow)).id)
    (started,) = [r for r in history if isinstance(r.event, e.CallStarted)]
    (finished,) = [r for r in history if isinstance(r.event, e.CallFinished)]
    assert (finished.version, finished.at) == (started.version + 1, started.at)


async def test_without_cache_everything_is_sent() -> None:
    async with Host(Numbered()) as h:
        await h.run(workflow(prompt()))
        for policy in (None, False):
            run = await h.run(workflow(prompt(cache=policy)))
            finished = [r.event for r in await h.history(run.id) if isinstance(r.event, e.CallFinished)]
            assert [(f.content_key, f.cached_from) for f in finished] == [(None, None)]
        assert len(h.paid.requests) == 3


async def test_between_two_steps_of_one_run() -> None:
    async with Host(Numbered()) as h:
        run = await h.run(workflow(prompt("a"), prompt("b", depends_on=("a",)), prompt("c", "other")))
        assert [request.messages[0].content for request in h.paid.requests].count("hi") == 1
        assert run.nodes["b"].output == run.nodes["a"].output
        origin = call_of(run, "b").cached_from
        assert origin is not None
        assert origin.run == run.id


async def test_side_by_side_both_are_sent() -> None:
    """Nobody waits for another's answer: what is under way is no answer yet."""
    paid = Numbered()
    paid.meet = asyncio.Barrier(2)
    async with Host(paid) as h:
        run = await asyncio.wait_for(h.run(workflow(prompt("a"), prompt("b"))), 10)
        assert run.status == "succeeded"
        assert len(paid.requests) == 2


class SetClock(StepClock):
    """Shows what it is set to."""

    shown = StepClock.START

    def now(self) -> int:
        return self.shown


async def test_it_gets_too_old() -> None:
    clock = SetClock()
    async with Host(Numbered(), clock=clock) as h:
        day = workflow(prompt(cache=86_400_000))
        sent = []
        for later in (0, 86_400_000, 86_400_001, 86_400_002):
            clock.shown = StepClock.START + later
            await h.run(day)
            sent.append(len(h.paid.requests))
        assert sent == [1, 1, 2, 2], "the newest answer counts, and a used one does not renew itself"
        clock.shown += 10**12
        await h.run(workflow(prompt(cache=True)))
        assert len(h.paid.requests) == 2


@pytest.mark.parametrize("reason", ["length", "content_filter", "refusal"])
async def test_what_was_not_whole_is_asked_again(reason: Any) -> None:
    async with Host(Numbered(reasons=(reason, "stop"))) as h:
        for _ in range(3):
            await h.run(workflow(prompt()))
        assert len(h.paid.requests) == 2


async def test_an_answer_that_did_not_fit_is_not_served_for_ever() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    flow = workflow(prompt(action={"output_schema": schema}))
    async with Host(Numbered(texts=("nonsense", '{"n": 1}', '{"n": 2}'))) as h:
        assert (await h.run(flow)).outputs == {"a": {"n": 1}}, "after one turn of repair"
        assert (await h.run(flow)).outputs == {"a": {"n": 2}}, "the first turn was nothing to keep"
        assert (await h.run(flow)).outputs == {"a": {"n": 2}}
        assert len(h.paid.requests) == 3


async def test_no_cache_sends_it_and_keeps_the_answer() -> None:
    flow = workflow(prompt())
    async with Host(Numbered()) as h:
        outputs = [(await h.run(flow, fresh=fresh)).outputs["a"] for fresh in (False, True, False, False)]
        assert outputs == ["answer 1", "answer 2", "answer 2", "answer 2"]


async def test_a_hit_needs_no_budget() -> None:
    async with Host(Numbered(), prices=Flat()) as h:
        bounded = workflow(prompt(), budget=Budget(micro_usd=500))
        held = await h.run(bounded)
        assert held.status == "waiting_budget"
        await h.client.raise_budget(held.id, 5_000)
        assert (await h.client.wait(held.id)).status == "succeeded"
        second = await h.run(bounded)
        assert (second.status, second.tally.cost) == ("succeeded", 0)
        assert len(h.paid.requests) == 1


class Flat:
    """A thousand micro-dollars for any call."""

    def cost(self, provider: str, model: str, usage: Usage, *, at: int) -> Cost:
        return Cost(micro_usd=1_000, source="config")

    def estimate(self, provider: str, model: str, *, input_bytes: int, max_output_tokens: int) -> Estimate:
        return Estimate(low_micro_usd=1_000, high_micro_usd=1_000)


async def test_a_budget_changes_what_is_asked() -> None:
    """It bounds the answer's length, so an answer without that bound is another one."""
    async with Host(Numbered()) as h:
        await h.run(workflow(prompt()))
        await h.run(workflow(prompt(), budget=Budget(micro_usd=500, unpriced="allow")))
        assert [dict(request.settings) for request in h.paid.requests] == [{}, {"max_tokens": 4_096}]


async def test_another_account_is_another_question() -> None:
    flow = workflow(prompt())
    store = Kept()
    for account, sent in (("one", 1), ("two", 1), ("one", 0)):
        async with Host(Owned(account), store=store) as h:
            await h.run(flow)
            assert len(h.paid.requests) == sent


async def test_the_retry_of_a_failed_step_may_use_what_was_answered() -> None:
    """The call was good, what came after was not."""
    saving = prompt(save="/not/below/the/cwd.md", retry=Retry(max_attempts=1))
    async with Host(Numbered()) as h:
        run = await h.run(workflow(saving))
        assert run.status == "failed"
        await h.client.retry(run.id)
        again = await h.client.wait(run.id)
        assert len(h.paid.requests) == 1
        assert call_of(again, attempt=2).cached_from is not None


async def test_functions_have_it_by_their_agent() -> None:
    async def twice(ctx: StepContext) -> list[str]:
        return [await ctx.chat("hi", model="paid:m") for _ in range(2)]

    step = StepDef(id="f", action=Function(name="twice", agent="w"))
    async with Host(Numbered()) as h:
        h.engine.register("twice", twice)
        run = await h.run(workflow(step, agents={"w": AgentDef(name="w", cache=True)}))
        assert run.outputs == {"f": ["answer 1", "answer 1"]}
        calls = run.nodes["f"].attempts[0].calls
        assert [call.cached_from is None for call in calls] == [True, False]
        run = await h.run(workflow(step, agents={"w": AgentDef(name="w")}))
        assert run.outputs == {"f": ["answer 2", "answer 3"]}


@pytest.mark.parametrize(
    "given,meant", [(None, None), (True, True), (False, False), (90, 90_000), (0.0001, 1)]
)
def test_of_an_agent_in_python(given: Any, meant: CachePolicy) -> None:
    found = create_agent(name="w", cache=given).definition.cache
    assert (found, found is True) == (meant, meant is True)


def test_no_time_is_no_answer() -> None:
    for wrong in (0, -5):
        with pytest.raises(InvalidError, match="`cache` is a number of seconds"):
            create_agent(name="w", cache=wrong)


async def test_an_agent_in_python_has_it_in_its_own_runs() -> None:
    agent = create_agent(name="w", model="paid:m", cache=True)
    async with Host(Numbered()) as h:
        for _ in range(2):
            run = await h.run(agent.workflow(), {"prompt": "hi"})
            assert run.outputs == {"w": "answer 1"}


# --- simulated models --------------------------------------------------------------------------


def simulated(name: str = "a", **fields: Any) -> StepDef:
    return StepDef(id=name, action=Prompt(template="hi", models=("smart",)), cache=True, **fields)


async def test_an_edited_script_is_not_answered_by_the_old() -> None:
    flow = workflow(simulated())
    async with Harness() as h:
        outputs = [
            (await h.run(flow, sim={"steps": {"a": reply}})).outputs["a"]
            for reply in ("old", "old", "new", "old")
        ]
        assert outputs == ["old", "old", "new", "old"]
        rows = await h.store.costs(CostFilter(by="run", simulated=True))
        assert sum(row.cost_micro_usd == 0 for row in rows) == 2


async def test_a_scripted_error_is_not_kept() -> None:
    script = {"steps": {"a": {"reply": "good", "errors": [429]}}}
    flow = workflow(simulated(retry=Retry(max_attempts=2, backoff_ms=1)))
    async with Harness() as h:
        first, second = await h.run(flow, sim=script), await h.run(flow, sim=script)
        assert [attempt.status for attempt in first.nodes["a"].attempts] == ["failed", "succeeded"]
        assert [attempt.status for attempt in second.nodes["a"].attempts] == ["succeeded"]
        assert second.outputs == {"a": "good"}


# --- edited files ------------------------------------------------------------------------------


def test_what_was_done_stays_done_when_only_its_cache_is_edited() -> None:
    def flow(cache: CachePolicy, text: str = "hi") -> WorkflowDef:
        inner = workflow(prompt(cache=cache, text=text), agents={"w": AgentDef(name="w", cache=cache)})
        return workflow(
            prompt(cache=cache, text=text),
            StepDef(id="g", action=Group(steps=(prompt(cache=cache, text=text),))),
            StepDef(id="s", action=SubWorkflow(workflow=inner)),
        )

    assert adoption.kept(flow(None), flow(True)) == ("a", "g", "s")
    assert adoption.kept(flow(True), flow(True, "ho")) == ()
