"""Workflows and agents that are kept in the database: what is stored, and whether it can be.

Definitions come here ready made, from whoever sent them: they are checked again, and what they start is read
from them, not believed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

import msgspec

from aethermind import wire
from aethermind.domain.errors import InvalidError
from aethermind.domain.events import AgentRegistered, Recorded, WorkflowRegistered
from aethermind.domain.ids import STEP_ID
from aethermind.domain.workflow import (
    AgentDef,
    Command,
    Function,
    Group,
    Prompt,
    PythonCall,
    StepDef,
    SubWorkflow,
    WorkflowDef,
)

Json = Any
AGENT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,99}\Z", re.ASCII)
PREFIX = "workflow:"
LONGEST_NAME = 100
MOST_STEPS = 100_000


class _Row(msgspec.Struct, frozen=True, kw_only=True):
    pass


class StoredWorkflow(_Row, frozen=True, kw_only=True):
    """A workflow that is registered. `updated_at`: epoch milliseconds."""

    name: str
    definition: WorkflowDef
    definition_hash: str
    updated_at: int
    by: str = ""
    text: str | None = None
    """The file it was made from, as it was given."""
    env_names: tuple[str, ...] = ()
    sim: dict[str, Json] = {}
    needs_trust: tuple[str, ...] = ()
    """What starts programs, each in words."""
    trusted: bool = False
    """Whether it may do so without another question."""


class StoredAgent(_Row, frozen=True, kw_only=True):
    """An agent that is registered. `logic`: it is a function of an SDK program, and runs only there."""

    name: str
    definition: AgentDef
    updated_at: int
    by: str = ""
    env_names: tuple[str, ...] = ()
    needs_trust: tuple[str, ...] = ()
    logic: bool = False


def trust_path(name: str) -> str:
    """Under this, and its `definition_hash`, a registered workflow is trusted; also the `source` of its
    runs."""
    return f"{PREFIX}{name}"


def stored_workflow(recorded: Recorded) -> StoredWorkflow:
    event = recorded.event
    assert isinstance(event, WorkflowRegistered)
    return StoredWorkflow(
        name=event.name,
        definition=event.definition,
        definition_hash=event.definition_hash,
        updated_at=recorded.at,
        by=event.by,
        text=event.text,
        env_names=event.env_names,
        sim=event.sim,
        needs_trust=starts(event.definition),
        trusted=event.trusted,
    )


def stored_agent(recorded: Recorded) -> StoredAgent:
    event = recorded.event
    assert isinstance(event, AgentRegistered)
    raw = {"name": event.name, **event.definition}
    logic = bool(raw.pop("logic", False))
    definition = msgspec.convert(raw, AgentDef)
    return StoredAgent(
        name=event.name,
        definition=definition,
        updated_at=recorded.at,
        by=event.by,
        env_names=event.env_names,
        needs_trust=tuple(_tools(definition.tools, f"agent `{event.name}`")),
        logic=logic,
    )


# --- checks ------------------------------------------------------------------------------------


def check_workflow(definition: WorkflowDef) -> None:
    """What every reader of files has seen to, and somebody who sends a definition may not have. Raises
    `InvalidError`."""
    _check_name(definition.name)
    for name, agent in definition.agents.items():
        check_agent(agent, name)
    if sum(1 for _ in steps_of(definition)) > MOST_STEPS:
        raise InvalidError(f"more than {MOST_STEPS} steps")
    _check_steps(definition, definition.steps, "")


def _check_name(name: str) -> None:
    fits = all(c.isalnum() or c in " _-." for c in name)
    if not fits or not name or len(name) > LONGEST_NAME or name != name.strip() or name[0] in ".-":
        raise InvalidError(
            f"{name[:60]!r} can't be a workflow's name", hint="letters, digits, spaces and _ - ."
        )


def check_agent(definition: AgentDef, name: str) -> None:
    """Raises `InvalidError`."""
    if not AGENT_NAME.match(name):
        raise InvalidError(f"{name[:60]!r} can't be an agent's name", hint="letters, digits, _ and -")
    if definition.name != name:
        raise InvalidError(f"agent {name!r} calls itself {definition.name!r}")


def _check_steps(owner: WorkflowDef, steps: tuple[StepDef, ...], within: str) -> None:
    if not steps:
        raise InvalidError(f"{within or 'the workflow'} has no steps")
    ids: dict[str, StepDef] = {}
    for step in steps:
        if not STEP_ID.match(step.id):
            raise InvalidError(f"{step.id[:60]!r} can't be a step's id")
        if step.id in ids:
            raise InvalidError(f"two steps are called {step.id}")
        ids[step.id] = step
    for step in steps:
        for need in step.needs:
            if need not in ids:
                raise InvalidError(f"step {step.id} needs {need!r}, which is no step beside it")
        match step.action:
            case Prompt(agent=str(agent)) if agent not in owner.agents:
                raise InvalidError(f"step {step.id}: there is no agent {agent!r}")
            case Command(argv=()):
                raise InvalidError(f"step {step.id} runs nothing")
            case Group(steps=inside):
                _check_steps(owner, inside, f"step {step.id}")
            case SubWorkflow(workflow=inner):
                _check_steps(inner, inner.steps, f"the workflow of step {step.id}")
            case _:
                pass
    try:
        TopologicalSorter({step.id: step.needs for step in steps}).prepare()
    except CycleError as circle:
        raise InvalidError(f"steps wait for each other: {' → '.join(circle.args[1])}") from None


def steps_of(owner: WorkflowDef) -> Iterator[tuple[WorkflowDef, StepDef]]:
    """With the workflow that each belongs to, those inside of others too."""
    waiting = [(owner, step) for step in reversed(owner.steps)]
    while waiting:
        of, step = waiting.pop()
        yield of, step
        match step.action:
            case Group(steps=inside):
                waiting += [(of, one) for one in reversed(inside)]
            case SubWorkflow(workflow=inner):
                waiting += [(inner, one) for one in reversed(inner.steps)]
            case _:
                pass


# --- what it starts ----------------------------------------------------------------------------


def starts(definition: WorkflowDef) -> tuple[str, ...]:
    """Commands, Python, shells and servers that it may start, each in words."""
    found: dict[str, None] = {}
    for owner, step in steps_of(definition):
        who = f"step `{step.id}`"
        match step.action:
            case Command(argv=argv):
                found[f"{who} runs `{_short(' '.join(argv))}`"] = None
            case PythonCall(target=target):
                found[f"{who} calls Python `{_short(target)}`"] = None
            case Prompt(tools=tools, agent=agent):
                found.update(dict.fromkeys(_tools(tools, who)))
                if agent in owner.agents:
                    found.update(dict.fromkeys(_tools(owner.agents[agent].tools, f"agent `{agent}`")))
            case _:
                pass
    return tuple(found)


def _tools(tools: tuple[Json, ...], who: str) -> Iterator[str]:
    for tool in tools:
        if not isinstance(tool, Mapping):
            yield f"{who} may use {_short(str(tool))}"
            continue
        for kind, options in tool.items():
            said = options if isinstance(options, Mapping) else {}
            match kind:
                case "files":
                    if said.get("write") == "always":
                        yield f"{who} may write files unasked"
                case "shell":
                    if said.get("approve") != "never":
                        yield f"{who} may use the shell"
                case "python":
                    yield f"{who} may call Python `{_short(str(said.get('call', options)))}`"
                case "mcp" if "url" in said:
                    yield f"{who} may use the MCP server {_short(str(said['url']))}"
                case "mcp":
                    words = said.get("command", ())
                    command = " ".join(map(str, words)) if isinstance(words, list | tuple) else str(words)
                    yield f"{who} starts the MCP server `{_short(command)}`"
                case _:
                    yield f"{who} may use {_short(str(kind))}"


def _short(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:79]}…"


def functions_in(definition: WorkflowDef) -> tuple[str, ...]:
    """Steps that are functions of an SDK program: only that program can run them."""
    return tuple(step.id for _, step in steps_of(definition) if isinstance(step.action, Function))


def workflow_registered(
    definition: WorkflowDef,
    *,
    by: str,
    text: str | None,
    env_names: tuple[str, ...],
    sim: dict[str, Json],
    trusted: bool,
) -> WorkflowRegistered:
    return WorkflowRegistered(
        name=definition.name,
        definition=definition,
        definition_hash=wire.digest(definition),
        by=by,
        text=text,
        env_names=env_names,
        sim=sim,
        trusted=trusted,
    )
