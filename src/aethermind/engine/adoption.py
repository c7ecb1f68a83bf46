"""Which steps of a run an edited definition may keep, and what a fork takes over. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec.structs import replace

from aethermind import wire
from aethermind.domain.errors import InvalidError, NotFoundError
from aethermind.domain.run import Run
from aethermind.domain.workflow import Group, Prompt, StepDef, SubWorkflow, WorkflowDef, prompt_config

Json = Any


def kept(old: WorkflowDef, new: WorkflowDef) -> tuple[str, ...]:
    """Root steps that are the same in both (their agent's fields included), and all they depend on too."""
    before = {step.id: step for step in old.steps}
    same = {s.id for s in new.steps if s.id in before and _hash(s, new) == _hash(before[s.id], old)}
    keep: list[str] = []
    steps = {step.id: step for step in new.steps}
    changed = True
    stays = set(same)
    while changed:
        changed = False
        for step_id in list(stays):
            if any(need not in stays for need in steps[step_id].needs):
                stays.discard(step_id)
                changed = True
    keep.extend(step.id for step in new.steps if step.id in stays)
    return tuple(keep)


def _hash(step: StepDef, workflow: WorkflowDef) -> str:
    return wire.digest([_uncached(step), list(_configs(step, workflow))])


def _uncached(step: StepDef) -> StepDef:
    """Whether an answer may come from the record does not change what was answered."""
    action = step.action
    match action:
        case Group(steps=steps):
            action = replace(action, steps=tuple(map(_uncached, steps)))
        case SubWorkflow(workflow=inner):
            agents = {name: replace(agent, cache=None) for name, agent in inner.agents.items()}
            steps = tuple(map(_uncached, inner.steps))
            action = replace(action, workflow=replace(inner, agents=agents, steps=steps))
        case _:
            pass
    return replace(step, action=action, cache=None)


def _configs(step: StepDef, workflow: WorkflowDef) -> Iterable[object]:
    match step.action:
        case Prompt():
            yield prompt_config(workflow, step)
        case Group(steps=steps):
            for inner in steps:
                yield from _configs(inner, workflow)
        case _:
            return


def adopted(run: Run, definition: WorkflowDef, at: str, outputs: Mapping[str, Json]) -> dict[str, Json]:
    """What a fork of `run` at step `at` takes over: the root steps that succeeded and are neither that step
    nor downstream of it; `outputs` replaces some of theirs, and may give one to the step itself (then only
    what is downstream of it is run). Raises `NotFoundError`, `InvalidError`."""
    root_id = at.split("/", 1)[0].split("[", 1)[0].split("#", 1)[0]
    steps = {step.id: step for step in definition.steps}
    if root_id not in steps:
        raise NotFoundError(f"run {run.id} has no step {at!r}", hint=f"it has {', '.join(steps)}")
    for name in outputs:
        if name not in steps:
            raise NotFoundError(f"there is no step {name!r} to give an output", hint=", ".join(steps))
    again = {root_id}
    grows = True
    while grows:
        more = {s.id for s in definition.steps if s.id not in again and again.intersection(s.needs)}
        grows = bool(more)
        again |= more
    taken: dict[str, Json] = {}
    for step in definition.steps:
        node = run.root.by_id.get(step.id)
        if step.always:
            continue
        if step.id in outputs:
            if step.id in again and step.id != root_id:
                raise InvalidError(f"{step.id} is downstream of {root_id}: it is run again")
            taken[step.id] = outputs[step.id]
        elif step.id not in again and node is not None and node.status == "succeeded":
            taken[step.id] = node.output
    return taken
