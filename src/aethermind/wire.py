"""The one codec: disk, socket, `--json`, export and replay all use it.

An event's data is a JSON object of its fields (fields at their default are left out). The envelope
on the wire is `{"seq","stream","version","at","type","v","data"}` with `at` in ISO 8601 UTC.
Old versions of an event are lifted by `UPCASTS` when they are read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, get_args

import msgspec

from aethermind.domain import events
from aethermind.domain.events import AnyEvent, Recorded

EVENT_TYPES: dict[str, type[AnyEvent]] = {t.__name__: t for t in get_args(events.AnyEvent)}
"""Name on the wire → class. Closed: an unknown name is an error, never ignored."""

UPCASTS: dict[tuple[str, int], Callable[[dict[str, Any]], dict[str, Any]]] = {}
"""(type, old v) → function that lifts the data one version up."""

_encoder = msgspec.json.Encoder()
_sorted_encoder = msgspec.json.Encoder(order="sorted")
_decoders: dict[str, msgspec.json.Decoder[Any]] = {n: msgspec.json.Decoder(t) for n, t in EVENT_TYPES.items()}

encode_json = _encoder.encode
"""Any JSON value or record → UTF-8 bytes."""
decode_json: Callable[[bytes | str], Any] = msgspec.json.decode


def encode_event(event: AnyEvent) -> bytes:
    """The event's data as JSON bytes (without type and version)."""
    return _encoder.encode(event)


def decode_event(type_name: str, v: int, data: bytes | str) -> AnyEvent:
    """Read an event's data; lifts old versions. Raises `ValueError` for an unknown type or newer `v`."""
    cls = EVENT_TYPES.get(type_name)
    if cls is None:
        raise ValueError(f"unknown event type {type_name!r}")
    if v == cls.v:
        event: AnyEvent = _decoders[type_name].decode(data)
        return event
    if v > cls.v:
        raise ValueError(f"{type_name} v{v} was written by a newer aethermind (this one reads v{cls.v})")
    raw: dict[str, Any] = msgspec.json.decode(data)
    while v < cls.v:
        raw = UPCASTS[type_name, v](raw)
        v += 1
    return msgspec.convert(raw, cls)


def recordable(text: str) -> str:
    """The text as UTF-8 can hold it: two halves of a character are joined, one alone becomes U+FFFD."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def iso(at: int) -> str:
    """Epoch milliseconds → `2026-01-02T03:04:05.678Z`."""
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def envelope(recorded: Recorded) -> dict[str, Any]:
    """The wire shape of a recorded event, `data` as plain JSON values."""
    return {
        "seq": recorded.seq,
        "stream": recorded.stream,
        "version": recorded.version,
        "at": iso(recorded.at),
        "type": recorded.type,
        "v": recorded.event.v,
        "data": msgspec.to_builtins(recorded.event),
    }


def encode_envelope(recorded: Recorded) -> bytes:
    """One line of `--json` or one WebSocket message, without newline."""
    return _encoder.encode(envelope(recorded))


def decode_envelope(line: bytes | str) -> Recorded:
    raw: dict[str, Any] = msgspec.json.decode(line)
    at = int(datetime.fromisoformat(raw["at"]).timestamp() * 1000 + 0.5)
    event = decode_event(raw["type"], raw["v"], _encoder.encode(raw["data"]))
    return Recorded(raw["seq"], raw["stream"], raw["version"], at, event)


def canonical(value: object) -> bytes:
    """JSON with sorted keys: the same value always gives the same bytes."""
    return _sorted_encoder.encode(value)


def digest(value: object) -> str:
    """Short stable hash (16 hex digits) of a JSON value or record."""
    return hashlib.sha256(canonical(value)).hexdigest()[:16]
