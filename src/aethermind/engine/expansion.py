"""Evaluates what a plan asks for: conditions, fan-out items, rounds of a repeat, the outputs of a run.

What comes out is recorded, so that a replay never evaluates again.
"""

from __future__ import annotations

from typing import Any

from aethermind import wire
from aethermind.domain.errors import ErrorInfo, InvalidError, StepFailure
from aethermind.domain.events import (
    AnyEvent,
    AttemptFailed,
    AttemptStarted,
    RunCancelled,
    RunFailed,
    RunSucceeded,
    StepExpanded,
    StepSkipped,
)
from aethermind.domain.run import Run
from aethermind.domain.scope import Scope, until_scope
from aethermind.domain.state import Node
from aethermind.domain.workflow import SubWorkflow, WorkflowDef
from aethermind.engine import inputs
from aethermind.engine.ports import Expressions, Schemas


def expand(run: Run, node: Node, expressions: Expressions, schemas: Schemas, now: int) -> list[AnyEvent]:
    """The answer to `Expand`: StepExpanded, StepSkipped, or a failed attempt naming the expression."""
    try:
        return [_expand(run, node, expressions, schemas, now)]
    except StepFailure as failure:
        n = len(node.attempts) + 1
        return [
            AttemptStarted(step=node.path, attempt=n, kind=node.step.kind, agent=node.agent),
            AttemptFailed(step=node.path, attempt=n, error=failure.info),
        ]


def _expand(run: Run, node: Node, expressions: Expressions, schemas: Schemas, now: int) -> AnyEvent:
    step = node.step
    scope = Scope(run, node)
    outermost = node.index is None and node.iteration is None
    if outermost and step.when is not None and not node.children and not expressions.truth(step.when, scope):
        return StepSkipped(step=node.path, reason=f"{step.when} is false")
    match node.mode:
        case "fan_out":
            items = _items(run, node, expressions.value(step.for_each, scope))
            return StepExpanded(step=node.path, items=items, digests=tuple(wire.digest(i) for i in items))
        case "loop":
            return _round(run, node, expressions, now)
        case _:
            if isinstance(step.action, SubWorkflow) and node.encloses:
                return _sub_workflow(run, node, step.action, expressions, schemas)
            return StepExpanded(step=node.path)


def _sub_workflow(
    run: Run, node: Node, action: SubWorkflow, expressions: Expressions, schemas: Schemas
) -> AnyEvent:
    """Open it with its inputs, or end it with its outputs."""
    if node.status == "running":
        outputs = _outputs(action.workflow, node, Scope(run, inside=node), expressions)
        return StepExpanded(step=node.path, done=True, outputs=outputs)
    given = {n: expressions.value(tree, Scope(run, node)) for n, tree in action.arguments.items()}
    try:
        settled = inputs.settle(action.workflow, given, schemas)
    except InvalidError as error:
        raise _failure(error.line()) from None
    return StepExpanded(step=node.path, inputs=settled)


def _items(run: Run, node: Node, found: Any) -> tuple[Any, ...]:
    if found is None:
        found = []
    if isinstance(found, dict):
        found = [{"key": k, "value": v} for k, v in found.items()]
    if not isinstance(found, (list, tuple)):
        raise _failure(f"for_each of {node.path} gave {type(found).__name__}, not a list")
    limit = run.created.limit
    items = tuple(found[:limit] if limit is not None else found)
    if len(items) > node.step.max_items:
        raise _failure(
            f"for_each of {node.path} gave {len(items)} items, more than max_items: {node.step.max_items}"
        )
    return items


def _round(run: Run, loop: Node, expressions: Expressions, now: int) -> AnyEvent:
    repeat = loop.step.repeat
    if repeat is None:
        raise _failure(f"{loop.path} is no repeat")
    rounds = len(loop.children)
    if rounds:
        enough = repeat.until is not None and expressions.truth(repeat.until, until_scope(run, loop))
        if enough or rounds >= repeat.max:
            return StepExpanded(step=loop.path, done=True)
    wait = now + repeat.every_ms if rounds and repeat.every_ms else None
    return StepExpanded(step=loop.path, iteration=rounds + 1, not_before=wait)


def finish(run: Run, status: str, expressions: Expressions) -> AnyEvent:
    """The run's last event; an output that can't be evaluated fails the run."""
    if status == "cancelled":
        return RunCancelled(reason=run.cancel_reason)
    if status == "failed":
        error = run.root.error or ErrorInfo(kind="internal", message="a step failed")
        return RunFailed(error=error, step=run.root.reason)
    try:
        return RunSucceeded(outputs=_outputs(run.definition, run.root, Scope(run), expressions))
    except StepFailure as failure:
        return RunFailed(error=failure.info)


def _outputs(definition: WorkflowDef, container: Node, scope: Scope, expressions: Expressions) -> Any:
    """What `outputs:` says, else the outputs of the steps that nothing depends on."""
    if definition.outputs:
        return {name: expressions.value(tree, scope) for name, tree in definition.outputs.items()}
    return {
        node.step.id: node.output
        for node in container.children
        if not node.always and not any(not d.always for d in node.dependents) and node.status != "skipped"
    }


def _failure(message: str) -> StepFailure:
    return StepFailure(ErrorInfo(kind="expression", message=message))
