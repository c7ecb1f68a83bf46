"""The engine put together: ports in, one scheduler, one feed. Everything else asks it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from aethermind import wire
from aethermind.domain.errors import InvalidError
from aethermind.domain.events import AnyEvent, DefinitionAdopted, Draft, RunCreated
from aethermind.domain.run import Run
from aethermind.domain.workflow import Group, Prompt, StepDef, SubWorkflow, WorkflowDef, prompt_config
from aethermind.engine import adoption, inputs, lane_log, provenance
from aethermind.engine.agent_state import AgentStates
from aethermind.engine.answers import Answers
from aethermind.engine.attempt import Attempts
from aethermind.engine.client import RunRequest
from aethermind.engine.concealing import NO_VEIL, Veil
from aethermind.engine.day_budget import DayBudget
from aethermind.engine.feed import Feed
from aethermind.engine.governor import Governor
from aethermind.engine.guard import Limits
from aethermind.engine.lane import LaneState
from aethermind.engine.lane_log import LaneLog
from aethermind.engine.live import LiveRun, StepFunction
from aethermind.engine.outage import Outage
from aethermind.engine.partials import Partials
from aethermind.engine.ports import (
    Chance,
    Children,
    Clock,
    EventStore,
    Expressions,
    Files,
    Models,
    Prices,
    Schemas,
)
from aethermind.engine.scheduler import Scheduler
from aethermind.engine.services import Services
from aethermind.engine.toolbox import Tools
from aethermind.engine.trouble import Watched

MOST_SEEN = 128


class Engine:
    """Owns a store and drives its runs. Belongs to one event loop; close it with `close`."""

    def __init__(
        self,
        *,
        store: EventStore,
        models: Models,
        prices: Prices,
        children: Children,
        files: Files,
        expressions: Expressions,
        schemas: Schemas,
        clock: Clock,
        chance: Chance,
        scrub: Callable[[str], str],
        max_concurrent: int = 10,
        day_budget_micro_usd: int | None = None,
        limits: Limits = Limits(),  # noqa: B008 - a frozen record
        tools: Tools | None = None,
        veil: Veil = NO_VEIL,
        governor: Governor | None = None,
    ) -> None:
        self.tools = tools
        self._veil = veil
        self.store = store
        self.models = models
        self.prices = prices
        self.schemas = schemas
        self.clock = clock
        self.feed = Feed(store)
        self.functions: dict[str, StepFunction] = {}
        """Functions given to the SDK, by the name that definitions use."""
        self._seen: dict[int, tuple[WorkflowDef, str, tuple[str, ...]]] = {}
        self._children = children
        self._settled = False
        self._partials = Partials(store, scrub)
        states = AgentStates(store, veil)
        self.days = DayBudget(store, clock, cap=day_budget_micro_usd)
        """What may be spent on a day, by all runs together."""
        self.governor = governor or Governor(clock)
        """Who may call a model now."""
        self._services = services = Services(
            clock=clock,
            feed=self.feed,
            models=models,
            prices=prices,
            governor=self.governor,
            schemas=schemas,
            partials=self._partials,
            states=states,
            answers=Answers(store, clock),
            days=self.days,
            limits=limits,
            scrub=scrub,
            veil=veil,
            tools=tools,
        )
        attempts = Attempts(
            services=services, expressions=expressions, schemas=schemas, children=children, files=files
        )
        self.scheduler = Scheduler(
            store=store,
            feed=self.feed,
            clock=clock,
            chance=chance,
            expressions=expressions,
            schemas=schemas,
            states=states,
            attempts=attempts,
            days=self.days,
            limits=limits,
            max_concurrent=max_concurrent,
            veil=veil,
        )
        self._lane_log = LaneLog(self.governor, self.feed, self.record)
        self._leaving: set[asyncio.Future[None]] = set()
        self.scheduler.on_leave = self._left
        self.outage = Outage(self.scheduler, self.feed)
        if isinstance(store, Watched):
            store.watch(self.outage.tell)

    async def start(self, request: RunRequest) -> LiveRun:
        """Check the request, record the run, drive it. Raises `InvalidError` for what can't be run,
        `StoreError` while the disk is full."""
        self.outage.check()
        definition = request.definition
        await provenance.check(self.store, request.forked_from or "", request.tags)
        settled = inputs.settle(definition, request.inputs, self.schemas)
        definition_hash, names = self._facts(definition)
        models = self._resolve(names, request)
        used = [name for chain in models.values() for name in chain]
        simulated = request.simulated or (bool(used) and all(name.startswith("sim:") for name in used))
        self._services.begin_warming({name.partition(":")[0] for name in used})
        budget = request.budget_micro_usd
        if budget is None and definition.budget is not None:
            budget = definition.budget.micro_usd
        event = RunCreated(
            workflow=definition.name,
            definition=definition,
            definition_hash=definition_hash,
            inputs=settled,
            models=models,
            submitter=request.submitter,
            priority=definition.priority if request.priority is None else request.priority,
            simulated=simulated,
            budget_micro_usd=budget,
            limit=request.limit,
            fresh=request.fresh,
            source=request.source,
            source_hash=request.source_hash,
            sim=request.sim,
            tags=provenance.here(request.tags),
            forked_from=request.forked_from,
            adopted=request.adopted,
            by=request.by,
        )
        return await self.scheduler.submit(event, env=request.env, functions=self.functions)

    async def resume(self, run_id: str, *, by: str, env: Mapping[str, str] | None = None) -> LiveRun | None:
        """Go on with a paused or interrupted run; None if it is finished. What an earlier engine's children
        still do is ended first, so that nothing is tried twice at the same time."""
        await self._settle_children()
        return await self.scheduler.resume(run_id, by=by, env=env or {}, functions=self.functions)

    async def adopt(
        self,
        run: Run,
        definition: WorkflowDef,
        *,
        by: str,
        env: Mapping[str, str],
        source_hash: str | None = None,
        env_names: Sequence[str] = (),
    ) -> LiveRun:
        """Put an edited definition under a run that nobody drives, and go on with it."""
        names = self._facts(definition)[1]
        definition_hash = wire.digest(definition)

        def decide(run: Run) -> list[AnyEvent]:
            # About the run as it is when it is recorded: somebody may have edited it since it was looked at.
            fresh = [name for name in names if name not in run.models]
            return [
                DefinitionAdopted(
                    definition=definition,
                    definition_hash=definition_hash,
                    kept=adoption.kept(run.definition, definition),
                    by=by,
                    source_hash=source_hash,
                    env_names=tuple(env_names),
                    models={n: (self.models.resolve(n, sim=run.created.simulated),) for n in fresh},
                )
            ]

        await self._settle_children()
        return await self.scheduler.reopen(run.id, decide, env=env, functions=self.functions)

    def _left(self, run_id: str) -> None:
        """The run is not driven here any more: its sessions with tools end."""
        leaving = None if self.tools is None else self.tools.leave(run_id)
        if leaving is not None:
            ending = asyncio.ensure_future(leaving)
            self._leaving.add(ending)
            ending.add_done_callback(self._leaving.discard)

    async def _settle_children(self) -> None:
        if not self._settled:
            self._settled = True
            await self._children.settle()

    def _facts(self, definition: WorkflowDef) -> tuple[str, tuple[str, ...]]:
        """Its hash and the model names in it; remembered for definitions that are run again and again."""
        known = self._seen.get(id(definition))
        if known is None or known[0] is not definition:
            if len(self._seen) >= MOST_SEEN:
                self._seen.clear()
            names = tuple(dict.fromkeys(_model_names(definition)))
            known = self._seen[id(definition)] = (definition, wire.digest(definition), names)
        return known[1], known[2]

    def _resolve(self, names: Sequence[str], request: RunRequest) -> dict[str, tuple[str, ...]]:
        """Every model name of the definition → what it means here and now."""
        if request.model is not None:
            meant = self.models.resolve(request.model, sim=request.simulated)
            return dict.fromkeys(names, (meant,))
        return {name: (self.models.resolve(name, sim=request.simulated),) for name in names}

    async def record(self, stream: str, events: Sequence[AnyEvent]) -> None:
        """Append to a stream that no run owns (system, agents), and publish."""
        now = self.clock.now()
        recorded = await self.store.append(
            [Draft(stream, now, self._veil.conceal(event)) for event in events], {}
        )
        self.feed.publish(recorded)

    async def lanes(self) -> list[LaneState]:
        """Models that are being called or may not be just now, and why."""
        return await lane_log.known(self.store, self.governor, self.clock.now())

    def register(self, name: str, function: StepFunction) -> None:
        """Make an async function known under the name that a definition uses."""
        if not callable(function):
            raise InvalidError(f"{name} is not a function")
        self.functions[name] = function

    async def close(self, *, drain_s: float = 10.0) -> None:
        """Let attempts under way end for at most `drain_s` seconds, then close everything."""
        await self.scheduler.drain(drain_s)
        await self.days.close()
        await self._lane_log.close()
        await self._partials.close()
        if self.tools is not None:
            await asyncio.gather(*self._leaving, return_exceptions=True)
            await self.tools.close()
        await self._children.close()
        await self.models.close()
        await self.store.close()


def _model_names(definition: WorkflowDef) -> list[str]:
    names = [name for agent in definition.agents.values() for name in agent.models]
    for step in _all_steps(definition.steps):
        if isinstance(step.action, Prompt):
            names.extend(prompt_config(definition, step).models)
        elif isinstance(step.action, SubWorkflow):
            names.extend(_model_names(step.action.workflow))
    return names


def _all_steps(steps: Sequence[StepDef]) -> list[StepDef]:
    found: list[StepDef] = []
    for step in steps:
        found.append(step)
        if isinstance(step.action, Group):
            found.extend(_all_steps(step.action.steps))
    return found


def environment_of(names: Sequence[str], environ: Mapping[str, str]) -> dict[str, str]:
    """The values of these variables that there are."""
    return {name: environ[name] for name in names if name in environ}
