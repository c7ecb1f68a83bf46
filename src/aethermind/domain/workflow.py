"""Definitions: what a workflow is. Immutable, serialisable, already validated and resolved.

The loader (`aethermind.definitions`) makes these from YAML or Python, with every inheritance
(global → workflow → agent → step) already merged in, so that a run never depends on a file again.
Template strings are kept as text; they are evaluated through the port `Expressions`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

Json = Any
OnError = Literal["fail", "continue", "skip_dependents"]
OnInDoubt = Literal["ask", "retry", "fail", "skip"]
CachePolicy = bool | int | None
"""Whether calls may be answered from the record: True always, a number if the answer is not older than so
many milliseconds, False never; None: nothing is said, so never."""
StepKind = Literal["prompt", "run", "python", "function", "value", "fail", "ask", "workflow", "steps"]


OWN_SETTINGS = frozenset({"max_turns"})
"""Settings that hold for the conversation; no model is told of them."""


class _Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    pass


class Retry(_Record, frozen=True, kw_only=True):
    """`max_attempts` counts the first try too. Delay n is uniform in [0, backoff·2ⁿ⁻¹], capped."""

    max_attempts: int = 1
    backoff_ms: int = 1_000
    max_backoff_ms: int = 60_000


class Repeat(_Record, frozen=True, kw_only=True):
    """Rounds run until the template `until` is true, at most `max` times, `every_ms` apart."""

    until: str | None = None
    max: int = 10
    every_ms: int = 0


class Prompt(_Record, frozen=True, kw_only=True, tag_field="kind", tag="prompt"):
    """A model call (with its tool loop). Empty fields come from the agent, see `prompt_config`."""

    template: str
    agent: str | None = None
    models: tuple[str, ...] = ()
    """Alias or `provider:model`; more than one is a fallback chain."""
    instructions: str = ""
    settings: dict[str, Json] = {}
    tools: tuple[Json, ...] = ()
    output_schema: dict[str, Json] | None = None


class Command(_Record, frozen=True, kw_only=True, tag_field="kind", tag="run"):
    """A child process: an argv list of templates, never a shell string."""

    argv: tuple[str, ...]
    stdin: str | None = None
    cwd: str | None = None
    env: dict[str, str] = {}
    """Name → literal, or `$NAME` to take it from the submitter's environment."""
    ok_codes: tuple[int, ...] = (0,)
    output_schema: dict[str, Json] | None = None


class PythonCall(_Record, frozen=True, kw_only=True, tag_field="kind", tag="python"):
    """`module:function` called in a spawned child with keyword arguments (templates allowed)."""

    target: str
    arguments: dict[str, Json] = {}
    cwd: str | None = None
    env: dict[str, str] = {}
    output_schema: dict[str, Json] | None = None


class Function(_Record, frozen=True, kw_only=True, tag_field="kind", tag="function"):
    """An async function given to the SDK, called in-process. `name` is its registry key."""

    name: str
    agent: str | None = None
    inputs: Json = None
    """Template tree that becomes `ctx.inputs`; None passes the run's inputs."""
    source_hash: str = ""


class Value(_Record, frozen=True, kw_only=True, tag_field="kind", tag="value"):
    """Any JSON tree; strings in it are templates."""

    value: Json


class Fail(_Record, frozen=True, kw_only=True, tag_field="kind", tag="fail"):
    """Fails the step with this reason (a template)."""

    reason: str


def may_be_left(schema: Mapping[str, Json]) -> bool:
    """Whether a question with this schema may go unanswered: it has a default, or null fits. An approval may
    not: silence is no yes."""
    kinds = schema.get("type")
    null = (isinstance(kinds, list) and "null" in kinds) or None in schema.get("enum", ())
    return "default" in schema or null


class Ask(_Record, frozen=True, kw_only=True, tag_field="kind", tag="ask"):
    """A question to a person."""

    message: str
    show: str | None = None
    fields: dict[str, dict[str, Json]] = {}
    """Field → JSON Schema."""
    timeout_ms: int | None = None
    on_timeout: Literal["fail", "skip", "default"] = "fail"
    """`default`: each field takes its default, or null where that fits; if neither does, the step fails."""
    approval: bool = False

    @property
    def questions(self) -> dict[str, dict[str, Json]]:
        """What is asked: the fields, else yes or no (an approval), else one free text."""
        if self.fields:
            return self.fields
        return {"approved": {"type": "boolean"}} if self.approval else {"answer": {"type": "string"}}


class SubWorkflow(_Record, frozen=True, kw_only=True, tag_field="kind", tag="workflow"):
    """Another definition, run inside this run; `arguments` become its inputs."""

    workflow: WorkflowDef
    arguments: dict[str, Json] = {}


