"""Secrets stay out of the log: every event passes here before it is applied and appended.

Rules
- Only exact values are taken out (keys of providers, secrets of the environment). They are
  out of the state, too, so that what runs now and what a replay sees are the same.
- Who gave one away is told: what comes after it sees the mask.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from aethermind.domain.events import AnyEvent, AskAnswered, AttemptSucceeded, LogWritten, RunCreated


class Veil(msgspec.Struct, frozen=True):
    """How secrets are known and taken out; by default nothing is secret."""

    conceal: Callable[[AnyEvent], AnyEvent] = lambda event: event
    """The event as it may be recorded; the same object if there is nothing to hide."""
    learn: Callable[[Mapping[str, str]], object] = lambda _env: None
    """Told of the variables that a run takes, before it starts."""


NO_VEIL = Veil()


def told(event: AnyEvent) -> LogWritten | None:
    """The warning about what was taken out of an event that others build on."""
    after = "what comes after it sees [redacted]"
    match event:
        case RunCreated():
            return LogWritten(level="warning", message=f"the inputs hold a secret: {after}")
        case AttemptSucceeded(step=step, attempt=attempt):
            text = f"the output held a secret of the environment or a provider's key: {after}"
            return LogWritten(level="warning", message=text, step=step, attempt=attempt)
        case AskAnswered(step=step):
            return LogWritten(level="warning", message=f"the answer held a secret: {after}", step=step)
        case _:
            return None
