"""The engine's side of a Python call: what the runner answered, or why it could not."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from aethermind.domain.errors import CommandError, ErrorInfo
from aethermind.infra.children.child import signal_name
from aethermind.infra.sanitize import clean, clean_line
from aethermind.wire import decode_json

Mode = Literal["call", "tool", "describe"]
"""What the runner does; see there."""

RUNNER = str(Path(__file__).with_name("runner.py"))

_MESSAGE = 500
_DETAIL = 8_000


def value_of(target: str, answer: bytes, *, truncated: bool, exit_code: int, stderr: str) -> Any:
    """The function's value. Raises `CommandError`: kind `exception`, `not_found` or `output` as the runner
    says, `output` for a value that is too large, `command` if the interpreter ended without an answer."""
    if truncated:
        raise CommandError(
            ErrorInfo(kind="output", message=f"{target} returned more than fits into {len(answer):,} bytes")
        )
    try:
        reply = decode_json(answer)
    except ValueError:  # it never came, or only a part of it
        raise CommandError(
            ErrorInfo(
                kind="command",
                message=f"{target} {_end(exit_code)} before it returned",
                status=exit_code,
                detail=clean(stderr[-_DETAIL:]) or None,
            )
        ) from None
    if "value" in reply:
        return reply["value"]
    error = reply["error"]
    raise CommandError(
        ErrorInfo(
            kind=error["kind"],
            message=clean_line(error["message"])[:_MESSAGE],
            hint=clean_line(error["hint"]) or None,
            detail=clean(error["detail"]) or None,
        )
    )


def _end(exit_code: int) -> str:
    if exit_code < 0:
        return f"was killed by {signal_name(-exit_code)}"
    return f"ended its process (exit code {exit_code})"