class Group(_Record, frozen=True, kw_only=True, tag_field="kind", tag="steps"):
    """Steps that share a scope; `when`, `for_each` and `repeat` apply to the whole."""

    steps: tuple[StepDef, ...]


Action = Prompt | Command | PythonCall | Function | Value | Fail | Ask | SubWorkflow | Group


class StepDef(_Record, frozen=True, kw_only=True):
    """One step of a workflow or group. All timing is in milliseconds."""

    id: str
    action: Action
    depends_on: tuple[str, ...] = ()
    """Explicit dependencies: ids of the same scope."""
    references: tuple[str, ...] = ()
    """Ids of the same scope whose outputs its templates use (a group: also what its steps use)."""
    when: str | None = None
    for_each: Json = None
    """A template that gives a list, or a literal list; None if this is no fan-out."""
    max_parallel: int | None = None
    max_items: int = 1_000
    repeat: Repeat | None = None
    retry: Retry = Retry()
    timeout_ms: int | None = None
    on_error: OnError = "fail"
    on_in_doubt: OnInDoubt | None = None
    """None: the default of its kind (`domain.recovery`)."""
    cache: CachePolicy = None
    """Of a prompt, or of `ctx.chat` in a function. In files, what agent and defaults say is merged in."""
    save: str | None = None
    """A path below the cwd (a template); written when the step succeeds."""
    always: bool = False

    @property
    def kind(self) -> StepKind:
        return kind_of(self.action)

    @property
    def inline(self) -> bool:
        """Needs no slot: pure and instant, or a question that is only written down."""
        return isinstance(self.action, Ask) or (isinstance(self.action, (Value, Fail)) and self.save is None)

    @property
    def needs(self) -> tuple[str, ...]:
        """All upstream ids of the same scope, explicit ones first, without doubles."""
        if not self.references:
            return self.depends_on
        return tuple(dict.fromkeys((*self.depends_on, *self.references)))


class AgentDef(_Record, frozen=True, kw_only=True):
    """A declarative agent."""

    name: str
    description: str = ""
    models: tuple[str, ...] = ()
    instructions: str = ""
    settings: dict[str, Json] = {}
    tools: tuple[Json, ...] = ()
    max_concurrent: int | None = None
    retry: Retry | None = None
    timeout_ms: int | None = None
    cache: CachePolicy = None
    """For its steps that say nothing themselves."""


class InputDef(_Record, frozen=True, kw_only=True):
    """One input: its JSON Schema, and whether it must be given."""

    schema: dict[str, Json]
    required: bool = True
    default: Json = None
    description: str = ""


class Budget(_Record, frozen=True, kw_only=True):
    micro_usd: int
    on_exceed: Literal["pause", "fail"] = "pause"
    unpriced: Literal["refuse", "allow"] = "refuse"


class WorkflowDef(_Record, frozen=True, kw_only=True):
    """A whole workflow, checked: ids are unique per scope, references exist, no cycles."""

    name: str
    description: str = ""
    inputs: dict[str, InputDef] = {}
    agents: dict[str, AgentDef] = {}
    steps: tuple[StepDef, ...] = ()
    outputs: dict[str, Json] = {}
    """Name → template tree. Empty: the outputs of the steps nothing depends on."""
    budget: Budget | None = None
    priority: int = 0
    max_concurrent: int | None = None
    source: str | None = None
    """The file it was read from, for messages only."""


def kind_of(action: Action) -> StepKind:
    kind: StepKind = action.__struct_config__.tag  # type: ignore[assignment]  # tags are the StepKind literals
    return kind


class PromptConfig(_Record, frozen=True, kw_only=True):
    """What a prompt step runs with, after its agent's fields are merged under its own."""

    agent: str
    models: tuple[str, ...]
    instructions: str
    settings: dict[str, Json]
    tools: tuple[Json, ...]


def prompt_config(workflow: WorkflowDef, step: StepDef) -> PromptConfig:
    """Merge agent and step. The step's own fields win; settings are merged key by key.

    A step without an agent acts as an agent of its own id.
    """
    action = step.action
    if not isinstance(action, Prompt):
        raise TypeError(f"step {step.id} is no prompt")
    agent = workflow.agents.get(action.agent) if action.agent else None
    base = agent or AgentDef(name=step.id)
    return PromptConfig(
        agent=action.agent or step.id,
        models=action.models or base.models or ("smart",),
        instructions="\n\n".join(t for t in (base.instructions, action.instructions) if t),
        settings={**base.settings, **action.settings},
        tools=(*base.tools, *action.tools),
    )


def agent_of(step: StepDef) -> str | None:
    """The agent this step counts for, or None (commands, values)."""
    match step.action:
        case Prompt(agent=agent):
            return agent or step.id
        case Function(agent=agent):
            return agent
        case _:
            return None
