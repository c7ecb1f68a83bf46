"""The simulation can fail: each of these defects, put into the engine, breaks the promise that it should."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from aethermind.domain import calls, transitions
from aethermind.domain.commands import Wake
from aethermind.domain.events import AttemptLost, Draft, Recorded, StateChanged
from aethermind.domain.plan import plan
from aethermind.domain.run import Run
from aethermind.domain.state import Tally
from aethermind.engine import agent_state, questions, reserving, tool_loop, turn
from aethermind.engine.agent_state import AgentStates
from aethermind.engine.feed import Feed
from aethermind.engine.live import Ended, LiveRun, Success
from aethermind.engine.scheduler import Scheduler
from tests.simulation import tools
from tests.simulation.facts import Broken
from tests.simulation.faults import SeededChance
from tests.simulation.play import play
from tests.simulation.store import Disk
from tests.simulation.tools import SPECS

PATIENCE = 120
"""Seeds until a defect must have shown."""


def broken(*likely: int) -> str:
    """The promise that breaks first. `likely`: seeds that noticed it before, to save time."""
    for seed in (*likely, *range(PATIENCE)):
        try:
            play(seed)
        except Broken as found:
            return found.rule
    raise AssertionError(f"{PATIENCE} seeds noticed nothing")


def test_acting_before_the_append(monkeypatch: pytest.MonkeyPatch) -> None:
    begin = Scheduler._turn

    def eager(self: Scheduler, live: LiveRun) -> None:
        decide: Any = self._decider.decide

        def early(decided: Any, *args: Any, **named: Any) -> None:
            decide(decided, *args, **named)
            for node, attempt in decided.starts:
                self._start(live, node, attempt)
            decided.starts.clear()

        decider: Any = self._decider
        decider.decide = early
        try:
            begin(self, live)
        finally:
            decider.decide = decide

    monkeypatch.setattr(Scheduler, "_turn", eager)
    assert broken() == "no effect without a committed intent"


def test_no_look_at_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reserving, "check_run", lambda *_: None)
    assert broken() == "spent + reserved ≤ cap"


def test_no_look_at_the_ledger_of_the_day(monkeypatch: pytest.MonkeyPatch) -> None:
    write = Disk.write

    def careless(self: Disk, drafts: Sequence[Draft], expected: Mapping[str, int]) -> list[Recorded]:
        return write(self, [replace(draft, reserve=None) for draft in drafts], expected)

    monkeypatch.setattr(Disk, "write", careless)
    assert broken(12) == "spent + reserved ≤ cap of the day"


def test_a_lost_call_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    lose = Tally.lose

    def forget(self: Tally, reserved: int | None) -> None:
        lose(self, reserved)
        self.at_most -= reserved or 0

    monkeypatch.setattr(Tally, "lose", forget)
    assert broken() in {"the journal is sound", "the bill is right", "spent + reserved ≤ cap"}


def test_a_lost_call_counts_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    lost = transitions.HANDLERS[AttemptLost]

    def twice(run: Run, event: AttemptLost, at: int) -> None:
        node = run.node(event.step)
        for call in node.attempts[-1].calls:
            if call.status == "running":
                for tally in calls.tallies(run, node, call.agent):
                    tally.lose(call.reserved)
        lost(run, event, at)

    monkeypatch.setitem(transitions.HANDLERS, AttemptLost, twice)
    assert broken() in {"the journal is sound", "the ledger is the sum of its calls"}


def test_a_resume_that_runs_a_success_again(monkeypatch: pytest.MonkeyPatch) -> None:
    fold = Scheduler._fold

    async def forgetful(self: Scheduler, run_id: str) -> Run:
        run = await fold(self, run_id)
        for node in run.nodes.values():
            if node.mode == "leaf" and node.status == "succeeded" and run.finished is None:
                run.counts["succeeded"] -= 1
                run.counts["ready"] = run.counts.get("ready", 0) + 1
                node.status = "ready"
                run.ready.setdefault(node.lane, {})[node.path] = node
                break
        return run

    monkeypatch.setattr(Scheduler, "_fold", forgetful)
    assert broken() == "what succeeded is not run again"


def test_a_paused_run_that_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def deaf(run: Run, *args: Any) -> Any:
        paused, run.paused = run.paused, False
        try:
            return plan(run, *args)
        finally:
            run.paused = paused

    monkeypatch.setattr(turn, "plan", deaf)
    assert broken(15) == "a paused run starts nothing"


def test_timers_that_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    def sleepy(*args: Any) -> Any:
        return [command for command in plan(*args) if not isinstance(command, Wake)]

    monkeypatch.setattr(turn, "plan", sleepy)
    assert broken() == "every run ends, parks or asks"


def test_a_question_that_may_be_decided_again(monkeypatch: pytest.MonkeyPatch) -> None:
    answered = questions.answered

    def again(node: Any, *args: Any) -> Any:
        values = node.question.values if node.question is not None else None
        if values is None:
            return answered(node, *args)
        node.question.values = None
        try:
            return answered(node, *args)
        finally:
            node.question.values = values

    monkeypatch.setattr(questions, "answered", again)
    assert broken(53) in {"a question is decided once", "no defect"}


def test_an_attempt_that_forgets_what_it_paid_for(monkeypatch: pytest.MonkeyPatch) -> None:
    end = LiveRun.end

    def thin(self: LiveRun, message: Ended) -> None:
        end(self, message if isinstance(message.outcome, Success) else replace(message, facts=()))

    monkeypatch.setattr(LiveRun, "end", thin)
    assert broken(51) == "what was paid for is recorded"


def test_state_that_moves_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    decide = AgentStates.decide

    def twice(self: AgentStates, agent: str, writes: Any) -> StateChanged:
        decide(self, agent, writes)
        return decide(self, agent, writes)

    monkeypatch.setattr(AgentStates, "decide", twice)
    assert agent_state.AgentStates.decide is twice
    assert broken() == "state moves with the success that wrote it, once"


def test_chance_that_nobody_planted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SeededChance, "jitter", lambda _self: random.random())
    assert any(play(seed).journal != play(seed).journal for seed in range(20))


def test_what_breaks_says_how_to_see_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "answered", lambda *_: [object()])
    with pytest.raises(Broken) as found:
        [play(seed, trace=True) for seed in range(PATIENCE)]
    assert "python -m tests.simulation" in found.value.__notes__[0]
    assert found.value.story


def test_a_tool_that_is_called_again_after_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless the engine sees in its journal that it is done, or that nobody knows."""
    monkeypatch.setattr(tool_loop.ToolLoop, "_recorded", lambda *_: None)
    assert broken() in {"what had an effect is done again only on somebody's word", "no defect"}


def test_a_tool_that_nobody_is_asked_about(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = replace(SPECS[2], approve="always")
    monkeypatch.setattr(tools.SimToolbox, "specs", (*SPECS[:2], asked))
    assert broken() == "what needs approval was approved"


def test_a_feed_that_drops_something(monkeypatch: pytest.MonkeyPatch) -> None:
    publish = Feed.publish

    def lossy(self: Feed, recorded: Sequence[Recorded]) -> None:
        publish(self, [item for item in recorded if item.seq % 13])

    monkeypatch.setattr(Feed, "publish", lossy)
    assert broken() == "a feed leaves nothing out"
