"""JSON of the API → the records that the `Client` protocol speaks of."""

from __future__ import annotations

from typing import Any, TypeVar, get_origin

import msgspec

from aethermind import wire
from aethermind.domain.events import Recorded
from aethermind.engine import rows
from aethermind.engine.client import Notice, Signal, TokenDelta

T = TypeVar("T")
Json = Any


class Envelope(msgspec.Struct, frozen=True, gc=False):
    """A recorded event on the wire; its data is decoded by its type."""

    seq: int
    stream: str
    version: int
    at: str
    type: str
    v: int
    data: msgspec.Raw


class Message(msgspec.Struct, frozen=True):
    """One of the WebSocket's messages: `snapshot`, `events`, `signals` or `ping`."""

    type: str
    seq: int = 0
    events: list[Envelope] = []
    signals: list[dict[str, Json]] = []


class Events(msgspec.Struct, frozen=True):
    items: list[Envelope]
    next: int | None = None


class Strange(ValueError):
    """What came is not what this version understands."""


_message = msgspec.json.Decoder(Message)
_events = msgspec.json.Decoder(Events)
_SIGNALS: dict[str, type[TokenDelta | Notice]] = {"TokenDelta": TokenDelta, "Notice": Notice}


def message(data: bytes) -> Message:
    try:
        return _message.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Strange(str(error)) from error


def events(data: bytes) -> Events:
    try:
        return _events.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Strange(str(error)) from error


def recorded(found: Envelope) -> Recorded:
    """Raises `Strange` for a type or version that only a newer aethermind knows."""
    try:
        event = wire.decode_event(found.type, found.v, bytes(found.data))
        return Recorded(found.seq, found.stream, found.version, rows.epoch_ms(found.at), event)
    except (ValueError, KeyError) as error:
        raise Strange(str(error)) from error


def signal(found: dict[str, Json]) -> Signal | None:
    """None: a kind of signal that this version does not know. They may be lost."""
    cls = _SIGNALS.get(found.get("type", ""))
    if cls is None:
        return None
    try:
        return msgspec.convert({name: value for name, value in found.items() if name != "type"}, cls)
    except msgspec.ValidationError:
        return None


def record(found: Json, cls: type[T]) -> T:
    """What an answer holds, as a record or as plain JSON of this type. Raises `Strange`."""
    try:
        if isinstance(found, dict) and issubclass(get_origin(cls) or cls, msgspec.Struct):
            return rows.read_row(cls, found)  # type: ignore[type-var]  # a record, as was just seen
        return msgspec.convert(found, cls)
    except (msgspec.ValidationError, ValueError) as error:
        raise Strange(f"{cls.__name__}: {error}") from error
