"""The SDK's runtime: agents, providers, and runs of both, on an engine in the caller's event loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import Any, Protocol, Self

import msgspec

from aethermind.domain import events as e
from aethermind.domain.errors import AethermindError, InvalidError, NotFoundError
from aethermind.domain.ids import SYSTEM, agent_stream
from aethermind.domain.workflow import AgentDef, Function, Prompt, Retry, StepDef, WorkflowDef
from aethermind.engine.agents import Agent, Lifecycle, create_agent
from aethermind.engine.client import RunRequest
from aethermind.engine.context import StepContext
from aethermind.engine.engine import Engine
from aethermind.engine.live import LiveRun, StepFunction
from aethermind.engine.local import LocalClient
from aethermind.engine.ports import Provider
from aethermind.engine.results import RunResult
from aethermind.engine.tool_place import tool_configs

Json = Any


class FlowLike(Protocol):
    """A workflow written in Python (`Workflow`)."""

    @property
    def definition(self) -> WorkflowDef: ...

    @property
    def functions(self) -> Mapping[str, StepFunction]: ...


WorkflowLike = str | Path | WorkflowDef | FlowLike


class Runtime:
    """An open engine with the seed's vocabulary. Use it as an async context manager.

    `default_timeout` seconds per attempt, `default_retries` after the first attempt: for agents and Python
    steps that set none of their own.
    """

    def __init__(
        self,
        open_engine: Callable[[], AbstractAsyncContextManager[Engine]],
        *,
        request: Callable[[str | Path | WorkflowDef, Mapping[str, Json], Mapping[str, Any]], RunRequest],
        default_timeout: float | None = 600.0,
        default_retries: int = 3,
    ) -> None:
        self._open_engine = open_engine
        self._request = request
        self._timeout_ms = None if default_timeout is None else round(default_timeout * 1000)
        self._retry = Retry(max_attempts=default_retries + 1)
        self._engine: Engine | None = None
        self._stack = AsyncExitStack()
        self._lifecycle = Lifecycle()
        self._unrecorded: list[tuple[str, e.AnyEvent]] = []
        self._providers: dict[str, Provider] = {}
        self._workflows: dict[str, FlowLike | WorkflowDef] = {}

    async def __aenter__(self) -> Self:
        self._engine = await self._stack.enter_async_context(self._open_engine())
        for name, provider in self._providers.items():
            self._register_provider(name, provider)
        for agent in self._lifecycle.agents.values():
            self._attach(agent)
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._record_pending()
        await self._lifecycle.close()
        self._engine = None
        await self._stack.aclose()

    @property
    def engine(self) -> Engine:
        if self._engine is None:
            raise AethermindError("the runtime is not open", hint="async with AgentRuntime(…) as runtime:")
        return self._engine

    @property
    def client(self) -> LocalClient:
        """The same engine as a `Client`: listings, logs, costs, cancel, resume."""
        return LocalClient(self.engine)

    # --- providers and agents ------------------------------------------------------------------

    def register_provider(self, name: str, provider: Provider) -> None:
        """Use this object for models written `name:…`."""
        self._providers[name] = provider
        if self._engine is not None:
            self._register_provider(name, provider)

    def _register_provider(self, name: str, provider: Provider) -> None:
        models: Any = self.engine.models
        models.register(name, provider)

    def create_agent(
        self,
        *,
        name: str,
        model: str | Sequence[str] | None = None,
        instructions: str = "",
        logic: StepFunction | None = None,
        **fields: Any,
    ) -> Agent:
        """`create_agent`, registered here. See there for the other fields."""
        agent = create_agent(name=name, model=model, instructions=instructions, logic=logic, **fields)
        return self.register_agent(agent)

    def register_agent(self, agent: Agent) -> Agent:
        """Make an agent known; the name must be free or the same definition again."""
        definition = agent.definition
        filled: AgentDef = msgspec.structs.replace(
            definition,
            retry=definition.retry or self._retry,
            timeout_ms=definition.timeout_ms if definition.timeout_ms is not None else self._timeout_ms,
        )
        agent.definition = filled
        self._lifecycle.agents[agent.name] = agent
        if self._engine is not None:
            self._attach(agent)
        return agent

    def _attach(self, agent: Agent) -> None:
        engine = self.engine
        if agent.tools:
            tools = tool_configs(engine.tools, agent.tools, owner=agent.name)
            agent.definition = msgspec.structs.replace(agent.definition, tools=tools)
        if agent.logic is not None:
            engine.register(agent.function, agent.logic)
        engine.register(agent.chat_function, _chat)
        self._lifecycle.start(engine.feed.follow())
        shown = msgspec.to_builtins(agent.definition)
        if agent.logic is not None:
            shown["logic"] = True
        event = e.AgentRegistered(name=agent.name, definition=shown)
        self._unrecorded.append((agent_stream(agent.name), event))

    def agent(self, name: str) -> Agent:
        try:
            return self._lifecycle.agents[name]
        except KeyError:
            known = ", ".join(self._lifecycle.agents) or "none"
            raise NotFoundError(f"there is no agent {name!r}", hint=f"known: {known}") from None

    async def _record_pending(self) -> None:
        """Record registrations that are new or have changed."""
        pending, self._unrecorded = self._unrecorded, []
        for stream, event in pending:
            history = await self.engine.store.read_stream(stream)
            known = [r.event for r in history if isinstance(r.event, type(event))]
            if not known or known[-1] != event:
                await self.engine.record(stream, [event])

    # --- running -------------------------------------------------------------------------------

    async def execute_agent(
        self, name: str, inputs: Json = None, *, priority: int = 0, sim: bool = False
    ) -> RunResult:
        """Run one agent once; the result's `output` is what its logic returned or its model answered.

        An agent with logic gets `inputs` as `ctx.inputs`. A declarative agent is prompted with `inputs` if it
        is a text, with `inputs["prompt"]` if there is one, else with the JSON of `inputs`.
        """
        agent = self.agent(name)
        given = dict(inputs) if isinstance(inputs, Mapping) else {"input": inputs}
        if agent.logic is None:
            given = {"prompt": _prompt_of(inputs)}
        return await self._run(agent.workflow(), given, priority=priority, sim=sim)

    async def chat(
        self, name: str, messages: str | Sequence[Mapping[str, str]], *, sim: bool = False
    ) -> RunResult:
        """One answer of the agent's model to these messages; the result's `text` is the answer."""
        agent = self.agent(name)
        listed = messages if isinstance(messages, str) else [dict(m) for m in messages]
        return await self._run(agent.workflow(chat=True), {"messages": listed}, sim=sim)

    async def execute_workflow(
        self,
        workflow: WorkflowLike,
        inputs: Mapping[str, Json] | None = None,
        *,
        priority: int | None = None,
        sim: bool = False,
        model: str | None = None,
        budget_usd: float | None = None,
    ) -> RunResult:
        """Run a `Workflow`, a registered name, a file or a sample's name, until it is finished or waits."""
        options = {"priority": priority, "sim": sim, "model": model, "budget_usd": budget_usd}
        target = workflow
        if isinstance(target, str) and target in self._workflows:
            target = self._workflows[target]
        if not isinstance(target, (str, Path, WorkflowDef)):
            if not hasattr(target, "functions"):
                raise InvalidError(f"a workflow is a name, a file or a Workflow, not {type(target).__name__}")
            for name, function in target.functions.items():
                self.engine.register(name, function)
            target = self._with_defaults(target.definition)
        return await self._run(target, dict(inputs or {}), **options)

    async def resume(self, run_id: str) -> RunResult:
        """Go on with an interrupted or paused run whose functions are registered here."""
        engine = self.engine
        live = await engine.resume(run_id, by="sdk")
        if live is None:
            return RunResult(await self.client.run(run_id))
        return await self._settled(live)

    async def _run(
        self, target: str | Path | WorkflowDef, inputs: Mapping[str, Json], **options: Any
    ) -> RunResult:
        if self._unrecorded:
            await self._record_pending()
        live = await self.engine.start(self._request(target, inputs, options))
        return await self._settled(live)

    async def _settled(self, live: LiveRun) -> RunResult:
        run = await self.engine.scheduler.settled(live)
        if self._lifecycle.agents:
            await self._lifecycle.caught_up(await self.engine.store.last_seq())
        return RunResult(run)

    def _with_defaults(self, definition: WorkflowDef) -> WorkflowDef:
        """Python steps inherit the runtime's timeout and retries where they set none."""
        plain = Retry()
        steps = tuple(
            msgspec.structs.replace(
                step,
                retry=self._retry if step.retry == plain else step.retry,
                timeout_ms=self._timeout_ms if step.timeout_ms is None else step.timeout_ms,
            )
            for step in definition.steps
        )
        return msgspec.structs.replace(definition, steps=steps)

    # --- workflows by name ---------------------------------------------------------------------

    async def register_workflow(self, workflow: FlowLike | WorkflowDef | Mapping[str, Any]) -> WorkflowDef:
        """Make a workflow known by its name, here and in the database's list. A mapping has the short form
        `{"name", "steps": [{"id", "agent", "dependsOn"}]}` with agents registered here."""
        kept = self._from_mapping(workflow) if isinstance(workflow, Mapping) else workflow
        definition = kept if isinstance(kept, WorkflowDef) else kept.definition
        self._workflows[definition.name] = kept
        from aethermind import wire

        event = e.WorkflowRegistered(
            name=definition.name, definition=definition, definition_hash=wire.digest(definition)
        )
        await self.engine.record(SYSTEM, [event])
        return definition

    def get_workflow(self, name: str) -> WorkflowDef:
        """The registered definition. Raises `NotFoundError`."""
        kept = self._workflows.get(name)
        if kept is None:
            known = ", ".join(self._workflows) or "none"
            raise NotFoundError(f"no workflow {name!r} is registered", hint=f"known: {known}")
        return kept if isinstance(kept, WorkflowDef) else kept.definition

    def _from_mapping(self, raw: Mapping[str, Any]) -> WorkflowDef:
        name = raw.get("name")
        if not isinstance(name, str) or not name:
            raise InvalidError("a workflow needs a name")
        steps = [self._step_of(s) for s in raw.get("steps", ())]
        agents = {s.action.agent: self.agent(s.action.agent).definition for s in steps if s.action.agent}  # type: ignore[union-attr]  # both kinds made below have an agent
        known = {s.id for s in steps}
        for step in steps:
            for need in step.depends_on:
                if need not in known:
                    raise InvalidError(f"step {step.id} depends on {need!r}, which does not exist")
        return WorkflowDef(name=name, agents=agents, steps=tuple(steps))

    def _step_of(self, raw: Mapping[str, Any]) -> StepDef:
        try:
            step_id, agent = raw["id"], self.agent(raw["agent"])
        except KeyError as missing:
            raise InvalidError(f"a step of a workflow needs {missing}") from None
        needs = tuple(raw.get("dependsOn") or raw.get("depends_on") or ())
        if agent.logic is not None:
            action: Function | Prompt = Function(name=agent.function, agent=agent.name)
        else:
            above = "".join(f"\n\n# {need}\n{{{{ {need} }}}}" for need in needs)
            action = Prompt(template=raw.get("prompt") or "{{ inputs }}" + above, agent=agent.name)
        return StepDef(
            id=step_id,
            action=action,
            depends_on=needs,
            retry=agent.definition.retry or self._retry,
            timeout_ms=agent.definition.timeout_ms,
        )


async def _chat(ctx: StepContext) -> Json:
    return await ctx.chat(ctx.inputs["messages"])


def _prompt_of(inputs: Json) -> str:
    if isinstance(inputs, str):
        return inputs
    if isinstance(inputs, Mapping) and isinstance(inputs.get("prompt"), str):
        prompt: str = inputs["prompt"]
        return prompt
    return msgspec.json.encode(inputs).decode()
