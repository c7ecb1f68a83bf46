"""One tool, as the toolbox holds it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from aethermind import wire
from aethermind.domain.errors import ErrorInfo, ErrorKind, ToolError, ToolRefused
from aethermind.engine.toolbox import Approval, Effect, Preview, ToolOutput, ToolSpec
from aethermind.infra.sanitize import clean, clean_line

Json = Any
Arguments = dict[str, Json]
Output = Callable[[str], None]

MAX_TEXT = 64 * 1024
"""Bytes of UTF-8 that a model gets of an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """`preview` and `call` get arguments that fit `schema`; `basis` is that of a preview that was seen, or
    empty. `schema` is what they are checked against here, which may say less than the model is told."""

    spec: ToolSpec
    schema: dict[str, Json]
    preview: Callable[[Arguments], Awaitable[Preview]]
    call: Callable[[Arguments, str, Output | None], Awaitable[ToolOutput]]
    limit: int = MAX_TEXT
    faithful: bool = False
    """Its text is worked on by the model: typography that is not seen stays."""

    def named(self, name: str) -> Tool:
        """The same under another name."""
        spec = msgspec.structs.replace(self.spec, name=name)
        return Tool(
            spec=msgspec.structs.replace(spec, pin=pin_of(spec)),
            schema=self.schema,
            preview=self.preview,
            call=self.call,
            limit=self.limit,
            faithful=self.faithful,
        )


def spec_of(
    name: str,
    description: str,
    schema: dict[str, Json],
    *,
    effect: Effect,
    approve: Approval,
    source: str,
    version: str = "",
) -> ToolSpec:
    """A spec with its pin. `version`: a digest of the code, where there is one."""
    spec = ToolSpec(
        name=name,
        description=description,
        input_schema=schema,
        effect=effect,
        approve=approve,
        pin=version,
        source=source,
    )
    return msgspec.structs.replace(spec, pin=pin_of(spec))


def pin_of(spec: ToolSpec) -> str:
    """A digest of what was agreed to. `spec.pin` may hold what came before: a renamed tool is another one."""
    return wire.digest([spec.name, spec.description, spec.input_schema, spec.effect, spec.pin])


def parameters(required: tuple[str, ...] = (), **properties: Json) -> dict[str, Json]:
    """An object's schema that allows nothing else."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def refused(message: str, hint: str | None = None) -> ToolRefused:
    """A call that the model can put right."""
    return ToolRefused(
        ErrorInfo(kind="bad_request", message=clean_line(message), hint=clean_line(hint) if hint else None)
    )


def unavailable(
    kind: ErrorKind, message: str, hint: str | None = None, *, detail: str = "", retryable: bool = False
) -> ToolError:
    """A tool that can't be had. `retryable`: nothing was done, and another time it may be there."""
    return ToolError(
        ErrorInfo(
            kind=kind,
            retryable=retryable,
            message=clean_line(message)[:500],
            hint=clean_line(hint)[:500] if hint else None,
            detail=clean(detail)[-8_000:] or None,
        )
    )


def title(verb: str, what: str, limit: int = 200) -> str:
    """The first line of a preview."""
    line = clean_line(f"{verb} {what}")
    return line if len(line) <= limit else line[: limit - 1] + "…"


def as_json(arguments: Arguments) -> str:
    """Arguments, readable and whole."""
    return clean(msgspec.json.format(wire.encode_json(arguments), indent=2).decode())
