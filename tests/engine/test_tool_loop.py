"""The loop of model and tools: what is recorded, what is asked, what is told."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from aethermind.domain.errors import DeniedError, ErrorInfo, InvalidError
from aethermind.domain.events import CallFinished, CallStarted, ToolStarted
from aethermind.domain.run import Run
from aethermind.domain.workflow import Retry
from aethermind.engine.guard import Limits
from tests.engine.harness import Harness, types
from tests.engine.talker import Hand, Talker, agent, table

LOOK = [("look", {"what": "x"})]
CHANGE = [("change", {"to": "new"})]


async def settled(h: Harness, run_id: str) -> Run:
    run = await asyncio.wait_for(h.client.wait(run_id), 10)
    await h.verify(run_id)
    return run


async def test_what_a_tool_gives_is_told_and_every_step_of_it_is_on_record(tmp_path: Path) -> None:
    hand, talker = Hand(), Talker(LOOK, CHANGE, "done")
    async with table(hand, tmp_path, talker) as h:
        run = await h.run(agent(hand, h))
        assert run.outputs == {"a": "done"}
        assert hand.done == {"look": 1, "change": 1}
        history = await h.history(run.id)
    assert types(history)[2:-2] == [
        *("CallStarted", "CallFinished", "ToolStarted", "ToolFinished"),
        *("CallStarted", "CallFinished", "ToolStarted", "ToolFinished"),
        *("CallStarted", "CallFinished"),
    ]
    last = talker.requests[-1].messages
    assert [(m.role, m.content) for m in last[1:]] == [
        ("assistant", ""),
        ("tool", "saw x"),
        ("assistant", ""),
        ("tool", "it is new now"),
    ]
    assert last[1].carry == {"turn": 0}
    assert [m.tool_call_id for m in last] == [None, None, "t0", None, "t0"]
    calls = run.nodes["a"].attempts[0].calls
    assert [t.result for call in calls for t in call.tools] == ["saw x", "it is new now"]
    assert [call.status for call in calls] == ["succeeded"] * 3


async def test_later_requests_are_recorded_by_what_is_new_in_them(tmp_path: Path) -> None:
    hand, talker = Hand(), Talker(LOOK, "done")
    async with table(hand, tmp_path, talker) as h:
        run = await h.run(agent(hand, h))
        first, second = [r.event.request for r in await h.history(run.id) if isinstance(r.event, CallStarted)]
    assert [tool["name"] for tool in first["tools"]][:2] == ["look", "change"]
    assert second == {
        "continues": {"attempt": 1, "call": 1},
        "messages": [{"role": "tool", "content": "saw x", "tool_call_id": "t0"}],
        "settings": {},
    }


async def test_calls_that_change_nothing_run_side_by_side_and_others_in_their_order(tmp_path: Path) -> None:
    hand = Hand()
    talker = Talker([*LOOK, ("look", {"what": "y"}), *CHANGE, ("look", {"what": "z"})], "done")
    async with table(hand, tmp_path, talker) as h:
        run = await h.run(agent(hand, h))
        history = await h.history(run.id)
    kinds = [kind for kind in types(history) if kind.startswith("Tool")]
    assert kinds[:2] == ["ToolStarted", "ToolStarted"]
    assert kinds[4:] == ["ToolStarted", "ToolFinished"] * 2
    started = [r.event.tool for r in history if isinstance(r.event, ToolStarted)]
    assert started == ["look", "look", "change", "look"]
    assert [m.content for m in talker.requests[-1].messages[2:]] == [
        "saw x",
        "saw y",
        "it is new now",
        "saw z",
    ]


async def test_what_goes_wrong_is_told_and_the_model_may_go_on(tmp_path: Path) -> None:
    hand = Hand()
    wrong: list[Any] = [("boom", {}), ("look", {}), ("nothing", {}), ("look", {"what": "x"})]
    talker = Talker(wrong, "done")
    async with table(hand, tmp_path, talker) as h:
        run = await h.run(agent(hand, h))
    assert run.status == "succeeded"
    told = [m for m in talker.requests[-1].messages if m.role == "tool"]
    assert [m.is_error for m in told] == [True, True, True, False]
    assert "ValueError" in told[0].content
    assert "do not fit" in told[1].content
    assert "no tool" in told[2].content
    assert hand.done == {"boom": 1, "look": 1}
    states = run.nodes["a"].attempts[0].calls[0].tools
    assert [(t.tool, t.status) for t in states] == [
        ("boom", "succeeded"),
        ("look", "failed"),
        ("nothing", "failed"),
        ("look", "succeeded"),
    ]


async def test_a_tool_that_nobody_gave_is_not_called(tmp_path: Path) -> None:
    hand, talker = Hand(), Talker([("write_file", {"path": "x", "content": "y"})], "done")
    async with table(hand, tmp_path, talker) as h:
        definition = agent(hand, h)
        prompt = definition.steps[0].action
        fewer = msgspec.structs.replace(prompt, tools=prompt.tools[:1])  # type: ignore[union-attr]  # a prompt
        step = msgspec.structs.replace(definition.steps[0], action=fewer)
        run = await h.run(msgspec.structs.replace(definition, steps=(step,)))
    assert run.status == "succeeded"
    assert not (tmp_path / "x").exists()
    assert "no tool" in talker.requests[-1].messages[-1].content


async def test_a_write_waits_for_a_yes_to_exactly_its_diff(tmp_path: Path) -> None:
    hand = Hand()
    (tmp_path / "f").write_text("old\n")
    talker = Talker(LOOK, [("write_file", {"path": "f", "content": "new\n"})], "done")
    async with table(hand, tmp_path, talker) as h:
        run = await h.run(agent(hand, h))
        node = run.nodes["a"]
        assert run.status == "waiting_answer"
        assert node.question is not None
        assert node.question.about == "tool"
        assert "-old" in (node.question.show or "")
        assert "+new" in (node.question.show or "")
        assert (tmp_path / "f").read_text() == "old\n"
        asked = node.question.digest
        await h.client.answer(run.id, "a", {"approved": True}, by="ada")
        run = await settled(h, run.id)
        assert run.outputs == {"a": "done"}
        assert (tmp_path / "f").read_text() == "new\n"
        (started,) = [
            r.event
            for r in await h.history(run.id)
            if isinstance(r.event, ToolStarted) and r.event.tool == "write_file"
        ]
        assert (started.digest, started.approved_by) == (asked, "ada")
        with pytest.raises(DeniedError, match="ada"):
            await h.client.answer(run.id, "a", {"approved": False}, by="bob")
    assert talker.asked == {0: 1, 1: 1, 2: 1}
    assert hand.done == {"look": 1}
    node = run.nodes["a"]
    assert node.tries == 1
    assert [a.status for a in node.attempts] == ["cancelled", "succeeded"]
    assert run.tally.calls == 3


async def test_a_file_that_changed_meanwhile_is_asked_about_anew(tmp_path: Path) -> None:
    hand = Hand()
    (tmp_path / "f").write_text("old\n")
    talker = Talker([("write_file", {"path": "f", "content": "new\n"})], "done")
    async with table(hand, tmp_path, talker) as h:
        run = await h.run(agent(hand, h))
        first = run.nodes["a"].question
        (tmp_path / "f").write_text("somebody else's\n")
        await h.client.answer(run.id, "a", {"approved": True}, by="ada")
        run = await settled(h, run.id)
        second = run.nodes["a"].question
        assert run.status == "waiting_answer"
        assert first is not None
        assert second is not None
        assert second.digest != first.digest
        assert "somebody else's" in (second.show or "")
        assert (tmp_path / "f").read_text() == "somebody else's\n"
        await h.client.answer(run.id, "a", {"approved": True}, by="ada")
        run = await settled(h, run.id)
    assert (tmp_path / "f").read_text() == "new\n"


async def test_a_no_is_told_with_its_reason_and_the_model_goes_on(tmp_path: Path) -> None:
    hand, talker = Hand(), Talker(CHANGE, "then not")
    async with table(hand, tmp_path, talker) as h:
        run = await h.run(agent(hand, h, change="ask"))
        await h.client.answer(run.id, "a", {"approved": False, "note": "too early"}, by="ada")
        run = await settled(h, run.id)
    assert run.outputs == {"a": "then not"}
    assert hand.done == {}
    message = talker.requests[-1].messages[-1]
    assert (message.content, message.is_error) == ("ada did not allow this: too early", True)
    (tool,) = run.nodes["a"].attempts[0].calls[0].tools
    assert (tool.status, tool.by) == ("failed", "ada")


async def test_a_yes_is_good_once(tmp_path: Path) -> None:
    hand, talker = Hand(), Talker(CHANGE, CHANGE, "done")
    async with table(hand, tmp_path, talker) as h:
        run = await h.run(agent(hand, h, change="ask"))
        await h.client.answer(run.id, "a", {"approved": True}, by="ada")
        run = await settled(h, run.id)
        assert run.status == "waiting_answer"
        assert hand.done == {"change": 1}
        await h.client.answer(run.id, "a", {"approved": True}, by="ada")
        run = await settled(h, run.id)
    assert run.outputs == {"a": "done"}
    assert hand.done == {"change": 2}


async def test_a_yes_to_what_is_not_asked_any_more_is_refused(tmp_path: Path) -> None:
    hand, talker = Hand(), Talker(CHANGE, [("change", {"to": "worse"})], "done")
    async with table(hand, tmp_path, talker) as h:
        run = await h.run(agent(hand, h, change="ask"))
        question = run.nodes["a"].question
        assert question is not None
        yes = {"approved": True, "digest": question.digest}
        await h.client.answer(run.id, "a", yes, by="ada")
        await h.client.wait(run.id)
        with pytest.raises(InvalidError, match="something else by now"):
            await h.client.answer(run.id, "a", yes, by="bob")
        assert hand.done == {"change": 1}


async def test_after_a_broken_call_the_next_attempt_goes_on_from_there(tmp_path: Path) -> None:
    hand = Hand()
    broken = ErrorInfo(kind="server", message="500", retryable=True)
    talker = Talker(CHANGE, LOOK, broken, "done")
    async with table(hand, tmp_path, talker) as h:
        run = await h.run(agent(hand, h, retry=Retry(max_attempts=2, backoff_ms=1)))
    assert run.outputs == {"a": "it works again"}
    assert hand.done == {"look": 1, "change": 1}
    assert talker.asked == {0: 1, 1: 1, 2: 2}
    assert [len(a.calls) for a in run.nodes["a"].attempts] == [3, 1]


async def test_an_answer_that_does_not_fit_is_repaired_inside_the_conversation(tmp_path: Path) -> None:
    hand, talker = Hand(), Talker(LOOK, "not json", '{"x": 1}')
    schema = {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}
    async with table(hand, tmp_path, talker) as h:
        run = await h.run(agent(hand, h, output_schema=schema))
    assert run.outputs == {"a": {"x": 1}}
    assert hand.done == {"look": 1}


async def test_a_model_that_never_answers_is_stopped(tmp_path: Path) -> None:
    hand, talker = Hand(), Talker(LOOK)
    async with table(hand, tmp_path, talker) as h:
        run = await h.run(agent(hand, h, settings={"max_turns": 3}))
    assert run.status == "failed"
    assert run.error is not None
    assert "3 turns" in run.error.message
    assert len(talker.requests) == 3
    assert "max_turns" not in talker.requests[0].settings


async def test_the_same_use_of_the_same_tool_again_and_again_pauses_the_run(tmp_path: Path) -> None:
    hand, talker = Hand(), Talker(LOOK)
    async with table(hand, tmp_path, talker, limits=Limits(repeated_calls=4)) as h:
        run = await h.run(agent(hand, h))
    assert run.status == "paused"
    assert run.pause is not None
    assert "look 4 times" in run.pause.reason
    assert hand.done == {"look": 4}


async def test_a_stopped_step_stops_its_tool(tmp_path: Path) -> None:
    hand, talker = Hand(), Talker(CHANGE, "done")
    hand.gate = asyncio.Event()
    async with table(hand, tmp_path, talker) as h:
        run_id = await h.start(agent(hand, h))
        await asyncio.wait_for(hand.began.wait(), 5)
        await h.client.cancel(run_id, by="ada")
        run = await settled(h, run_id)
    assert run.status == "cancelled"
    assert hand.done == {}
    (tool,) = run.nodes["a"].attempts[0].calls[0].tools
    assert (tool.status, tool.error.kind if tool.error else None) == ("failed", "cancelled")


async def test_an_answer_that_was_cut_asks_for_nothing(tmp_path: Path) -> None:
    hand = Hand()

    class Cut(Talker):
        async def stream(self, request: Any) -> Any:
            async for event in super().stream(request):
                cut = hasattr(event, "reason")
                yield msgspec.structs.replace(event, reason="length") if cut else event

    async with table(hand, tmp_path, Cut(CHANGE, "done")) as h:
        run = await h.run(agent(hand, h))
        finished = [r.event for r in await h.history(run.id) if isinstance(r.event, CallFinished)]
    assert hand.done == {}
    assert [event.finish for event in finished] == ["length"]
