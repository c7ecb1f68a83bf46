"""Errors as RFC 9457 problems: `{"type","title","status","detail","code", …}`.

`code` is the name of our error class where one was raised (a client on the other side raises it again), else
the name of what is wrong with the request.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from aethermind import wire
from aethermind.domain.errors import (
    AethermindError,
    BusyError,
    ConflictError,
    DeniedError,
    InvalidError,
    NotFoundError,
    StepFailure,
    StoreError,
    WaitingError,
)

Json = Any
MEDIA_TYPE = "application/problem+json"

STATUS: tuple[tuple[type[AethermindError], int], ...] = (
    (InvalidError, 422),
    (NotFoundError, 404),
    (DeniedError, 403),
    (WaitingError, 409),
    (ConflictError, 409),
    (BusyError, 503),
    (StoreError, 503),
    (StepFailure, 502),
)
CODES = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    409: "Conflict",
    413: "TooLarge",
    415: "UnsupportedMediaType",
    421: "WrongHost",
    422: "Unprocessable",
    429: "TooManyRequests",
    500: "Internal",
    503: "Unavailable",
}


class Refused(Exception):
    """A request that goes no further: its status, one line, a hint, and headers of the answer."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        hint: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.hint = hint
        self.headers = headers or {}


def problem_of(error: Exception) -> dict[str, Json]:
    """What is told of an error. One that was not raised on purpose says nothing of itself."""
    if isinstance(error, Refused):
        return problem(error.status, error.detail, hint=error.hint)
    if isinstance(error, AethermindError):
        status = next((status for kind, status in STATUS if isinstance(error, kind)), 500)
        found = problem(status, error.message, hint=error.hint, code=type(error).__name__)
        if isinstance(error, InvalidError):
            place = {"file": error.file, "line": error.line_no, "column": error.column}
            found |= {name: value for name, value in place.items() if value is not None}
        return found
    return problem(500, "an error inside; the debug log of the engine has more")


def problem(status: int, detail: str, *, hint: str | None = None, code: str | None = None) -> dict[str, Json]:
    found: dict[str, Json] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code or CODES.get(status, "Error"),
    }
    if hint is not None:
        found["hint"] = hint
    return found


def encoded(found: dict[str, Json]) -> bytes:
    try:
        return wire.encode_json(found)
    except UnicodeEncodeError:  # half of a character, quoted from what was sent
        return wire.encode_json({name: _whole(value) for name, value in found.items()})


def _whole(value: Json) -> Json:
    return wire.recordable(value) if isinstance(value, str) else value
