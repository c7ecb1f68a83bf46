"""Questions to people: asked, answered once, or expired. Pure: state in, events out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aethermind import wire
from aethermind.domain.errors import DeniedError, ErrorInfo, InvalidError, OutputError
from aethermind.domain.events import (
    AnyEvent,
    AskAnswered,
    AskExpired,
    AskOpened,
    AttemptFailed,
    AttemptSucceeded,
    StepSkipped,
)
from aethermind.domain.run import Run
from aethermind.domain.scope import Scope
from aethermind.domain.state import Node
from aethermind.domain.who import split
from aethermind.domain.workflow import Ask, may_be_left
from aethermind.engine.ports import Expressions, Schemas

Json = Any


def opened(run: Run, node: Node, action: Ask, expressions: Expressions, now: int) -> AskOpened:
    """The question of an `ask` step, its texts rendered. Raises `StepFailure`."""
    scope = Scope(run, node)
    return AskOpened(
        step=node.path,
        attempt=len(node.attempts),
        about="ask",
        message=expressions.text(action.message, scope),
        fields=action.questions,
        show=None if action.show is None else expressions.text(action.show, scope),
        expires_at=None if action.timeout_ms is None else now + action.timeout_ms,
    )


def _shown(values: Mapping[str, Json]) -> str:
    """`choice=yes, score=5`"""
    return ", ".join(
        f"{k}={v if isinstance(v, str) else wire.canonical(v).decode()}" for k, v in values.items()
    )


def answered(node: Node, values: Mapping[str, Json], by: str, schemas: Schemas, now: int) -> list[AnyEvent]:
    """The decision and what follows from it. The same decision again is nothing new. Raises `InvalidError`
    for an answer that does not fit, `DeniedError` for another decision, naming who decided.

    To a question about a tool, `values` may name the `digest` that was seen: then it is good for that alone.
    """
    question = node.question
    if question is None:
        raise InvalidError(f"step {node.path} asks nothing")
    if question.about == "tool":
        seen = values.get("digest", question.digest)
        values = {name: value for name, value in values.items() if name != "digest"}
        if seen != question.digest:
            raise InvalidError(f"step {node.path} asks about something else by now", hint="look again")
    given = _checked(question.fields, values, schemas)
    if question.values is not None:
        if question.values == given and not question.expired:
            return []
        told = "nobody: it expired" if question.expired else f"{question.by}: {_shown(question.values)}"
        raise DeniedError(f"step {node.path} was already decided by {told}")
    if node.over:
        raise InvalidError(f"step {node.path} is {node.status}: it asks nothing any more")
    decision = AskAnswered(step=node.path, values=given, by=by)
    action = node.step.action
    if question.about != "ask" or not isinstance(action, Ask):
        return [decision]
    n, who = len(node.attempts), split(by)[0]  # from which terminal is for the record, not for the workflow
    if action.approval and given.get("approved") is not True:
        error = ErrorInfo(kind="rejected", message=f"rejected by {who}" if who else "rejected")
        return [decision, AttemptFailed(step=node.path, attempt=n, error=error)]
    output = {**given, "by": who, "at": wire.iso(now)}
    return [decision, AttemptSucceeded(step=node.path, attempt=n, output=output)]


def expired(node: Node, now: int) -> list[AnyEvent]:
    """What follows when nobody answered in time."""
    action = node.step.action
    policy = action.on_timeout if isinstance(action, Ask) else "fail"
    fact = AskExpired(step=node.path, policy=policy)
    n = len(node.attempts)
    match policy:
        case "skip":
            return [fact, StepSkipped(step=node.path, reason="nobody answered in time")]
        case "default":
            fields = action.questions if isinstance(action, Ask) else {}
            if none := [name for name, schema in fields.items() if not may_be_left(schema)]:
                told = f"nobody answered in time, and {', '.join(none)} has no default"
                error = ErrorInfo(kind="timeout", message=told)
                return [fact, AttemptFailed(step=node.path, attempt=n, error=error)]
            values = {name: schema.get("default") for name, schema in fields.items()}
            output = {**values, "by": "timeout", "at": wire.iso(now)}
            return [fact, AttemptSucceeded(step=node.path, attempt=n, output=output)]
        case _:
            error = ErrorInfo(kind="timeout", message="nobody answered in time")
            return [fact, AttemptFailed(step=node.path, attempt=n, error=error)]


def _checked(
    fields: Mapping[str, Mapping[str, Json]], values: Mapping[str, Json], schemas: Schemas
) -> dict[str, Json]:
    for name in values:
        if name not in fields:
            raise InvalidError(f"there is no question {name!r}", hint=f"asked: {', '.join(fields)}")
    given: dict[str, Json] = {}
    for name, schema in fields.items():
        if name not in values:
            if may_be_left(schema):
                given[name] = schema.get("default")
                continue
            raise InvalidError(f"the answer needs {name}", hint=_choices(schema))
        if "enum" in schema and values[name] not in schema["enum"]:
            raise InvalidError(f"{name} can't be {values[name]!r}", hint=_choices(schema))
        try:
            given[name] = schemas.check(values[name], schema)
        except OutputError as error:
            raise InvalidError(f"{name}: {error.message.removeprefix('$: ')}") from None
    return given


def _choices(schema: Mapping[str, Json]) -> str | None:
    return " | ".join(map(str, schema["enum"])) if "enum" in schema else None
