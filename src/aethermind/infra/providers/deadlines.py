"""How long a model call may take. A vendor's SDK times out per read only, which a slow drip never trips."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """Limits of one call, in milliseconds.

    `first_token_ms` runs until the first text, reasoning or tool call; `idle_ms` afterwards, between two
    events of any kind; `tail_ms` after the terminal marker, for a usage that comes late.
    """

    connect_ms: int = 30_000
    first_token_ms: int = 120_000
    idle_ms: int = 60_000
    total_ms: int = 600_000
    tail_ms: int = 5_000
