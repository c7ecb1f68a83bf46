"""A recorded definition with another prompt in one step. Pure.

The new text may use what the old one could: inputs, what comes before the step, the item of its fan-out, the
last round of its loop. What is not before it would be another workflow: that is an edit of the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from msgspec.structs import replace

from aethermind.definitions.analysis import BadTemplate, uses
from aethermind.definitions.hints import did_you_mean, show
from aethermind.domain.errors import InvalidError, NotFoundError
from aethermind.domain.ids import static_path
from aethermind.domain.workflow import Group, Prompt, StepDef, SubWorkflow, WorkflowDef

_FACTS = frozenset({"inputs", "run", "workflow"})
_ITEM = frozenset({"item", "index"})
_ROUND = frozenset({"previous", "iteration"})


class _New(NamedTuple):
    template: str
    names: tuple[str, ...]
    """Of outside: steps, words of the language, `inputs.NAME`."""
    before: frozenset[str]
    """What the old text used."""


def prompt_of(definition: WorkflowDef, path: str) -> str:
    """The template of the prompt step of this path (instances count for their step). Raises `NotFoundError`,
    or `InvalidError` for a step of another kind."""
    step = _step(definition, static_path(path).split("/"), path)
    if not isinstance(step.action, Prompt):
        raise InvalidError(f"{path} has no prompt: it is a {step.kind} step")
    return step.action.template


def reworded(definition: WorkflowDef, path: str, template: str) -> WorkflowDef:
    """The definition with this prompt in that step. Raises `InvalidError` (with the line in the prompt, if it
    can be told), `NotFoundError`."""
    old = prompt_of(definition, path)
    if not template.strip():
        raise InvalidError("the prompt is empty")
    new = _New(template, _names(template), frozenset(_names(old)))
    return _in_workflow(definition, static_path(path).split("/"), new)


def _names(template: str) -> tuple[str, ...]:
    try:
        paths = uses(template).paths
    except BadTemplate as problem:
        raise InvalidError(str(problem), hint=problem.hint, file="prompt", line_no=problem.line) from None
    named = (
        ".".join(p[:2]) if p[0] == "inputs" else p[1] if p[0] == "steps" and p[1:] else p[0] for p in paths
    )
    return tuple(dict.fromkeys(named))


def _in_workflow(definition: WorkflowDef, way: Sequence[str], new: _New) -> WorkflowDef:
    steps, missing = _in_level(definition.steps, way, new, new.before)
    for name in missing:
        root, _, key = name.partition(".")
        if root in _FACTS:
            if key and definition.inputs and key not in definition.inputs:
                hint = did_you_mean(key, definition.inputs, label="inputs")
                raise InvalidError(f"there is no input `{show(key)}`", hint=hint)
            continue
        raise InvalidError(
            f"`{show(name)}` is not before this step",
            hint=did_you_mean(name, _above(definition.steps, way)) or "what it waits for is in the file",
        )
    return replace(definition, steps=steps)


def _in_level(
    level: tuple[StepDef, ...], way: Sequence[str], new: _New, known: frozenset[str]
) -> tuple[tuple[StepDef, ...], tuple[str, ...]]:
    """The level with the step changed, and the names that nothing in it explains."""
    step = next(step for step in level if step.id == way[0])
    if step.for_each is not None:
        known |= _ITEM
    if step.repeat is not None:
        known |= _ROUND
    names = tuple(name for name in new.names if name not in known)
    match step.action:
        case Group(steps=inner) if len(way) > 1:
            steps, names = _in_level(inner, way[1:], new, known)
            changed = replace(step, action=Group(steps=steps))
        case SubWorkflow(workflow=flow) if len(way) > 1:
            # Nothing of what is around it is seen in there.
            changed = replace(step, action=replace(step.action, workflow=_in_workflow(flow, way[1:], new)))
            names = ()
        case _:
            assert isinstance(step.action, Prompt)
            changed = replace(step, action=replace(step.action, template=new.template))
    upstream = _upstream(level, step)
    if fresh := [name for name in names if name in upstream and name not in step.references]:
        changed = replace(changed, references=(*changed.references, *fresh))
    rest = tuple(name for name in names if name not in upstream)
    return tuple(changed if one is step else one for one in level), rest


def _upstream(level: Sequence[StepDef], step: StepDef) -> frozenset[str]:
    """What is done before the step begins, in its own scope."""
    steps = {one.id: one for one in level}
    found: set[str] = set()
    todo = list(step.needs)
    while todo:
        name = todo.pop()
        if name not in found and name in steps:
            found.add(name)
            todo.extend(steps[name].needs)
    return frozenset(found)


def _above(level: Sequence[StepDef], way: Sequence[str]) -> list[str]:
    """All that the step may name, for a hint."""
    step = next(step for step in level if step.id == way[0])
    inner = step.action.steps if isinstance(step.action, Group) and len(way) > 1 else ()
    return [*sorted(_upstream(level, step)), *(_above(inner, way[1:]) if inner else ())]


def _step(definition: WorkflowDef, way: Sequence[str], path: str) -> StepDef:
    found = next((step for step in definition.steps if step.id == way[0]), None)
    for number, name in enumerate(way[1:], 1):
        match found:
            case StepDef(action=Group(steps=steps)):
                found = next((step for step in steps if step.id == name), None)
            case StepDef(action=SubWorkflow(workflow=workflow)):
                return _step(workflow, way[number:], path)
            case _:
                found = None
    if found is None:
        raise NotFoundError(f"there is no step {path}")
    return found
