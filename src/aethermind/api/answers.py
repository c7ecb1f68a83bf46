"""Answers: JSON by our one codec, and what the OpenAPI document says of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from litestar import Request, Response
from litestar.openapi import ResponseSpec

from aethermind import wire
from aethermind.api.identity import Identity
from aethermind.api.shapes import Problem

Json = Any
Answer = Response[bytes]
Asked = Request[Any, Any, Any]
JSON = "application/json"

_WORDS = {
    400: "The request can't be read.",
    401: "No token, or one that is not valid.",
    403: "Not allowed, or not trusted.",
    404: "There is no such thing.",
    409: "It conflicts with what was recorded or is under way.",
    422: "It can be read, and it can't be done.",
    429: "Too many requests of this token.",
    503: "The engine or its store can't just now.",
}
PROBLEMS = {
    status: ResponseSpec(Problem, generate_examples=False, description=said, media_type="application/problem+json")  # type: ignore[arg-type]  # any media type is fine
    for status, said in _WORDS.items()
}


def gives(shape: Any, said: str, status: int = 200) -> dict[int, ResponseSpec]:
    """The answers of a route: this one, and problems."""
    return {status: ResponseSpec(shape, generate_examples=False, description=said), **PROBLEMS}


def json(value: Json, status: int = 200) -> Answer:
    return Response(wire.encode_json(value), media_type=JSON, status_code=status)


def raw(body: bytes) -> Answer:
    """JSON that is written already."""
    return Response(body, media_type=JSON)


def page(items: Iterable[Json], next_: str | int | None = None) -> Answer:
    return json({"items": list(items), "next": next_})


DONE: dict[str, Json] = {}


def who(request: Asked) -> Identity:
    found: Identity = request.scope["state"]["identity"]
    return found


def tags(request: Asked) -> dict[str, str]:
    """What marks a run that this request starts, so that a repetition finds it."""
    from aethermind.api.idempotency import TAG

    mark = request.scope["state"].get("mark")
    return {TAG: mark} if mark else {}
