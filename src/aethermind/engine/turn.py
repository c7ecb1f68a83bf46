"""Deciding: what one pass of a run's loop records, and what it does once that is on disk.

Nothing here waits or acts: messages and the state go in, drafts and effects (as values) come out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import assert_never

from aethermind import failpoints
from aethermind.domain import retry as retrying
from aethermind.domain.commands import Expand, Expire, Finish, Skip, Start, Stop, Wake
from aethermind.domain.errors import AethermindError, ErrorInfo, StepFailure
from aethermind.domain.events import (
    AnyEvent,
    AttemptCancelled,
    AttemptFailed,
    AttemptStarted,
    AttemptSucceeded,
    BudgetHeld,
    CallStarted,
    Draft,
    LogWritten,
    Recorded,
    Reserve,
    StepExpanded,
    StepSkipped,
)
from aethermind.domain.ids import agent_stream
from aethermind.domain.plan import plan
from aethermind.domain.run import Run
from aethermind.domain.scope import Scope
from aethermind.domain.state import Node
from aethermind.domain.workflow import Ask, Fail, Value
from aethermind.engine import expansion, guard, questions
from aethermind.engine.admission import Admission
from aethermind.engine.agent_state import AgentStates, Write
from aethermind.engine.concealing import NO_VEIL, Veil, told
from aethermind.engine.guard import Limits
from aethermind.engine.live import (
    Act,
    Asked,
    Cancelled,
    DayRefused,
    Ended,
    Held,
    LiveRun,
    Message,
    Note,
    Success,
)
from aethermind.engine.ports import Chance, Expressions, Schemas


class Turn:
    """One pass of a run's loop: the events it will commit, and what is to be done after the commit."""

    __slots__ = (
        "agents",
        "done",
        "drafts",
        "held",
        "intents",
        "later",
        "live",
        "messages",
        "now",
        "starts",
        "stops",
        "veil",
        "wake_at",
    )

    def __init__(self, live: LiveRun, now: int, veil: Veil = NO_VEIL) -> None:
        self.live = live
        self.now = now
        self.veil = veil
        self.drafts: list[Draft] = []
        self.later: list[Act] = []
        """Calls that need the day's budget: decided when everything else is."""
        self.intents: list[tuple[Draft, asyncio.Future[None]]] = []
        """Those that were decided, in order: the last drafts of the append. They are not applied yet."""
        self.held = False
        """Whether a step begins to wait for the day's budget."""
        self.messages: list[Message] = []
        """What it answers."""
        self.done: list[asyncio.Future[None]] = []
        self.starts: list[tuple[Node, int]] = []
        """Attempts to start after the commit."""
        self.stops: list[str] = []
        """Steps whose attempts are to be cancelled."""
        self.agents: list[str] = []
        """Agents whose state this turn moves."""
        self.wake_at: int | None = None
        """When something is due that is not due now (epoch ms)."""

    def emit(self, event: AnyEvent) -> None:
        given, event = event, self.veil.conceal(event)
        self.drafts.append(Draft(self.live.stream, self.now, event))
        if event is not given and (line := told(event)) is not None:
            self.drafts.append(Draft(self.live.stream, self.now, line))
        if not isinstance(event, LogWritten):
            self.live.run.apply(event, self.now)

    def all_drafts(self) -> list[Draft]:
        return [*self.drafts, *(draft for draft, _ in self.intents)] if self.intents else self.drafts

    def intend(self, act: Act, event: CallStarted) -> None:
        """Record a call if the day's budget allows it."""
        concealed = self.veil.conceal(event)
        assert isinstance(concealed, CallStarted)
        event = concealed
        self.intents.append((Draft(self.live.stream, self.now, event, act.reserve), act.done))
        self.live.pending.append(event)

    def recorded(self, recorded: Sequence[Recorded]) -> None:
        """Apply the intents that were recorded, tell those who asked for the others."""
        last = [item.event for item in recorded[-len(self.intents) :]]
        kept = {(e.step, e.attempt) for e in last if isinstance(e, CallStarted)}
        for draft, done in self.intents:
            event = draft.event
            assert isinstance(event, CallStarted)
            if (event.step, event.attempt) in kept:
                self.live.run.apply(event, self.now)
                self.done.append(done)
            elif not done.done():
                done.set_exception(DayRefused("the day's budget has no room for this call"))
        self.live.pending.clear()

    def refuse(self, error: Exception) -> None:
        for message in self.messages:
            done = None if isinstance(message, Ended) else message.done
            if done is not None and not done.done():
                done.set_exception(error)

    def answer(self) -> None:
        for done in self.done:
            if not done.done():
                done.set_result(None)


