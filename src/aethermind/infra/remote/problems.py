"""What the API says is wrong (RFC 9457 problem+json), as the error that the same ask would raise here."""

from __future__ import annotations

from typing import Any

import msgspec

from aethermind.domain.errors import (
    AethermindError,
    BusyError,
    ConflictError,
    DeniedError,
    InvalidError,
    NotFoundError,
    StateError,
    StoreError,
    WaitingError,
)
from aethermind.infra.remote.http import Answer

_BY_CODE: dict[str, type[AethermindError]] = {
    cls.__name__: cls
    for cls in (BusyError, ConflictError, DeniedError, NotFoundError, StateError, StoreError, WaitingError)
}
_BY_STATUS: dict[int, type[AethermindError]] = {
    400: InvalidError,
    401: DeniedError,
    403: DeniedError,
    404: NotFoundError,
    409: ConflictError,
    413: InvalidError,
    415: InvalidError,
    421: DeniedError,
    422: InvalidError,
    429: BusyError,
    503: BusyError,
}
_SHOWN = 200


def problem(answer: Answer, *, name: str) -> AethermindError:
    """The error that an answer with a status of 400 or more stands for; `name`: of the engine's place."""
    found = _read(answer.body)
    if found is None:
        text = answer.body[:_SHOWN].decode("utf-8", "replace").strip()
        return BusyError(f"{name} answers {answer.status}{': ' + text if text else ''}")
    message = _text(found, "detail") or _text(found, "title") or f"{name} answers {answer.status}"
    hint = _text(found, "hint")
    code = _text(found, "code") or ""
    cls = _BY_CODE.get(code) or _BY_STATUS.get(answer.status, AethermindError)
    if code == InvalidError.__name__ or cls is InvalidError:
        return InvalidError(
            message,
            hint=hint,
            file=_text(found, "file"),
            line_no=_number(found, "line"),
            column=_number(found, "column"),
        )
    if answer.status == 429 and (wait := answer.headers.get("retry-after", "")).isdigit():
        hint = hint or f"again in {wait} s"
    return cls(message, hint=hint)


def _read(body: bytes) -> dict[str, Any] | None:
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return found if isinstance(found, dict) else None


def _text(found: dict[str, Any], name: str) -> str | None:
    value = found.get(name)
    return value if isinstance(value, str) and value else None


def _number(found: dict[str, Any], name: str) -> int | None:
    value = found.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
