"""The world of one seed: a disk, a clock, and one engine after another on them.

`World.step` runs one callback of the engine's loop. Between any two of them the owner may act, look, or end
the engine's life; `Life.place` are the named places at which it may end in the middle of one.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Callable, Coroutine, Iterator
from contextvars import ContextVar
from typing import Any, cast

from aethermind import failpoints, wire
from aethermind.definitions.expressions import JinjaExpressions
from aethermind.definitions.schemas import JsonSchemas
from aethermind.domain.errors import AethermindError, ConflictError, StoreError
from aethermind.domain.events import Recorded
from aethermind.engine.engine import Engine
from aethermind.engine.local import LocalClient
from aethermind.engine.ports import EventStore
from tests.simulation.facts import Broken
from tests.simulation.faults import CALM, Faults, Rates, SeededChance
from tests.simulation.ledger import Effect, EffectKind, Ledger
from tests.simulation.loop import VirtualLoop
from tests.simulation.outside import SimChildren, SimFiles, functions
from tests.simulation.promises import Promises
from tests.simulation.store import Disk, SimStore
from tests.simulation.tools import SimTools
from tests.simulation.vendor import SimModels

START = 1_767_311_910_000
"""2026-01-01, half a minute to midnight (UTC), in epoch milliseconds: days end in most worlds."""
MOST_STEPS = 400_000
"""Callbacks of a seed; one that needs more turns in circles."""

EXPRESSIONS = JinjaExpressions()
SCHEMAS = JsonSchemas()


_OWNER: ContextVar[tuple[str, str] | None] = ContextVar("owner")
"""Run and step of the attempt that a task works for; inherited by the tasks that functions make."""


class Crash(SystemExit):
    """The process dies here. No `except Exception` may stop it."""


class Life:
    """One engine, from its start to its end."""

    def __init__(self, world: World, number: int, loop: VirtualLoop) -> None:
        self.world = world
        self.number = number
        self.loop = loop
        self.living = True
        self.models = SimModels(self)
        self.engine = Engine(
            store=cast(EventStore, SimStore(self)),
            models=self.models,
            prices=self.models.prices,
            children=SimChildren(self),
            files=SimFiles(self),
            expressions=EXPRESSIONS,
            schemas=SCHEMAS,
            clock=world,
            chance=world.chance,
            scrub=str,
            tools=SimTools(self),
            max_concurrent=world.max_concurrent,
            day_budget_micro_usd=world.day_budget,
        )
        for name, function in functions(self).items():
            self.engine.register(name, function)
        self.client = LocalClient(self.engine)
        self._spy()

    def _spy(self) -> None:
        """A run that the engine drops for any reason but its disk is a defect."""
        scheduler: Any = self.engine.scheduler
        fail = scheduler._fail

        def failed(live: Any, turn: Any, error: BaseException) -> None:
            if not isinstance(error, (StoreError, ConflictError)):
                self.world.broken("no defect", f"{live.run.id} was dropped: {error!r}")
            fail(live, turn, error)

        scheduler._fail = failed

    # --- for ports -----------------------------------------------------------------------------

    def alive(self) -> None:
        if not self.living:
            raise Crash

    def place(self, name: str) -> None:
        """A named place: the process dies here if that was planned."""
        self.alive()
        if self.world.planned is not None:
            where, passes = self.world.planned
            if where == name:
                self.world.planned = None if passes <= 0 else (where, passes - 1)
                if passes <= 0:
                    self.living = False
                    raise Crash

    def began(self, kind: EffectKind, *, call: int = 0, tool: str = "") -> Effect:
        """Something outside begins, for the attempt whose task this is."""
        self.alive()
        return self._seen(kind, self.owner(), call, tool)

    def owner(self) -> tuple[str, str]:
        """Run and step of the attempt that is at work now, or that made the task that is."""
        task = asyncio.current_task(self.loop)
        for live in self.engine.scheduler.live.values():
            for path, at_work in live.tasks.items():
                if at_work is task:
                    _OWNER.set((live.run.id, path))
        known = _OWNER.get(None)
        if known is None:
            raise AssertionError("nobody knows for whom this is")
        return known

    def _seen(self, kind: EffectKind, owner: tuple[str, str], call: int, tool: str) -> Effect:
        world, (run, path) = self.world, owner
        attempt, call = world.promises.effect(kind, run, path, call)
        if tool:
            world.promises.tool(run, path, tool)
        effect = Effect(kind, self.number, run, path, attempt, world.now(), call=call, tool=tool)
        world.ledger.effects.append(effect)
        world.tell(f"{kind} of {run} {path} attempt {attempt}" + (f" call {call}" if call else ""))
        return effect

    def ended(self, effect: Effect, *, whole: bool = False) -> None:
        self.alive()
        effect.ended = self.world.now()
        effect.whole = whole


class World:
    """See the module. Also the engine's clock."""

    def __init__(
        self,
        seed: object,
        *,
        rates: Rates | None = None,
        max_concurrent: int = 4,
        day_budget: int | None = None,
        trace: bool = False,
    ) -> None:
        self.seed = seed
        self.trace = trace
        self.max_concurrent = max_concurrent
        self.day_budget = day_budget
        self.disk = Disk()
        self.faults = Faults(seed, Rates() if rates is None else rates)
        self.chance = SeededChance(seed)
        self.ledger = Ledger()
        self.promises = Promises(self)
        self.planned: tuple[str, int] | None = None
        """Where the life is to end, after so many passes."""
        self.story: list[str] = []
        self.steps = 0
        self.lives = 0
        self.problem: Broken | None = None
        self.pending: list[tuple[str, asyncio.Task[Any], Callable[[Any], None] | None]] = []
        """What was asked of the client and not answered yet."""
        self.life = self._begin(VirtualLoop())

    def _begin(self, loop: VirtualLoop) -> Life:
        self.lives += 1
        self.loop = loop
        return Life(self, self.lives, loop)

    # --- clock ---------------------------------------------------------------------------------

    def now(self) -> int:
        return START + int(self.loop.time() * 1000)

    def monotonic(self) -> float:
        return self.loop.time()

    # --- time goes on --------------------------------------------------------------------------

    def step(self, until: float = float("inf")) -> bool:
        """One callback; False if nothing is due by then. The life may end, and a new one begin, in it."""
        self.steps += 1
        if self.steps > MOST_STEPS:
            raise Broken("every run ends, parks or asks", "the world turns in circles")
        try:
            with _failpoints(self.life):
                going = self.loop.step(until)
        except Crash:
            self.tell("it dies there")
            self.crash()
            return True
        if self.problem is not None:
            raise self.problem
        if self.loop.complaints:
            raise Broken("no defect", "; ".join(self.loop.complaints))
        self._collect()
        return going

    def advance(self, seconds: float) -> None:
        """Until so much later; the loop may be another one then."""
        until = self.loop.time() + seconds
        while self.step(until):
            pass

    def steps_on(self, count: int) -> None:
        for _ in range(count):
            if not self.step():
                return

    def quiet(self) -> None:
        """Until nothing is due any more for two days; who waits for the money of a day looks every minute."""
        self.advance(2 * 86_400)

    def _collect(self) -> None:
        if not any(task.done() for _, task, _ in self.pending):
            return
        pending, self.pending = self.pending, []
        for what, task, then in pending:
            if not task.done():
                self.pending.append((what, task, then))
                continue
            error = task.exception()
            if error is None:
                self.tell(f"done: {what}")
                if then is not None:
                    then(task.result())
            elif isinstance(error, AethermindError):
                self.tell(f"refused: {what}: {type(error).__name__}: {error}")
                self.promises.refused(what, error)
            else:
                raise Broken("no defect", f"{what} raised {error!r}") from error

    # --- acting --------------------------------------------------------------------------------

    def ask(
        self, what: str, question: Coroutine[Any, Any, Any], then: Callable[[Any], None] | None = None
    ) -> None:
        """Ask the client for something; `then` hears the answer, unless the life ends before it."""
        self.tell(what)
        task = self.loop.create_task(question)
        self.pending.append((what, task, then))

    def crash(self) -> None:
        """The process is gone between two callbacks. Another one begins later, on the same disk."""
        self.tell(f"life {self.life.number} is over")
        self.life.living = False
        self.planned = None
        self.pending.clear()
        time = self.loop.time()
        self.loop.abandon()
        self.promises.died()
        self.life = self._begin(VirtualLoop(time + 0.001))

    def calm(self) -> None:
        """From now on nothing fails outside, and nobody dies."""
        self.planned = None
        self.faults.rates = CALM

    # --- looking -------------------------------------------------------------------------------

    def committed(self, life: Life, recorded: list[Recorded]) -> None:
        self.tell_events(recorded)
        try:
            self.promises.committed(life.number, recorded)
        except Broken as broken:
            self.problem = self.problem or broken

    def broken(self, rule: str, text: str) -> None:
        self.problem = self.problem or Broken(rule, text)

    def tell(self, line: str) -> None:
        if self.trace:
            self.story.append(f"{self.loop.time():12.4f} {line}")

    def tell_events(self, recorded: list[Recorded]) -> None:
        if not self.trace:
            return
        for item in recorded:
            fields = wire.encode_event(item.event).decode()
            self.story.append(
                f"{self.loop.time():12.4f}   #{item.seq} {item.stream} {item.type} {fields[:200]}"
            )

    def journal_hash(self) -> str:
        """Over seq, stream, version, at, type and data of everything recorded."""
        digest = hashlib.sha256()
        for recorded in self.disk.everything():
            digest.update(wire.encode_envelope(recorded))
            digest.update(b"\n")
        return digest.hexdigest()

    def close(self) -> None:
        self.life.living = False
        self.loop.abandon()


@contextlib.contextmanager
def _failpoints(life: Life) -> Iterator[None]:
    """The engine's own named places end this life instead of the test's process."""
    before = failpoints.armed, failpoints.reached
    failpoints.armed, failpoints.reached = "simulated", life.place
    try:
        yield
    finally:
        failpoints.armed, failpoints.reached = before