class Decider:
    """Turns messages and state into a `Turn`."""

    def __init__(
        self,
        *,
        expressions: Expressions,
        schemas: Schemas,
        chance: Chance,
        admission: Admission,
        states: AgentStates,
        limits: Limits,
    ) -> None:
        self._states = states
        self._limits = limits
        self._expressions = expressions
        self._schemas = schemas
        self._chance = chance
        self._admission = admission

    def decide(self, turn: Turn, messages: list[Message], *, draining: bool) -> None:
        """Messages → events applied to the state; then everything that is due, as far as there is room.
        With `draining` nothing new starts."""
        live, run = turn.live, turn.live.run
        turn.messages = messages
        for message in messages:
            self._take(turn, message)
        again = bool(run.nodes) or run.exhausted
        while again:
            again = False  # only what is decided here and now can make more due; an attempt's start can't
            for command in plan(run, turn.now, self._admission.room(live, turn.now)):
                match command:
                    case Start(step=path, attempt=n):
                        again |= not draining and self._admit(turn, run.nodes[path], n)
                    case Expand(step=path):
                        if path in run.todo:
                            again = True
                            for event in self._expand(run, run.nodes[path], turn.now):
                                turn.emit(event)
                            if run.paused:  # by the guard, just now: nothing more starts
                                break
                    case Skip(step=path, reason=reason):
                        if path in run.todo:
                            again = True
                            turn.emit(StepSkipped(step=path, reason=reason))
                    case Stop(step=path):
                        turn.stops.append(path)
                    case Expire(step=path):
                        if path in run.todo:
                            again = True
                            for event in questions.expired(run.nodes[path], turn.now):
                                turn.emit(event)
                    case Finish(status=status):
                        turn.emit(expansion.finish(run, status, self._expressions))
                    case Wake(at=at):
                        turn.wake_at = at
                    case _:
                        assert_never(command)
        for act in turn.later:
            self._intend(turn, act)

    def _expand(self, run: Run, node: Node, now: int) -> list[AnyEvent]:
        events = expansion.expand(run, node, self._expressions, self._schemas, now)
        match events:
            case [StepExpanded(iteration=int(n))] if n > 1:
                verdict = guard.same_rounds(run, node, self._limits)
                return [*verdict.events, *(() if verdict.holds else events)]
            case _:
                return events

    def _intend(self, turn: Turn, act: Act) -> None:
        """A call that needs the day's budget."""
        live = turn.live
        if act.done.done():  # its attempt was stopped
            return
        if any(act.attempt == (p.step, p.attempt) for p in live.pending):
            live.post(act)  # its number hangs on what becomes of the other one: in the next turn
            return
        try:
            events = act.decide(turn.live.run)
        except AethermindError as error:
            act.done.set_exception(error)
            return
        intents = [event for event in events if isinstance(event, CallStarted)]
        for event in events:
            if not isinstance(event, CallStarted):
                turn.emit(event)
        for event in intents:
            turn.intend(act, event)
        if not intents:
            turn.done.append(act.done)

    def _take(self, turn: Turn, message: Message) -> None:
        match message:
            case Ended():
                self._end(turn, message)
            case Note(events=events, done=done):
                for event in events:
                    turn.emit(event)
                if done is not None:
                    turn.done.append(done)
            case Act(reserve=Reserve()):
                turn.later.append(message)
            case Act(decide=decide, done=done, attempt=attempt):
                if attempt is not None and done.done():  # it was stopped: nobody would make this call
                    return
                try:
                    events = tuple(decide(turn.live.run))
                except AethermindError as error:
                    if not done.done():
                        done.set_exception(error)
                    return
                for event in events:
                    turn.emit(event)
                turn.done.append(done)
            case _:
                assert_never(message)

    def _admit(self, turn: Turn, node: Node, n: int) -> bool:
        """Start an attempt, unless an earlier command of this turn took it back. True if it is over."""
        if turn.live.run.finished is not None:
            return False
        if node.status not in {"ready", "retry_wait"} or len(node.attempts) + 1 != n:
            return False
        step = node.step
        turn.emit(AttemptStarted(step=node.path, attempt=n, kind=step.kind, agent=node.agent))
        if step.inline:
            turn.emit(self._evaluate(turn, node, n))
            return True
        self._admission.take(node.lane)
        turn.live.slots[node.path] = node.lane
        turn.starts.append((node, n))
        return False

    def _evaluate(self, turn: Turn, node: Node, n: int) -> AnyEvent:
        """Pure steps need no task: they begin and end in the same commit. A question is only asked."""
        run, action = turn.live.run, node.step.action
        try:
            if isinstance(action, Ask):
                return questions.opened(run, node, action, self._expressions, turn.now)
            if isinstance(action, Value):
                output = self._expressions.value(action.value, Scope(run, node))
                return AttemptSucceeded(step=node.path, attempt=n, output=output)
            reason = self._expressions.text(
                action.reason if isinstance(action, Fail) else "", Scope(run, node)
            )
            error = ErrorInfo(kind="fail_step", message=reason)
        except StepFailure as failure:
            error = failure.info
        return AttemptFailed(step=node.path, attempt=n, error=error)

    def _end(self, turn: Turn, message: Ended) -> None:
        live, run = turn.live, turn.live.run
        node = run.node(message.step)
        live.tasks.pop(message.step, None)
        live.stopping.discard(message.step)
        self._admission.release(live.slots.pop(message.step))
        for fact in message.facts:
            turn.emit(fact)
        path, n = message.step, message.attempt
        turn.held |= isinstance(message.outcome, Held)
        match message.outcome:
            case Success(writes=writes, agent=str(agent)) if writes and (
                broken := self._write_state(turn, agent, writes)
            ):
                self._failed(turn, node, n, broken)
            case Success(output=output, result=result, saved=saved):
                turn.emit(AttemptSucceeded(step=path, attempt=n, output=output, result=result, saved=saved))
            case Cancelled(reason=reason):
                turn.emit(AttemptCancelled(step=path, attempt=n, reason=reason or node.reason or ""))
            case Held(scope=scope, needed_micro_usd=needed, available_micro_usd=available):
                turn.emit(
                    BudgetHeld(
                        step=path,
                        attempt=n,
                        scope=scope,
                        needed_micro_usd=needed,
                        available_micro_usd=available,
                    )
                )
            case Asked() if path in run.stops:
                turn.emit(AttemptCancelled(step=path, attempt=n, reason=node.reason or ""))
            case Asked(question=question):
                turn.emit(question)
            case ErrorInfo() as error:
                self._failed(turn, node, n, error)
            case _:
                assert_never(message.outcome)

    def _write_state(self, turn: Turn, agent: str, writes: tuple[Write, ...]) -> ErrorInfo | None:
        """The agent's state goes into this commit. An update of the user's that raises fails the attempt."""
        try:
            event = self._states.decide(agent, writes)
        except Exception as error:  # noqa: BLE001 - user code may raise anything
            return ErrorInfo(kind="exception", message=f"state: {type(error).__name__}: {error}"[:500])
        if failpoints.armed:
            failpoints.reached("state.written")
        turn.agents.append(agent)
        turn.drafts.append(Draft(agent_stream(agent), turn.now, event))
        return None

    def _failed(self, turn: Turn, node: Node, n: int, error: ErrorInfo) -> None:
        run = turn.live.run
        if node.path in run.stops:
            turn.emit(AttemptCancelled(step=node.path, attempt=n, reason=node.reason or ""))
            return
        jitter = self._chance.jitter()
        due = retrying.retry_at(node.step.retry, node.tries, error, now=turn.now, jitter=jitter)
        turn.emit(AttemptFailed(step=node.path, attempt=n, error=error, retry_at=due))
        tries = f"{node.tries}/{node.step.retry.max_attempts}"
        if due is not None:
            text = f"{error.message}, retry in {(due - turn.now) / 1000:.1f}s ({tries})"
            level = "warning"
        else:
            text = error.message if node.tries == 1 else f"gave up after {node.tries} tries: {error.message}"
            level = "error"
        turn.emit(
            LogWritten(
                level="warning" if level == "warning" else "error",
                message=text,
                step=node.path,
                attempt=n,
                agent=node.agent,
                metadata={"kind": error.kind},
            )
        )
