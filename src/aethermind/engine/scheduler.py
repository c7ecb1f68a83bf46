"""The one scheduler: a mailbox per run, decide → append → act, and nothing else.

Rules
- One turn at a time per live run: it takes the run's messages, applies the events they give, plans, applies
  the starts, and appends all of it in *one* commit. At most one append per run is under way.
- Nothing acts before that commit: attempts start, feeds hear and callers are answered only after it.
- If the append is refused or fails, the run is dropped here, never retried: its state may be ahead of the
  disk. `resume` folds the log again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial

from aethermind import failpoints
from aethermind.domain import recovery
from aethermind.domain.errors import AethermindError, InvalidError
from aethermind.domain.events import AnyEvent, Draft, Recorded, RunCreated, RunResumed
from aethermind.domain.ids import run_stream
from aethermind.domain.run import Run
from aethermind.domain.state import Node
from aethermind.engine import lacking, provenance
from aethermind.engine.admission import Admission
from aethermind.engine.agent_state import AgentStates
from aethermind.engine.attempt import Attempts
from aethermind.engine.concealing import NO_VEIL, Veil
from aethermind.engine.day_budget import DayBudget
from aethermind.engine.doors import Doors, alone
from aethermind.engine.due import Due
from aethermind.engine.feed import Feed
from aethermind.engine.guard import Limits
from aethermind.engine.info import RESTING
from aethermind.engine.live import Act, Ended, LiveRun, Note, StepFunction
from aethermind.engine.losses import lost_events
from aethermind.engine.ports import Chance, Clock, EventStore, Expressions, Schemas
from aethermind.engine.turn import Decider, Turn

LONGEST_S = 60.0
"""A timer of the event loop stands still while the machine sleeps: so soon afterwards what is due is seen."""


class Scheduler:
    """Drives all live runs of one engine. All methods belong to the engine's event loop."""

    def __init__(
        self,
        *,
        store: EventStore,
        feed: Feed,
        clock: Clock,
        chance: Chance,
        expressions: Expressions,
        schemas: Schemas,
        states: AgentStates,
        attempts: Attempts,
        days: DayBudget,
        limits: Limits,
        max_concurrent: int = 10,
        veil: Veil = NO_VEIL,
    ) -> None:
        self._store = store
        self._feed = feed
        self._clock = clock
        self._chance = chance
        self._attempts = attempts
        self._days = days
        self._states = states
        self._veil = veil
        self.admission = Admission(max_concurrent)
        self._decider = Decider(
            expressions=expressions,
            schemas=schemas,
            chance=chance,
            admission=self.admission,
            states=states,
            limits=limits,
        )
        self.live: dict[str, LiveRun] = {}
        self.doors = Doors()
        self._queue = Due()
        self._draining = False
        self.on_drop: Callable[[LiveRun, Exception], Exception] = lambda _live, error: error
        """Told when a run is dropped for an error; gives what those hear who wait for the run."""
        self.on_leave: Callable[[str], None] = lambda _run_id: None
        """Told the id of a run that is not driven here any more."""
        self._turned = asyncio.Event()
        self._deserted: asyncio.Future[None] | None = None
        """Resolved when the last run has left, for who drains."""

    # --- entrances -----------------------------------------------------------------------------

    async def submit(
        self, event: RunCreated, *, env: Mapping[str, str], functions: Mapping[str, StepFunction]
    ) -> LiveRun:
        """Record a new run (durable when this returns) and start driving it."""
        self._veil.learn(env)
        live = LiveRun(Run(self._chance.run_id()), env=env, functions=functions)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        live.inbox.append(Note((event,), done))
        self._drive(live)
        await done
        return live

    async def resume(
        self, run_id: str, *, by: str, env: Mapping[str, str], functions: Mapping[str, StepFunction]
    ) -> LiveRun | None:
        """Go on with a paused or interrupted run; None if it is finished."""
        live = self.live.get(run_id)
        if live is None:
            live = await self.adopt(run_id, env=env, functions=functions)
        if live is None:
            return None
        self._veil.learn(env)
        lacking.fill(live, env)
        if live.run.paused:
            await self.act(live, lambda _run: [RunResumed(by=by)])
        return live

    @alone
    async def adopt(
        self, run_id: str, *, env: Mapping[str, str], functions: Mapping[str, StepFunction]
    ) -> LiveRun | None:
        """Fold an unfinished run's log and drive it from here; None if it is finished."""
        run = await self._fold(run_id)
        if run.finished is not None:
            return None
        await provenance.check(self._store, run_id, run.created.tags)
        self._veil.learn(env)
        if (known := self.live.get(run_id)) is not None:  # somebody was faster
            return known
        live = LiveRun(run, env=env, functions=functions, taken_up=True)
        if lost := lost_events(run):
            live.inbox.append(Note(lost))
        self._drive(live)
        await self._days.adopted(live)
        return live

    @alone
    async def reopen(
        self,
        run_id: str,
        decide: Callable[[Run], list[AnyEvent]],
        *,
        env: Mapping[str, str],
        functions: Mapping[str, StepFunction],
    ) -> LiveRun:
        """Record what `decide` gives about a run that nobody drives, and drive it from there. Attempts that
        were under way when its process died are recorded as lost first."""
        run = await self._fold(run_id)
        decide(run)  # what it refuses must not have been driven
        self._veil.learn(env)
        await provenance.check(self._store, run_id, run.created.tags)
        if run_id in self.live:
            raise InvalidError(f"run {run_id} is being driven")
        live = LiveRun(run, env=env, functions=functions, taken_up=True)
        if lost := lost_events(run):
            live.inbox.append(Note(lost))
        await self.act(live, decide, start=True)
        await self._days.adopted(live)
        return live

    @alone
    async def act_offline(
        self, run_id: str, decide: Callable[[Run], list[AnyEvent]], *, drive: bool = False
    ) -> None:
        """Record a decision about a run that nobody drives. With `drive` carry out what follows from it, up
        to where it rests (a cancellation ends the run at once, and starts nothing)."""
        run = await self._fold(run_id)
        if (known := self.live.get(run_id)) is not None:  # somebody began to drive it
            await self.act(known, decide)
            return
        version, events = run.version, [self._veil.conceal(event) for event in decide(run)]
        if drive:
            live = LiveRun(run, env={}, functions={})
            if lost := lost_events(run):
                live.inbox.append(Note(lost))
            await self.act(live, decide, start=True)
            await self.settled(live)
            return
        if events:
            now, stream = self._clock.now(), run_stream(run_id)
            for event in events:
                run.apply(event, now)  # what does not fit must never be recorded
            drafts = [Draft(stream, now, event) for event in events]
            recorded = await self._store.append(drafts, {stream: version})
            if failpoints.armed:
                failpoints.recorded(events)
            self._feed.publish(recorded)

    async def _fold(self, run_id: str) -> Run:
        history = await self._store.read_stream(run_stream(run_id))
        return recovery.folded(run_id, history, self._clock.now())

    async def act(
        self, live: LiveRun, decide: Callable[[Run], list[AnyEvent]], *, start: bool = False
    ) -> None:
        """Have `decide` look at the run's state and record what it gives; raises what it raises."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        live.post(Act(decide, done))
        if start:
            self._drive(live)
        await done

    async def settled(self, live: LiveRun) -> Run:
        """Until the run is finished or can't go on by itself. The state stays the engine's: read only."""
        recording = live.busy and self.live.get(live.run.id) is live  # its state may be ahead of the disk
        if live.run.version and self._rests(live) and not recording:
            return live.run
        if self.live.get(live.run.id) is not live:
            raise live.gone()
        waiter: asyncio.Future[Run] = asyncio.get_running_loop().create_future()
        live.settled.append(waiter)
        return await waiter

    async def drain(self, seconds: float) -> None:
        """Start nothing new, give attempts this long to end, then let go: unfinished runs stay resumable."""
        self._draining = True
        if failpoints.armed:
            failpoints.reached("drain")
        deadline = self._clock.monotonic() + seconds
        while (left := deadline - self._clock.monotonic()) > 0:
            if tasks := self._at_work():
                await asyncio.wait(tasks, timeout=left)
            elif any(live.busy for live in self.live.values()):  # what is being recorded may start something
                self._turned.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._turned.wait(), left)
            else:
                break
        for live in self.live.values():
            live.interrupted = True  # but not dropped yet: what they have in hand is still recorded
        for task in (tasks := self._at_work()):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for live in list(self.live.values()):
            live.dropped = True
            live.wake()
        if self.live:  # their last appends
            self._deserted = asyncio.get_running_loop().create_future()
            await self._deserted

    def _rests(self, live: LiveRun) -> bool:
        return live.run.status in RESTING and not live.tasks and not self._days.pending(live)

    def _at_work(self) -> list[asyncio.Task[None]]:
        return [t for live in self.live.values() for t in live.tasks.values() if not t.done()]

    # --- turns ---------------------------------------------------------------------------------

    def _drive(self, live: LiveRun) -> None:
        self.live[live.run.id] = live
        live.drive(self._turn, self._queue)

    def _turn(self, live: LiveRun) -> None:
        """Messages → events → what is due → one append; `_committed` goes on."""
        turn = Turn(live, self._clock.now(), self._veil)
        version = live.run.version
        try:
            self._decider.decide(turn, live.take(), draining=self._draining or self.admission.held)
            # Slots are taken and given back by now. Who waits for one hears of it before this commit, not
            # after: else runs that wait would be served one commit after the other.
            self.admission.queue(live, turn.now)
            drafts = turn.all_drafts()
            if not drafts:
                self._carry_out(live, turn)
                return
            if failpoints.armed:
                failpoints.reached("append.before")
            append = self._store.append(drafts, {live.stream: version})
        except Exception as error:  # noqa: BLE001 - the run is dropped, everybody who waits hears why
            self._fail(live, turn, error)
            return
        live.when_done(append, partial(self._committed, live, turn))

    def _committed(self, live: LiveRun, turn: Turn, append: asyncio.Future[list[Recorded]]) -> None:
        try:
            recorded = append.result()
            if turn.intents:
                turn.recorded(recorded)
            if failpoints.armed:
                failpoints.reached("turn.answered")
                failpoints.recorded(item.event for item in recorded)
            if live.run.finished is not None:
                live.run.seq = max((r.seq for r in recorded if r.stream == live.stream), default=live.run.seq)
            self._feed.publish(recorded)
            if turn.held or self._days.watching:
                self._days.observe(live, recorded)
            self._carry_out(live, turn)
            if failpoints.armed:
                failpoints.reached("turn.acted")
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - as above
            self._fail(live, turn, error)

    def _carry_out(self, live: LiveRun, turn: Turn) -> None:
        """What a turn decided, now that it is on disk."""
        run = live.run
        if turn.done:
            turn.answer()
        for node, attempt in () if live.dropped else turn.starts:
            self._start(live, node, attempt)
        for path in turn.stops:
            self._stop(live, path)
        if turn.wake_at is not None:
            self._arm(live, turn.wake_at, turn.now)
        if live.settled and self._rests(live):
            waiters, live.settled = live.settled, []
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(run)
        # Who is dropped goes when its last messages have been taken.
        if (live.dropped and not live.inbox) or (run.finished is not None and not live.tasks):
            self._leave(live)
        else:
            live.rest()
        self._turned.set()

    # --- attempts ------------------------------------------------------------------------------

    def _start(self, live: LiveRun, node: Node, attempt: int) -> None:
        task = asyncio.get_running_loop().create_task(self._attempts.run(live, node, attempt))
        live.tasks[node.path] = task
        if node.path in live.run.stops:  # cancelled while its start was being committed
            self._stop(live, node.path)

    def _stop(self, live: LiveRun, path: str) -> None:
        task = live.tasks.get(path)
        if task is not None and path not in live.stopping:
            live.stopping.add(path)
            task.cancel()

    def _arm(self, live: LiveRun, at: int, now: int) -> None:
        if live.timer is not None:
            if live.timer_at == at and not live.timer.cancelled() and at > now:
                return
            live.timer.cancel()
        live.timer_at = at
        delay = min(max(at - now, 1) / 1000, LONGEST_S)
        live.timer = asyncio.get_running_loop().call_later(delay, self._ring, live)

    def _ring(self, live: LiveRun) -> None:
        live.timer = None  # the clock may say that it is too early: then it is armed again
        live.wake()

    # --- endings -------------------------------------------------------------------------------

    def _fail(self, live: LiveRun, turn: Turn, error: BaseException) -> None:
        """Drop the run: its state may be ahead of the disk."""
        if not isinstance(error, Exception):
            error = AethermindError("the engine was stopped before this was recorded")
        for agent in turn.agents:
            self._states.forget(agent)
        turn.refuse(error)
        if not self._draining:
            error = self.on_drop(live, error)
        live.dropped = True
        for task in live.tasks.values():
            task.cancel()
        for waiter in live.settled:
            if not waiter.done():
                waiter.set_exception(error)
        live.settled.clear()
        self._dismiss(live, error)
        self._leave(live)

    def _leave(self, live: LiveRun) -> None:
        """The run is not driven here any more. It stays `busy`: no turn begins again."""
        if self.live.get(live.run.id) is live:
            del self.live[live.run.id]
            self.on_leave(live.run.id)
        if live.timer is not None:
            live.timer.cancel()
        self.admission.leave(live)
        self._days.leave(live)
        self._dismiss(live)
        if not self.live and self._deserted is not None and not self._deserted.done():
            self._deserted.set_result(None)

    def _dismiss(self, live: LiveRun, error: Exception | None = None) -> None:
        """Answer those whose messages will never be taken."""
        gone = error or live.gone()
        inbox, live.inbox = live.inbox, []
        for message in inbox:
            done = None if isinstance(message, Ended) else message.done
            if done is not None and not done.done():
                done.set_exception(gone)
        for lane in live.slots.values():
            self.admission.release(lane)
        live.slots.clear()
        for waiter in live.settled:
            if not waiter.done():
                if live.run.finished is not None:
                    waiter.set_result(live.run)
                else:
                    waiter.set_exception(gone)
        live.settled.clear()
