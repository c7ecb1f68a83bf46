"""The state of one lane: a provider's account and one of its models. Pure: time is passed in (monotonic
seconds), nothing waits here; `Governor` does.

Rules
    open ──(a 429, or a Retry-After)──► closed until then: everybody waits
    open ──(N failures in a row)──────► closed until then: nobody waits, calls fail with `circuit_open`
    closed ──(the time is over)───────► half open: one call is let through as a probe, the others wait for it
    half open ──(the probe is answered)► open
    half open ──(the probe fails)──────► closed again, for longer if the provider names no time
- What a call tells counts only if it began after the lane last changed: a hundred calls that were under way
  when the first of them was refused close it once.
- A probe that is given up (its step was cancelled) says nothing; the next one goes.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from aethermind.domain.errors import ErrorInfo
from aethermind.domain.retry import RETRY_AFTER_CAP_MS
from aethermind.domain.usage import Usage
from aethermind.engine.pace import Pace, Spent

BREAKING = frozenset({"connection", "malformed", "overloaded", "server", "timeout", "truncated"})
"""Kinds of errors that speak of the provider's health."""
WINDOW_MS = 1_000
"""For so long a lane closes after a 429 that names no time; doubled with each probe that fails, to a cap."""

State = Literal["open", "half_open", "closed"]
Why = Literal["", "rate_limit", "circuit", "concurrency", "requests", "tokens"]


class LaneLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Of one model of one account. None: no limit is known."""

    concurrency: int = 32
    rpm: int | None = None
    """Requests per minute."""
    tpm: int | None = None
    """Tokens per minute, in and out."""
    failures: int = 8
    """So many retryable failures in a row open the circuit breaker; 0: never."""
    break_ms: int = 10_000
    """For so long at first; doubled with each probe that fails, up to two minutes."""


class LaneState(msgspec.Struct, frozen=True, kw_only=True):
    """A lane, as it is shown. Times are epoch milliseconds."""

    lane: str
    """`provider:model`."""
    state: State = "open"
    why: Why = ""
    """What holds calls back just now."""
    waiting: int = 0
    in_flight: int = 0
    free_at: int | None = None
    """When the next call may go; None: at once, or when another one ends."""
    reason: str = ""
    """What the provider said, if it closed the lane."""


class Verdict(msgspec.Struct, frozen=True):
    """Whether a call may go. `at`: when to ask again (monotonic seconds), None: when something changes."""

    go: bool
    why: Why = ""
    at: float | None = None
    refuse: bool = False
    """It is not to wait: the circuit is open."""


GO = Verdict(go=True)


class Ticket:
    """A call that was let through."""

    __slots__ = ("epoch", "probe", "request", "tokens")

    def __init__(self, epoch: int, *, probe: bool, request: Spent | None, tokens: Spent | None) -> None:
        self.epoch = epoch
        self.probe = probe
        self.request = request
        self.tokens = tokens


class Lane:
    """See the module."""

    def __init__(self, name: str, limits: LaneLimits) -> None:
        self.name = name
        self.limits = limits
        self.state: State = "open"
        self.closed_by: Literal["rate_limit", "circuit"] = "rate_limit"
        self.until = 0.0
        self.reason = ""
        self.in_flight = 0
        self._requests = Pace(limits.rpm) if limits.rpm is not None else None
        self._tokens = Pace(limits.tpm) if limits.tpm is not None else None
        self._epoch = 0
        self._failures = 0
        self._closings = 0
        """Since it was last answered."""
        self._probe: Ticket | None = None

    def may(self, now: float, tokens: int) -> Verdict:
        """Whether the next call, of so many tokens, may go."""
        if self.state == "closed":
            if now < self.until:
                return Verdict(False, self.closed_by, self.until, self.closed_by == "circuit")
            self.state = "half_open"
        if self.state == "half_open" and self._probe is not None:
            return Verdict(False, self.closed_by)
        if self.in_flight >= self.limits.concurrency:
            return Verdict(False, "concurrency")
        if self._requests is not None and (at := self._requests.free_at(now, 1)) > now:
            return Verdict(False, "requests", at)
        if self._tokens is not None and (at := self._tokens.free_at(now, tokens)) > now:
            return Verdict(False, "tokens", at)
        return GO

    def begin(self, now: float, tokens: int) -> Ticket:
        """A call goes; `may` has allowed it."""
        self.in_flight += 1
        probe = self.state == "half_open"
        ticket = Ticket(
            self._epoch,
            probe=probe,
            request=self._requests.take(now, 1) if self._requests is not None else None,
            tokens=self._tokens.take(now, tokens) if self._tokens is not None else None,
        )
        if probe:
            self._probe = ticket
        return ticket

    def heard(self, ticket: Ticket) -> bool:
        """The provider has begun to answer: it does not limit the rate any more. True if the lane opened."""
        if ticket is self._probe and self.closed_by == "rate_limit":
            self._open()
            return True
        return False

    def answered(self, ticket: Ticket, usage: Usage | None, now: float) -> None:
        """The whole answer came."""
        if self._tokens is not None and ticket.tokens is not None and usage is not None:
            self._tokens.settle(ticket.tokens, usage.input_tokens + usage.output_tokens, now)
        if ticket is self._probe:
            self._open()
        if ticket.epoch == self._epoch:
            self._failures = self._closings = 0

    def failed(self, ticket: Ticket, error: ErrorInfo, now: float) -> None:
        probe = ticket is self._probe
        if probe:
            self._probe = None
        limited = error.retryable and (error.kind == "rate_limit" or bool(error.retry_after_ms))
        if ticket.epoch != self._epoch:  # it knew nothing of what happened since
            if limited and self.state == "closed":
                self.until = max(self.until, now + self._pause_ms(error, WINDOW_MS) / 1000)
            return
        if limited or (probe and error.retryable and self.closed_by == "rate_limit"):
            self._close("rate_limit", error, now + self._pause_ms(error, WINDOW_MS) / 1000)
        elif error.retryable and error.kind in BREAKING:
            self._failures += 1
            if probe or 0 < self.limits.failures <= self._failures:
                self._close("circuit", error, now + self._pause_ms(error, self.limits.break_ms) / 1000)
        elif probe:  # it was refused for reasons of its own: the provider is well
            self._open()
        else:
            self._failures = 0

    def left(self, ticket: Ticket) -> None:
        """The call is over, whether anything was told of it or not."""
        self.in_flight -= 1
        if ticket is self._probe:
            self._probe = None

    def close_for(self, ms: int, now: float) -> None:
        """Nobody calls for so long."""
        error = ErrorInfo(kind="rate_limit", message="", retryable=True, retry_after_ms=ms)
        self._close("rate_limit", error, max(self.until, now + min(ms, RETRY_AFTER_CAP_MS) / 1000))

    def _pause_ms(self, error: ErrorInfo, first: int) -> int:
        if error.retry_after_ms is not None:
            return min(error.retry_after_ms, RETRY_AFTER_CAP_MS)
        return min(first << min(self._closings, 20), RETRY_AFTER_CAP_MS)

    def _close(self, by: Literal["rate_limit", "circuit"], error: ErrorInfo, until: float) -> None:
        self.state, self.closed_by, self.until = "closed", by, until
        self.reason = error.message
        self._epoch += 1
        self._closings += 1
        self._probe = None

    def _open(self) -> None:
        self.state, self.reason, self._probe = "open", "", None
        self._failures = self._closings = 0
        self._epoch += 1
