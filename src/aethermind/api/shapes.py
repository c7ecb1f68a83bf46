"""The shapes of answers, for the OpenAPI document: rows as `engine.rows` writes them, and pages of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, get_type_hints

import msgspec

from aethermind.engine.rows import is_time

Json = Any


def shown(cls: type[msgspec.Struct], name: str | None = None, **further: type) -> type[msgspec.Struct]:
    """The row with its times as text, and further fields."""
    hints = get_type_hints(cls)
    fields: list[tuple[str, Any]] = []
    for field in msgspec.structs.fields(cls):
        kind = hints[field.name]
        if is_time(field.name):
            kind = datetime if kind is int else datetime | None
        fields.append((field.name, kind))
    return msgspec.defstruct(name or cls.__name__, [*fields, *further.items()], kw_only=True)


def page_of(cls: type, name: str) -> type[msgspec.Struct]:
    """`{"items": […], "next": cursor | null}`."""
    return msgspec.defstruct(name, [("items", list[cls]), ("next", str | None)])  # type: ignore[valid-type]  # made as we run


class Problem(msgspec.Struct, kw_only=True, omit_defaults=True):
    """RFC 9457. `code` names what is wrong: our error class, or what the request lacks."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    hint: str | None = None
    file: str | None = None
    line: int | None = None
    column: int | None = None


class Id(msgspec.Struct):
    id: str


class Health(msgspec.Struct):
    status: str
    version: str
    protocol: int
    pid: int


class Envelope(msgspec.Struct, kw_only=True):
    """A recorded event; `data` has the fields of its type (docs/events.md)."""

    seq: int
    stream: str
    version: int
    at: datetime
    type: str
    v: int
    data: dict[str, Json]


class Events(msgspec.Struct):
    """`next`: the seq to go on after; null at the end."""

    items: list[Envelope]
    next: int | None


class Settled(msgspec.Struct):
    """Whether the run is over or can't go on without a decision; `seq`: of its last event, if so."""

    settled: bool
    seq: int | None


class RunShown(msgspec.Struct):
    """What `aethermind show --json` prints."""

    run: dict[str, Json]
    steps: list[dict[str, Json]]


class Span(msgspec.Struct, kw_only=True):
    """A step of the tree, with those inside it."""

    path: str
    label: str
    status: str
    kind: str
    note: str
    agent: str | None
    started_at: datetime | None
    finished_at: datetime | None
    duration_ms: int | None
    tokens: int
    cost_micro_usd: int | None
    unpriced: int
    children: list[Span]


class Trace(msgspec.Struct):
    run: dict[str, Json]
    spans: list[Span]


class Kept(msgspec.Struct):
    """Root steps that the run would keep."""

    kept: list[str]


class Trusted(msgspec.Struct):
    trusted: bool


class Ticket(msgspec.Struct):
    ticket: str
    expires_at: datetime


class Nothing(msgspec.Struct):
    """Done."""
