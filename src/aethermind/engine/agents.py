"""Agents of the SDK: a definition, optionally with logic in Python, and its lifecycle events.

    agent:started     an attempt of this agent began
    agent:status      what it does changed: running, retrying, idle
    agent:completed   an attempt succeeded; carries its output
    agent:failed      its last attempt failed, or it was cancelled or lost; carries the error

Handlers hear what is recorded: they are called from the feed, after the commit, in order.
"""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal, get_args

import msgspec

from aethermind.domain import events as e
from aethermind.domain.errors import InvalidError
from aethermind.domain.ids import run_id_of
from aethermind.domain.workflow import AgentDef, Function, InputDef, Prompt, Retry, StepDef, WorkflowDef
from aethermind.engine.client import FeedItem
from aethermind.engine.live import StepFunction
from aethermind.engine.tool_place import ToolLike

AgentEventName = Literal["agent:started", "agent:status", "agent:completed", "agent:failed"]
NAMES: frozenset[str] = frozenset(get_args(AgentEventName))


ENDS = (e.AttemptSucceeded, e.AttemptFailed, e.AttemptCancelled, e.AttemptLost, e.BudgetHeld)
"""Events with which an attempt ends; so does a question about a tool."""


class AgentEvent(msgspec.Struct, frozen=True, kw_only=True):
    """What a handler gets."""

    name: AgentEventName
    agent: str
    status: str
    run_id: str
    step: str
    attempt: int
    output: Any = None
    error: str | None = None
    at: int = 0
    """Epoch milliseconds."""


Handler = Callable[[AgentEvent], Awaitable[None] | None]


class AgentStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A view: `status` is idle, running or retrying; counts are of attempts since this runtime opened."""

    name: str
    status: str
    running: int
    completed: int
    failed: int
    last_error: str | None = None


class Agent:
    """A named agent. Made by `create_agent` or `runtime.create_agent`."""

    def __init__(
        self,
        definition: AgentDef,
        logic: StepFunction | None = None,
        tools: Sequence[ToolLike] = (),
    ) -> None:
        self.definition = definition
        self.logic = logic
        self.tools = tuple(tools)
        """As they were given; the definition has them once a runtime knows the agent."""
        self._handlers: dict[str, list[Handler]] = {}
        self._running = self._completed = self._failed = 0
        self._status = "idle"
        self._last_error: str | None = None

    @property
    def name(self) -> str:
        return self.definition.name

    def on(self, event: AgentEventName, handler: Handler) -> None:
        """Call `handler` (sync or async) with each `AgentEvent` of this name."""
        if event not in NAMES:
            raise InvalidError(f"an agent has no event {event!r}", hint=", ".join(sorted(NAMES)))
        self._handlers.setdefault(event, []).append(handler)

    def get_status(self) -> AgentStatus:
        return AgentStatus(
            name=self.name,
            status=self._status,
            running=self._running,
            completed=self._completed,
            failed=self._failed,
            last_error=self._last_error,
        )

    # --- how it runs ---------------------------------------------------------------------------

    @property
    def function(self) -> str:
        """The registry name of its logic."""
        return f"agent:{self.name}"

    @property
    def chat_function(self) -> str:
        return f"chat:{self.name}"

    def workflow(self, *, chat: bool = False) -> WorkflowDef:
        """A run of this agent alone: a workflow of one step."""
        agent = self.definition
        retry = agent.retry or Retry()
        step_id = re.sub(r"\W", "_", agent.name) if agent.name[:1].isalpha() else f"agent_{agent.name}"
        if chat:
            action: Any = Function(name=self.chat_function, agent=agent.name)
        elif self.logic is not None:
            action = Function(name=self.function, agent=agent.name)
        else:
            action = Prompt(template="{{ inputs.prompt }}", agent=agent.name)
        takes = {} if self.logic or chat else {"prompt": InputDef(schema={"type": "string"})}
        step = StepDef(
            id=re.sub(r"\W", "_", step_id), action=action, retry=retry, timeout_ms=agent.timeout_ms
        )
        return WorkflowDef(name=agent.name, inputs=takes, agents={agent.name: agent}, steps=(step,))

    # --- what happens to it --------------------------------------------------------------------

    async def hear(self, recorded: e.Recorded) -> None:
        event = recorded.event
        run_id = run_id_of(recorded.stream) or ""
        output, error = None, None
        match event:
            case e.AttemptStarted():
                self._running += 1
                names: tuple[AgentEventName, ...] = ("agent:started",)
            case e.AttemptSucceeded():
                self._running, self._completed = self._running - 1, self._completed + 1
                output, names = event.output, ("agent:completed",)
            case e.AttemptFailed():
                self._running, self._failed = self._running - 1, self._failed + 1
                error = self._last_error = event.error.message
                names = () if event.retry_at is not None else ("agent:failed",)
            case e.AttemptCancelled() | e.AttemptLost():
                self._running -= 1
                error = "cancelled" if isinstance(event, e.AttemptCancelled) else "lost"
                names = ("agent:failed",)
            case e.BudgetHeld() | e.AskOpened():  # it waits; the next attempt is told like any other
                self._running -= 1
                names = ()
            case _:
                return
        before = self._status
        retrying = isinstance(event, e.AttemptFailed) and event.retry_at is not None
        self._status = "running" if self._running else "retrying" if retrying else "idle"
        if self._status != before:
            names = (*names, "agent:status")
        for name in names:
            told = AgentEvent(
                name=name,
                agent=self.name,
                status=self._status,
                run_id=run_id,
                step=event.step,
                attempt=event.attempt,
                output=output,
                error=error,
                at=recorded.at,
            )
            await self._tell(told)

    async def _tell(self, told: AgentEvent) -> None:
        for handler in self._handlers.get(told.name, ()):
            try:
                answer = handler(told)
                if inspect.isawaitable(answer):
                    await answer
            except Exception as error:  # noqa: BLE001 - a listener must not stop the others, nor the agent
                asyncio.get_running_loop().call_exception_handler(
                    {"message": f"handler of {told.name} of {told.agent} raised", "exception": error}
                )


class Lifecycle:
    """Hands recorded attempts to their agents. One per runtime, started with its first agent."""

    def __init__(self) -> None:
        self.agents: dict[str, Agent] = {}
        self._owners: dict[tuple[str, str, int], str] = {}
        """(stream, step, attempt) → agent, of attempts that are running."""
        self._task: asyncio.Task[None] | None = None
        self._heard = 0
        self._waiters: list[tuple[int, asyncio.Future[None]]] = []

    def start(self, feed: AsyncIterator[FeedItem]) -> None:
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._listen(feed))

    async def _listen(self, feed: AsyncIterator[FeedItem]) -> None:
        async for item in feed:
            if isinstance(item, e.Recorded):
                await self._hear(item)
                self._heard = item.seq
                self._waiters = [w for w in self._waiters if not self._answer(w)]

    async def _hear(self, recorded: e.Recorded) -> None:
        event = recorded.event
        if isinstance(event, e.AttemptStarted):
            if event.agent is None or event.agent not in self.agents:
                return
            self._owners[recorded.stream, event.step, event.attempt] = event.agent
            await self.agents[event.agent].hear(recorded)
        elif isinstance(event, ENDS) or (isinstance(event, e.AskOpened) and event.about == "tool"):
            owner = self._owners.pop((recorded.stream, event.step, event.attempt), None)
            if owner is not None:
                await self.agents[owner].hear(recorded)

    def _answer(self, waiter: tuple[int, asyncio.Future[None]]) -> bool:
        seq, future = waiter
        if seq > self._heard:
            return False
        if not future.done():
            future.set_result(None)
        return True

    async def caught_up(self, seq: int) -> None:
        """Until the handlers of everything up to `seq` have been called."""
        if self._task is None or self._task.done() or self._heard >= seq:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append((seq, future))
        await asyncio.wait({future, self._task}, return_when=asyncio.FIRST_COMPLETED)

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None  # the runtime may be opened again


def create_agent(
    *,
    name: str,
    model: str | Sequence[str] | None = None,
    instructions: str = "",
    logic: StepFunction | None = None,
    description: str = "",
    settings: Mapping[str, Any] | None = None,
    max_concurrent: int | None = None,
    timeout: float | None = None,
    retries: int | None = None,
    cache: bool | float | None = None,
    tools: Sequence[ToolLike] = (),
) -> Agent:
    """An agent: declarative (model and instructions), or with `logic`, an `async def f(ctx)` that returns a
    JSON value. `timeout` in seconds per attempt; `retries` after the first attempt; `cache`: whether, or for
    how many seconds, an answer on record is used again.

    `tools`: functions of this program that the model may call. Their signature and docstring are what it is
    told; they run here, an async one in the engine's loop, any other on a thread. `{"function": f, "approve":
    "ask", "effect": "write"}` says more: `approve` (`always`, `ask`) whether a person is shown each call
    first, `effect` (`pure`, `read`, `write`, `command`, `network`) what it means if nobody saw its end: what
    only reads is run again, anything else is asked about. Raises `InvalidError`.
    """
    if not name or not name.isprintable() or "/" in name:
        raise InvalidError(f"{name!r} is no name for an agent")
    models = (model,) if isinstance(model, str) else tuple(model or ())
    if not isinstance(cache, bool) and cache is not None and cache <= 0:
        raise InvalidError(f"`cache` is a number of seconds, not {cache}", hint="False switches it off")
    definition = AgentDef(
        name=name,
        description=description,
        models=models,
        instructions=instructions,
        settings=dict(settings or {}),
        max_concurrent=max_concurrent,
        retry=None if retries is None else Retry(max_attempts=retries + 1),
        timeout_ms=None if timeout is None else round(timeout * 1000),
        cache=cache if isinstance(cache, bool) or cache is None else max(1, round(cache * 1000)),
    )
    return Agent(definition, logic, tools)
