"""Whether and when a failed attempt is tried again: pure arithmetic, the jitter is passed in."""

from __future__ import annotations

from aethermind.domain.errors import ErrorInfo
from aethermind.domain.workflow import Retry

RETRY_AFTER_CAP_MS = 120_000
"""A longer Retry-After is not waited for in full."""


def retry_at(policy: Retry, tries: int, error: ErrorInfo, *, now: int, jitter: float) -> int | None:
    """When attempt `tries + 1` is due (epoch ms), or None if there is none.

    `tries` counts the attempts so far (≥ 1), `jitter` is uniform in [0, 1). The delay is uniform in
    [0, backoff·2^(tries-1)], capped (full jitter), but never shorter than the server's Retry-After.
    """
    if not error.retryable or tries >= policy.max_attempts:
        return None
    ceiling = min(policy.backoff_ms * 2 ** min(tries - 1, 30), policy.max_backoff_ms)
    delay = int(ceiling * jitter)
    if error.retry_after_ms is not None:
        delay = max(delay, min(error.retry_after_ms, RETRY_AFTER_CAP_MS))
    return now + delay
