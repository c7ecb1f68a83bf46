"""What must always hold, whatever fails and whenever the process dies. Checked from outside of the engine.

    committed   at every commit: the journal is a sound history so far
    effect      when something outside begins: its intent is on disk
    compare     now and then: the state in memory is the state that a replay gives
    ended       at the end, when nothing fails any more: every run came to an end, and the bill is right

Each rule has the name under which `Broken` reports it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from aethermind.domain import events as e
from aethermind.domain import invariants, progress
from aethermind.domain.commands import Room
from aethermind.domain.days import DayScope, day_of, parse_one_day
from aethermind.domain.errors import AethermindError, StateError
from aethermind.domain.holding import GUARD
from aethermind.domain.ids import agent_stream, run_id_of, run_stream
from aethermind.domain.plan import plan
from aethermind.domain.run import Run, fold
from tests.simulation import bill
from tests.simulation.facts import Broken, Facts, hold, same
from tests.simulation.outside import COUNTER
from tests.simulation.pictures import picture
from tests.simulation.tables import differences

if TYPE_CHECKING:
    from tests.simulation.world import World


ASKING = frozenset({"waiting_answer", "waiting_budget", "in_doubt"})


UNDER_WAY_MS = 1_000
"""So long an append may take."""


class Promises:
    def __init__(self, world: World) -> None:
        self._world = world
        self.runs: dict[str, Run] = {}
        """The run as the journal tells it, folded at every commit."""
        self.facts: dict[str, Facts] = {}
        self.seq = 0
        """Of the last event or log committed."""
        self._versions: dict[str, int] = {}
        self._caps: dict[tuple[DayScope, int], int] = {}
        """Of days whose cap somebody set."""
        self._capped_at: dict[tuple[DayScope, int], int] = {}
        self.counted: dict[str, int] = {}

    # --- at every commit -----------------------------------------------------------------------

    def committed(self, life: int, recorded: list[e.Recorded]) -> None:
        """One append, as it was committed."""
        for item in recorded:
            self._numbered(item)
            run_id = run_id_of(item.stream)
            if isinstance(item.event, e.BudgetRaised) and (of := parse_one_day(item.event.scope)):
                self._caps[of] = item.event.micro_usd
                self._capped_at.setdefault(of, item.at)
            elif run_id is not None:
                self._owned(run_id, life, item.at)
                if not isinstance(item.event, e.LogWritten):
                    self._recorded(run_id, item)
        self._counted(recorded)

    def _numbered(self, item: e.Recorded) -> None:
        rule = "ids, seqs and versions are monotone"
        hold(item.seq == self.seq + 1, rule, f"seq {item.seq} after {self.seq}")
        self.seq = item.seq
        if isinstance(item.event, e.LogWritten):
            return
        before = self._versions.get(item.stream, 0)
        hold(item.version == before + 1, rule, f"{item.stream}: version {item.version} after {before}")
        self._versions[item.stream] = item.version

    def _owned(self, run_id: str, life: int, at: int) -> None:
        facts = self.facts.setdefault(run_id, Facts())
        hold(life >= facts.life, "one live epoch", f"life {life} wrote to {run_id} after life {facts.life}")
        facts.life = life
        hold(at >= facts.at, "ids, seqs and versions are monotone", f"{run_id}: time went back")
        facts.at = at

    def _recorded(self, run_id: str, item: e.Recorded) -> None:
        run = self.runs.get(run_id)
        if run is None:
            run = self.runs[run_id] = Run(run_id)
        facts = self.facts[run_id]
        try:
            self._before(run, facts, item.event)
            run.fold(item)
            invariants.check(run)
        except Broken:
            raise
        except (AssertionError, AethermindError, LookupError) as error:
            raise Broken("the journal is sound", f"{run_id} #{item.seq} {item.type}: {error!r}") from error
        self._after(run, facts, item.event, item.at)

    def _before(self, run: Run, facts: Facts, event: e.AnyEvent) -> None:
        """What the event may not do to the state that is there."""
        if run.finished is not None and not isinstance(
            event, (e.RunReopened, e.DefinitionAdopted, e.BudgetRaised)
        ):
            raise Broken("terminal states absorb", f"{run.id} is {run.finished}: {type(event).__name__}")
        match event:
            case e.AttemptStarted(step=path):
                hold(not run.cancelling, "a cancelled run starts nothing", f"{run.id} {path} starts")
                hold(not run.paused, "a paused run starts nothing", f"{run.id} {path} starts")
                hold(path not in facts.done, "what succeeded is not run again", f"{run.id} {path}")
            case e.CallStarted(step=path, attempt=n):
                hold(not run.cancelling, "a cancelled run starts nothing", f"{run.id} {path} calls a model")
                attempt = run.node(path).attempts[n - 1]
                hold(attempt.status == "running", "a call belongs to a running attempt", f"{run.id} {path}")
            case (
                e.CallFinished(step=path, attempt=n, call=call)
                | e.CallFailed(step=path, attempt=n, call=call)
            ):
                hold(
                    (path, n, call) not in facts.ended_calls,
                    "a call ends once",
                    f"{run.id} {path} {n}.{call}",
                )
                facts.ended_calls.add((path, n, call))
            case e.AskAnswered(step=path, values={"choice": "retry"}):
                hold(path in facts.open_questions, "a question is decided once", f"{run.id} {path}")
                facts.open_questions.discard(path)
                facts.allow_again(run.node(path))
            case e.AttemptLost(step=path, resolution="retry"):
                facts.allow_again(run.node(path))
            case e.AskAnswered(step=path) | e.AskExpired(step=path):
                hold(path in facts.open_questions, "a question is decided once", f"{run.id} {path}")
                facts.open_questions.discard(path)
            case e.StepExpanded() | e.StepSkipped():
                hold(not run.cancelling, "a cancelled run starts nothing", f"{run.id} {event.step} unfolds")
            case _:
                pass

    def _after(self, run: Run, facts: Facts, event: e.AnyEvent, at: int) -> None:
        tally = run.tally
        budget = run.budget_micro_usd
        if budget is not None:
            facts.most_budget = max(budget, facts.most_budget or 0)
        match event:
            case e.AttemptSucceeded(step=path):
                facts.done.add(path)
            case e.AttemptFailed(step=path, error=error) if error.kind in {"internal", "exception"}:
                hold(error.message.startswith("ValueError: no"), "no defect", f"{path}: {error}")
            case e.AskOpened(step=path):
                facts.open_questions.add(path)
            case e.CallStarted(reserved_micro_usd=int()) if budget is not None:
                hold(
                    (tally.cost or 0) + tally.at_most + tally.reserved <= budget,
                    "spent + reserved ≤ cap",
                    f"{run.id}: {tally.cost} + {tally.at_most} + {tally.reserved} > {budget}",
                )
                self._day(at)
            case e.CallStarted(reserved_micro_usd=int()):
                self._day(at)
            case e.RunReopened() | e.DefinitionAdopted():
                facts.cancelled = False
                self._taken_up_again(run, facts, event)
            case _:
                pass
        hold(
            tally.reserved >= 0 and tally.in_flight >= 0 and tally.at_most >= 0,
            "the ledger is the sum of its calls",
            f"{run.id}: reserved {tally.reserved}, in flight {tally.in_flight}, at most {tally.at_most}",
        )

    def _day(self, at: int) -> None:
        """What all runs spent, may have spent and reserved on the day of a call that just began."""
        day = day_of(at)
        cap = self._caps.get(("day", day), self._world.day_budget)
        if cap is None:
            return
        if self._world.day_budget is None and at - self._capped_at["day", day] < UNDER_WAY_MS:
            return  # it was decided when there was no cap at all
        spent = sum(
            bill.most(call)
            for run in self.runs.values()
            for _, attempts in bill.attempts(run)
            for attempt in attempts
            for call in attempt.calls
            if day_of(call.started_at) == day
        )
        hold(spent <= cap, "spent + reserved ≤ cap of the day", f"{spent} > {cap}")

    def _taken_up_again(self, run: Run, facts: Facts, event: e.RunReopened | e.DefinitionAdopted) -> None:
        """What is neither named, nor changed, nor downstream of it, must stay done."""
        again = self._anew(run, event)
        for path in list(facts.done):
            root = _root(path)
            node = run.nodes.get(path)
            if node is not None and node.status == "succeeded":
                continue
            if root not in again:
                raise Broken("what succeeded is not run again", f"{run.id} {path} was reset")
            facts.done.discard(path)
        facts.open_questions = {p for p in facts.open_questions if (n := run.nodes.get(p)) and n.question}

    def _anew(self, run: Run, event: e.RunReopened | e.DefinitionAdopted) -> set[str]:
        steps = run.definition.steps
        if isinstance(event, e.RunReopened):
            again = {_root(path) for path in event.steps}
        else:
            again = {step.id for step in steps if step.id not in event.kept}
            again |= {n.step.id for n in run.root.children if n.status != "succeeded"}
        again |= {step.id for step in steps if step.always}
        grows = True
        while grows:
            more = {s.id for s in steps if s.id not in again and again.intersection(s.needs)}
            again |= more
            grows = bool(more)
        return again | {path for path in map(_root, self.facts[run.id].done) if path not in run.root.by_id}

    def _counted(self, recorded: list[e.Recorded]) -> None:
        """A success of `count` and its state are in one commit, and each counts once."""
        changed = [r.event for r in recorded if isinstance(r.event, e.StateChanged)]
        for event in changed:
            before = self.counted.get(event.agent, 0)
            value = event.values.get(COUNTER)
            rule = "state moves with the success that wrote it, once"
            hold(value == before + 1, rule, f"{event.agent}: {value} after {before}")
            self.counted[event.agent] = before + 1
        succeeded = 0
        for item in recorded:
            if isinstance(item.event, e.AttemptSucceeded) and (run_id := run_id_of(item.stream)):
                action = self.runs[run_id].node(item.event.step).step.action
                succeeded += getattr(action, "name", None) == "count"
        hold(
            succeeded == len(changed),
            "state moves with the success that wrote it, once",
            f"{succeeded} successes, {len(changed)} changes",
        )

    # --- when something outside begins ---------------------------------------------------------

    def effect(self, kind: str, run_id: str, path: str, turn: int) -> tuple[int, int]:
        """Attempt and call that this is done for, as the journal knows them. `turn`: of a conversation that
        went on over a crash, the number of the call in it; else that in its attempt."""
        rule = "no effect without a committed intent"
        run = self.runs.get(run_id)
        node = run.nodes.get(path) if run is not None else None
        running = node is not None and bool(node.attempts) and node.attempts[-1].status == "running"
        if run is None or node is None or not running:
            self._world.broken(rule, f"{kind} of {run_id} {path}: {node!r}")
            return 0, 0
        attempt = node.attempts[-1]
        if self.facts[run_id].cancelled:
            self._world.broken("a cancelled run starts nothing", f"{kind} of {run_id} {path}")
        if kind != "request":
            return attempt.n, 0
        done = self._world.ledger.of(run_id)
        sent = {one.call for one in done if (one.step, one.attempt) == (path, attempt.n)}
        intended = [c.n for c in attempt.calls if c.status == "running" and c.n not in sent]
        if not intended:
            self._world.broken(rule, f"request {turn} of {run_id} {path} attempt {attempt.n}")
            return attempt.n, 0
        return attempt.n, turn if turn in intended else intended[0]

    def tool(self, run_id: str, path: str, tool_id: str) -> None:
        """A tool is called: that is on disk, and nobody sees it done twice without somebody's word."""
        node, name = self.runs[run_id].nodes.get(path), f"tool {tool_id} of {run_id} {path}"
        states = [t for a in node.attempts for c in a.calls for t in c.tools] if node is not None else []
        state = next((t for t in states if t.id == tool_id), None)
        if state is None or state.status != "running":
            self._world.broken("no effect without a committed intent", name)
            return
        before = [effect for effect in self._world.ledger.effects if effect.tool == tool_id]
        if state.tool != "look" and len(before) > self.facts[run_id].again.get(tool_id, 0):
            self._world.broken("what had an effect is done again only on somebody's word", name)
        if state.tool == "change" and not state.by and not before:
            self._world.broken("what needs approval was approved", name)

    # --- what was answered ---------------------------------------------------------------------

    def refused(self, what: str, error: AethermindError) -> None:
        if isinstance(error, StateError):
            raise Broken("no defect", f"{what}: {error}")

    def acknowledged(self, what: str, run_id: str, holds: Callable[[Run], bool]) -> None:
        """Somebody was told that this is done: then it is on disk."""
        hold(holds(self.runs[run_id]), "what was acknowledged is on disk", f"{what} {run_id}")

    def told(self, run_id: str, seen: list[int]) -> None:
        stream = run_stream(run_id)
        all_of_it = [item.seq for item in self._world.disk.everything() if item.stream == stream]
        hold(seen == all_of_it, "a feed leaves nothing out", f"{run_id}: {len(seen)} of {len(all_of_it)}")

    def died(self) -> None:
        self.cut({run_stream(run_id) for run_id, run in self.runs.items() if run.finished is None})

    def cut(self, streams: set[str]) -> None:
        """What these had in hand may be lost."""
        for run_id, facts in self.facts.items():
            facts.cut = facts.cut or run_stream(run_id) in streams

    # --- now and then --------------------------------------------------------------------------

    def compare(self) -> None:
        """State in memory = state of a replay, for each run that is not in the middle of a turn."""
        now = self._world.now()
        for run_id, live in self._world.life.engine.scheduler.live.items():
            if live.busy or live.inbox:
                continue
            replayed = fold(run_id, self._world.disk.stream(run_stream(run_id)))
            for run in (replayed, live.run):
                _ring(run, now)
            here, there = picture(live.run), picture(replayed)
            for name in here:
                same(f"{run_id} {name}", here[name], there[name])

    # --- at the end ----------------------------------------------------------------------------

    def rested(self) -> None:
        """Nothing is due any more: every run has ended, or somebody is asked for something."""
        for run_id, run in self.runs.items():
            hold(
                run.finished is not None
                or run.status in {"waiting_answer", "waiting_budget", "parked"}
                or (run.pause is not None and run.pause.by == GUARD),
                "every run ends, parks or asks",
                f"{run_id} is {run.status}",
            )

            if run.finished is None and not run.paused:
                asking = [
                    n for n in run.nodes.values() if n.status in ASKING and not progress.blocked(run, n)
                ]
                hold(bool(asking), "every run ends, parks or asks", f"{run_id} waits for what nobody needs")

    def ended(self) -> None:
        """Everything was answered and allowed."""
        for run_id, run in self.runs.items():
            hold(run.finished is not None, "every run ends, parks or asks", f"{run_id} is {run.status}")
            facts, effects = self.facts[run_id], self._world.ledger.of(run_id)
            for rule, how in bill.differences(run, effects, budget=facts.most_budget, cut=facts.cut):
                raise Broken(rule, how)
        for agent, count in self.counted.items():
            stream = self._world.disk.stream(agent_stream(agent))
            hold(len(stream) == count, "the journal is sound", f"{agent} has {len(stream)} changes")
        for difference in differences(self._world.disk, self.runs):
            raise Broken("projections say what is true", difference)


def _root(path: str) -> str:
    return path.split("/", 1)[0].split("[", 1)[0].split("#", 1)[0]


def _ring(run: Run, now: int) -> None:
    """Timers that are due make steps ready; `plan` does it when it is asked, so in memory it may be done."""
    paused, run.paused = run.paused, False
    plan(run, now, Room(0))
    run.paused = paused
