"""What a Python step or agent gets: `ctx`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aethermind import wire
from aethermind.domain.events import LogLevel, LogWritten
from aethermind.domain.scope import Scope
from aethermind.domain.state import Node
from aethermind.engine.agent_state import StateView, Write
from aethermind.engine.calls import Calls
from aethermind.engine.conversation import converse
from aethermind.engine.live import LiveRun, Note
from aethermind.engine.ports import Message
from aethermind.engine.tool_place import ToolLike, open_toolbox, tool_configs


class StepView:
    """One upstream step as a function sees it."""

    def __init__(self, node: Node) -> None:
        self._node = node

    @property
    def output(self) -> Any:
        """Its JSON value; None if it was skipped or failed."""
        return self._node.output

    @property
    def status(self) -> str:
        return self._node.status

    @property
    def error(self) -> str | None:
        return self._node.error.message if self._node.error else None


class StepsView(Mapping[str, StepView]):
    """`ctx.steps["a"].output`: steps of the same scope, by id."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def __getitem__(self, step_id: str) -> StepView:
        node = self._scope.find(step_id)
        if node is None:
            raise KeyError(f"there is no step {step_id!r} in this scope")
        return StepView(node)

    def __iter__(self) -> Iterator[str]:
        return (name for group in self._scope.groups() for name in group.by_id)

    def __len__(self) -> int:
        return sum(len(group.by_id) for group in self._scope.groups())


class StepContext:
    """Passed to every async function given to the SDK.

    `inputs` the run's inputs (of an agent: what it was called with) · `steps` upstream outputs · `item`,
    `index`, `iteration` inside a fan-out or repeat · `run_id`, `step`, `attempt` · `chat`, `log`, `state`.
    """

    __slots__ = ("_calls", "_live", "_node", "_state", "attempt", "inputs", "run_id", "step")

    def __init__(self, *, live: LiveRun, node: Node, attempt: int, inputs: Any, calls: Calls) -> None:
        self._live = live
        self._node = node
        self._calls = calls
        self._state: StateView | None = None
        self.inputs = inputs
        self.attempt = attempt
        self.run_id = live.run.id
        self.step = node.path

    @property
    def _scope(self) -> Scope:
        return Scope(self._live.run, self._node)

    @property
    def state(self) -> StateView:
        """The agent's key-value state (of a step without an agent: the workflow's), kept across runs."""
        if self._state is None:
            owner = self._node.agent or self._live.run.definition.name
            self._state = StateView(self._calls.services.states, owner)
        return self._state

    @property
    def writes(self) -> tuple[str | None, tuple[Write, ...]]:
        """Whose state this attempt changes, and how; nothing unless `state` was written."""
        return (None, ()) if self._state is None else (self._state.agent, tuple(self._state.writes))

    @property
    def steps(self) -> StepsView:
        return StepsView(self._scope)

    @property
    def item(self) -> Any:
        return self._scope["item"]

    @property
    def index(self) -> int | None:
        index: int | None = self._scope["index"]
        return index

    @property
    def iteration(self) -> int | None:
        iteration: int | None = self._scope["iteration"]
        return iteration

    async def chat(
        self,
        prompt: str | Sequence[Mapping[str, str]],
        *,
        model: str | Sequence[str] | None = None,
        instructions: str = "",
        settings: Mapping[str, Any] | None = None,
        schema: Mapping[str, Any] | None = None,
        tools: Sequence[ToolLike] | None = None,
    ) -> Any:
        """Call a model; the call is recorded, billed and shown like any other.

        `prompt` is a text or a list of `{"role", "content"}`. Gives the text, or with a JSON `schema` the
        value. Without `model` and `tools`, the agent's own; tools as those of `create_agent`. A tool that
        asks first ends this attempt; after the decision the function is called again, and what was answered
        and done is not done again. Raises `ProviderError`, `OutputError` or `ToolError`.
        """
        if isinstance(prompt, str):
            messages: tuple[Message, ...] = (Message(role="user", content=prompt),)
        else:
            messages = tuple(_message(m) for m in prompt)
        agent = self._live.run.definition_for(self._node).agents.get(self._node.agent or "")
        if model is None:
            models: Sequence[str] = (agent.models if agent else ()) or ("smart",)
        else:
            models = (model,) if isinstance(model, str) else model
        if tools is None:
            configs: Sequence[Any] = agent.tools if agent else ()
        else:
            configs = tool_configs(self._calls.services.tools, tools, owner=self._node.agent or self.step)
        toolbox = await open_toolbox(
            self._calls.services.tools, configs, self._live, self._node, self.attempt
        )
        return await converse(
            self._calls,
            models,
            messages,
            instructions=instructions or (agent.instructions if agent else ""),
            settings={**(agent.settings if agent else {}), **(settings or {})},
            schema=schema,
            toolbox=toolbox,
        )

    def log(self, message: str, *, level: LogLevel = "info", **metadata: Any) -> None:
        """Write a log record of this step; of `metadata`, what is not JSON is recorded as text."""
        event = LogWritten(
            level=level,
            message=self._calls.scrub(message),
            step=self._node.path,
            attempt=self.attempt,
            agent=self._node.agent,
            metadata={wire.recordable(name): self._shown(value) for name, value in metadata.items()},
        )
        self._live.post(Note((event,)))

    def _shown(self, value: Any) -> Any:
        try:
            return self._scrubbed(wire.decode_json(wire.encode_json(value)))
        except (TypeError, ValueError, OverflowError):
            return self._calls.scrub(repr(value))

    def _scrubbed(self, value: Any) -> Any:
        match value:
            case str():
                return self._calls.scrub(value)
            case list():
                return [self._scrubbed(part) for part in value]
            case dict():
                return {name: self._scrubbed(part) for name, part in value.items()}
            case _:
                return value


def _message(raw: Mapping[str, str]) -> Message:
    match raw:
        case {"role": ("system" | "user" | "assistant") as role, "content": str(content)}:
            return Message(role=role, content=content)
        case _:
            raise ValueError(
                f"a message is {{'role': 'user'|'assistant'|'system', 'content': str}}, not {raw!r}"
            )
