"""A run with tools, cut between any two of its records: what is on record is never done again."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

from aethermind.domain.events import CallFinished, Draft, Recorded, ToolFailed, ToolFinished, ToolStarted
from aethermind.domain.ids import run_stream
from aethermind.domain.run import Run
from aethermind.domain.workflow import Function, StepDef
from aethermind.engine.context import StepContext
from aethermind.infra.stores.memory import InMemoryStore
from tests.engine.harness import Harness, Kept, workflow
from tests.engine.talker import Hand, Talker, agent, table

LOOK = [("look", {"what": "x"})]
CHANGE = [("change", {"to": "new"})]
TURNS: tuple[Any, ...] = (LOOK, CHANGE, [*CHANGE, *LOOK], "done")


async def whole(tmp_path: Path) -> list[Recorded]:
    """The history of a run that nothing disturbed."""
    hand, talker = Hand(), Talker(*TURNS)
    async with table(hand, tmp_path, talker) as h:
        run = await h.run(agent(hand, h, change="ask"))
        while run.status == "waiting_answer":
            await h.client.answer(run.id, "a", {"approved": True}, by="ada")
            run = await asyncio.wait_for(h.client.wait(run.id), 5)
        assert run.outputs == {"a": "done"}
        assert hand.done == {"look": 2, "change": 2}
        return await h.history(run.id)


async def store_of(history: list[Recorded]) -> InMemoryStore:
    store = Kept()
    drafts = [Draft(item.stream, item.at, item.event) for item in history]
    await store.append(drafts, {history[0].stream: 0})
    return store


async def go_on(h: Harness, run_id: str, *, doubt: str = "retry") -> Run:
    """Resume it, with a person who says yes."""
    await h.client.resume(run_id)
    while True:
        run = await asyncio.wait_for(h.client.wait(run_id), 5)
        if run.finished is not None:
            await h.verify(run_id)
            return run
        node = run.nodes["a"]
        values: dict[str, Any] = {"approved": True}
        if node.status == "in_doubt":
            assert node.question is not None
            assert "change" in node.question.message
            assert '"new"' in (node.question.show or "")
            values = {"choice": doubt}
        await h.client.answer(run_id, "a", values, by="ada")


async def test_cut_anywhere_nothing_that_is_on_record_is_done_again(tmp_path: Path) -> None:
    history = await whole(tmp_path)
    run_id = history[0].stream.removeprefix("run/")
    calls = sum(isinstance(item.event, CallFinished) for item in history)
    for cut in range(2, len(history)):
        kept = history[:cut]
        known = Counter[str]()
        started: dict[Any, str] = {}
        for item in kept:
            event = item.event
            if isinstance(event, CallFinished):
                known["calls"] += 1
            elif isinstance(event, ToolStarted):
                started[event.call, event.tool_call_id, event.attempt] = event.tool
            elif isinstance(event, ToolFinished):
                known[started[event.call, event.tool_call_id, event.attempt]] += 1
        hand, talker = Hand(), Talker(*TURNS)
        async with table(hand, tmp_path, talker, store=await store_of(kept)) as h:
            agent(hand, h, change="ask")  # its functions
            run = await go_on(h, run_id)
        assert run.outputs == {"a": "done"}, cut
        assert len(talker.requests) == calls - known["calls"], cut
        assert hand.done["look"] == 2 - known["look"], cut
        assert hand.done["change"] == 2 - known["change"], cut
        said = (
            [m.content for m in talker.requests[-1].messages if m.role == "tool"] if talker.requests else []
        )
        assert said in ([], ["saw x", "it is new now", "it is new now", "saw x"]), cut


async def test_what_nobody_saw_the_end_of_can_be_told_instead_of_done_again(tmp_path: Path) -> None:
    history = await whole(tmp_path)
    cut = next(
        n
        for n, item in enumerate(history)
        if isinstance(item.event, ToolStarted) and item.event.tool == "change"
    )
    hand, talker = Hand(), Talker(*TURNS)
    async with table(hand, tmp_path, talker, store=await store_of(history[: cut + 1])) as h:
        agent(hand, h, change="ask")
        run = await go_on(h, history[0].stream.removeprefix("run/"), doubt="tell")
        told = [r.event for r in await h.history(run.id) if isinstance(r.event, ToolFailed)]
    assert run.outputs == {"a": "done"}
    assert hand.done == {"look": 1, "change": 1}  # of the turn after it
    assert [event.error.kind for event in told] == ["lost"]
    assert "not known" in talker.requests[0].messages[-1].content


async def test_what_changes_nothing_is_done_again_unasked(tmp_path: Path) -> None:
    history = await whole(tmp_path)
    cut = next(n for n, item in enumerate(history) if isinstance(item.event, ToolStarted))
    hand, talker = Hand(), Talker(*TURNS)
    async with table(hand, tmp_path, talker, store=await store_of(history[: cut + 1])) as h:
        agent(hand, h, change="ask")
        await h.client.resume(run_id := history[0].stream.removeprefix("run/"))
        run = await asyncio.wait_for(h.client.wait(run_id), 5)
    assert run.status == "waiting_answer"  # at the change that comes next
    assert hand.done == {"look": 1}
    (look,) = run.nodes["a"].attempts[0].calls[0].tools
    assert (look.status, look.tries) == ("succeeded", 2)


async def test_a_conversation_that_is_another_one_starts_anew_and_says_so(tmp_path: Path) -> None:
    history = await whole(tmp_path)
    cut = next(n for n, item in enumerate(history) if isinstance(item.event, ToolFinished))
    hand, talker = Hand(), Talker(LOOK, "short")
    before, Hand.look.__doc__ = Hand.look.__doc__, "Look at something else."
    try:
        async with table(hand, tmp_path, talker, store=await store_of(history[: cut + 1])) as h:
            agent(hand, h, change="ask")
            run_id = history[0].stream.removeprefix("run/")
            run = await go_on(h, run_id)
            logs = [r.event for r in await h.store.read_all(0, stream=run_stream(run_id))]
    finally:
        Hand.look.__doc__ = before
    assert run.outputs == {"a": "short"}
    assert hand.done == {"look": 1}
    assert any("starts anew" in getattr(event, "message", "") for event in logs)


async def test_a_function_that_chats_with_tools_goes_on_too(tmp_path: Path) -> None:
    hand, talker = Hand(), Talker(LOOK, CHANGE, "done")
    began: list[int] = []

    async def logic(ctx: StepContext) -> str:
        began.append(ctx.attempt)
        tools = [{"function": hand.look, "effect": "read"}, {"function": hand.change, "approve": "ask"}]
        return str(await ctx.chat("go", model="paid:m", tools=tools))

    async with table(hand, tmp_path, talker) as h:
        h.engine.register("logic", logic)
        run = await h.run(workflow(StepDef(id="a", action=Function(name="logic"))))
        assert run.status == "waiting_answer"
        await h.client.answer(run.id, "a", {"approved": True}, by="ada")
        run = await asyncio.wait_for(h.client.wait(run.id), 5)
    assert run.outputs == {"a": "done"}
    assert began == [1, 2]
    assert hand.done == {"look": 1, "change": 1}
    assert talker.asked == {0: 1, 1: 1, 2: 1}


async def test_held_by_its_budget_between_two_calls_it_goes_on_there(tmp_path: Path) -> None:
    hand, talker = Hand(), Talker(LOOK, CHANGE, "done")
    async with table(hand, tmp_path, talker) as h:
        run_id = await h.start(agent(hand, h, settings={"max_tokens": 10}), budget_micro_usd=1)
        run = await asyncio.wait_for(h.client.wait(run_id), 5)
        while run.status == "waiting_budget":
            held = run.held["a"]
            await h.client.raise_budget(run_id, (run.tally.cost or 0) + held.needed, by="ada")
            run = await asyncio.wait_for(h.client.wait(run_id), 5)
        await h.verify(run_id)
    assert run.outputs == {"a": "done"}
    assert talker.asked == {0: 1, 1: 1, 2: 1}
    assert hand.done == {"look": 1, "change": 1}
    assert len(run.nodes["a"].attempts) > 2
